"""Files with secrets, which only their owner may read."""

import contextlib
import errno
import os
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any


def write_private(path: Path, text: str, put: Callable[[Any, Any], Any] = os.replace) -> None:
    """Write a file that appears whole or not at all.

    ``put`` gives the finished file its name: ``os.replace`` takes the place of a file that is
    there already, ``os.link`` raises ``FileExistsError``.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}-")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        put(name, path)
    finally:
        Path(name).unlink(missing_ok=True)


def refuse_unwritable(path: Path) -> None:
    """Raise ``OSError`` if ``write_private`` could not write there; leave no trace."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    with tempfile.TemporaryFile(dir=path.parent):
        pass


def read_or_make_key(path: Path) -> str:
    """Return the key that a file holds; without the file, make a new key and keep it there.

    No ``SECRET_KEY`` has to be written into settings, then. Processes that start together agree
    on one, because only the first of them gets to make the file.
    """
    if not path.exists():
        with contextlib.suppress(FileExistsError):
            write_private(path, secrets.token_urlsafe(50), put=os.link)
    return path.read_text()
