"""Which page numbers a page lists."""

from hypothesis import given
from hypothesis import strategies as st

from connectnow_api.wire.windows import window

numbers = st.integers(min_value=1, max_value=10**18)
sides = st.integers(min_value=0, max_value=6)


def plain(current: int, last: int, side: int) -> list[int | None]:
    """Return the window by the rule's other reading: which of all pages are near enough to show.

    For few pages only, since it looks at each of them.
    """
    if last < 2 * side + 8:
        return list(range(1, last + 1))
    near = side + 4
    if current <= near:
        shown = {*range(1, near + side + 1), last - 1, last}
    elif current > last - near:
        shown = {1, 2, *range(last - near - side + 1, last + 1)}
    else:
        shown = {1, 2, *range(current - side, current + side + 1), last - 1, last}
    found: list[int | None] = []
    for page in range(1, last + 1):
        if page in shown:
            found.append(page)
        elif found and found[-1] is not None:
            found.append(None)
    return found


@given(st.integers(1, 60), st.integers(1, 60), sides)
def test_window_shows_the_pages_that_the_rule_names(current: int, last: int, side: int) -> None:
    assert window(current, last, side) == plain(current, last, side)


@given(numbers, numbers, sides)
def test_window_is_bounded_ordered_and_holds_both_ends(current: int, last: int, side: int) -> None:
    """However many pages there are, the list is short and no page comes twice."""
    found = window(current, last, side)
    pages = [page for page in found if page is not None]
    assert pages == sorted(set(pages))
    assert pages[0] == 1
    assert pages[-1] == last
    assert len(found) <= 2 * side + 11
    if current <= last:
        assert current in pages


def test_thirteen_pages_are_all_listed_and_fourteen_are_not() -> None:
    assert None not in window(7, 13, 3)
    assert window(7, 14, 3) == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, None, 13, 14]


def test_dots_may_stand_for_two_pages_only() -> None:
    assert window(8, 20, 3) == [1, 2, None, 5, 6, 7, 8, 9, 10, 11, None, 19, 20]
