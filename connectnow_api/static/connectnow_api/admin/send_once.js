// A second click would throw away the answer to the first, which alone shows the token.
"use strict";
{
    let sent = new WeakSet();

    document.addEventListener("submit", (event) => {
        if (sent.has(event.target)) {
            event.preventDefault();
        }
        sent.add(event.target);
    });

    // A page that the browser kept may be sent again.
    window.addEventListener("pageshow", () => {
        sent = new WeakSet();
    });
}
