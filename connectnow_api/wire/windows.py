"""Which page numbers ``meta.links`` shows."""

from __future__ import annotations

Window = list[int | None]
"""Page numbers in order; ``None`` stands for the dots between two runs."""


def window(current: int, last: int, on_each_side: int) -> Window:
    """Return the page numbers to list for page ``current`` of ``last``.

    The arithmetic is Laravel's ``UrlWindow`` (8 to 12): all pages while they are few, else a run
    around the current page between the two first and the two last. A ``current`` past the end is
    treated as near the end. The work is bounded by ``on_each_side``, never by ``last``.
    """
    if last < 2 * on_each_side + 8:
        return list(range(1, last + 1))
    near = on_each_side + 4
    run = near + on_each_side
    first_two: Window = [1, 2, None]
    last_two: Window = [None, last - 1, last]
    if current <= near:
        return [*range(1, run + 1), *last_two]
    if current > last - near:
        return [*first_two, *range(last - run + 1, last + 1)]
    return [*first_two, *range(current - on_each_side, current + on_each_side + 1), *last_two]
