"""The soak of benchmarks/soak.py is not blind: what it has to find, it finds."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from benchmarks import memory
from benchmarks.load import Row, Write, compare
from benchmarks.load.clients import Limited, find_exceeded
from benchmarks.memory import Sample

SOUND: dict[str, list[str]] = {"lost": [], "half-written": [], "unasked": []}
ISSUE = ("issue", "soak 0.1")
OPEN = {"id": 7, "name": "soak 0.1", "closed": False, "categories": [1, 2]}
CLOSED = {**OPEN, "closed": True}
TICKET, MESSAGE = ("ticket", "soak 0.2"), ("message", "soak 0.3")
STATE = {"id": 1, "status": "open", "tags": [3]}
BODY = {"id": 5, "ticket": 1, "type": "external", "body": "soak 0.3"}
TAG = Row(("tag", "#3"), {"id": 3})


def write(key: Any, state: Any, request: str = "a", begun: float = 1, ended: float = 2) -> Write:
    return Write(key, state, request, begun, ended)


def unanswered(key: Any, state: Any, request: str = "b", begun: float = 3) -> Write:
    return Write(key, state, request, begun)


def ticket(**values: Any) -> Row:
    times = {"last_contact": 10, "closed_at": None}
    return Row(TICKET, {**STATE, **values}, times)


def message(**values: Any) -> Row:
    return Row(MESSAGE, {**BODY, **values}, {"created_at": 10})


def sorts(found: dict[str, list[str]]) -> list[str]:
    """Return which sorts of problems there are, in order."""
    return sorted(sort for sort, lines in found.items() for _ in lines)


# --- What was acknowledged --------------------------------------------------------------------


def test_an_acknowledged_row_that_is_there_is_sound() -> None:
    assert compare([], [write(ISSUE, OPEN)], [Row(ISSUE, OPEN)]) == SOUND


@pytest.mark.parametrize(
    "after",
    [
        [],
        [Row(ISSUE, {**OPEN, "id": 8})],
        [Row(ISSUE, {**OPEN, "name": "soak 0.1 other"})],
        [Row(ISSUE, {**OPEN, "categories": [1]})],
        [Row(ISSUE, {name: value for name, value in OPEN.items() if name != "closed"})],
        [Row(ISSUE, {**OPEN, "more": 1})],
    ],
)
def test_an_acknowledged_row_that_is_missing_or_other_is_lost(after: list[Row]) -> None:
    assert sorts(compare([], [write(ISSUE, OPEN)], after)) == ["lost"]


def test_an_acknowledged_change_that_is_not_there_is_lost() -> None:
    writes = [write(ISSUE, OPEN), write(ISSUE, CLOSED, "b", 3, 4)]
    assert compare([], writes, [Row(ISSUE, CLOSED)]) == SOUND
    assert sorts(compare([], writes, [Row(ISSUE, {**OPEN, "name": "soak 0.1 x"})])) == ["lost"]
    found = compare([Row(ISSUE, OPEN)], [write(ISSUE, CLOSED)], [Row(ISSUE, OPEN)])
    assert sorts(found) == ["lost"]


def test_an_older_state_is_not_the_last_acknowledged_one() -> None:
    writes = [write(ISSUE, OPEN), write(ISSUE, CLOSED, "b", 3, 4)]
    assert sorts(compare([], writes, [Row(ISSUE, OPEN)])) != []


def test_an_acknowledged_deletion_that_is_not_done_is_lost() -> None:
    writes = [write(ISSUE, OPEN), write(ISSUE, None, "b", 3, 4)]
    assert compare([], writes, []) == SOUND
    assert sorts(compare([], writes, [Row(ISSUE, OPEN)])) != []


def test_a_seeded_row_stays_as_it_was() -> None:
    before = [Row(ISSUE, OPEN)]
    assert compare(before, [], before) == SOUND
    assert sorts(compare(before, [], [])) == ["lost"]
    assert sorts(compare(before, [], [Row(ISSUE, CLOSED)])) == ["unasked"]


def test_a_row_that_nobody_asked_for() -> None:
    assert sorts(compare([], [], [Row(ISSUE, OPEN)])) == ["unasked"]


def test_a_row_that_is_there_twice() -> None:
    rows = [Row(ISSUE, OPEN), Row(ISSUE, OPEN)]
    assert sorts(compare([], [write(ISSUE, OPEN)], rows)) == ["unasked"]


def test_a_row_that_two_answers_say_was_new() -> None:
    writes = [write(ISSUE, OPEN)._replace(first=True), write(ISSUE, OPEN, "b")._replace(first=True)]
    assert sorts(compare([], writes, [Row(ISSUE, OPEN)])) == ["unasked"]
    assert compare([], [writes[0], write(ISSUE, OPEN, "b")], [Row(ISSUE, OPEN)]) == SOUND


def test_of_writes_at_the_same_time_any_may_be_last() -> None:
    writes = [write(ISSUE, OPEN, "a", 1, 4), write(ISSUE, CLOSED, "b", 2, 3)]
    for state in (OPEN, CLOSED):
        assert compare([], writes, [Row(ISSUE, state)]) == SOUND


def test_a_mixture_of_two_writes_is_half_written() -> None:
    other = {**CLOSED, "categories": [3]}
    writes = [write(ISSUE, OPEN, "a", 1, 4), write(ISSUE, other, "b", 2, 3)]
    found = compare([], writes, [Row(ISSUE, {**OPEN, "categories": [3]})])
    assert sorts(found) == ["half-written"]


def test_tags_that_are_gone_have_left_their_tickets() -> None:
    writes = [write(TICKET, STATE), write(MESSAGE, BODY)]
    assert compare([], writes, [ticket(tags=[]), message()]) == SOUND
    assert compare([TAG], writes, [ticket(), message(), TAG]) == SOUND
    assert sorts(compare([TAG], writes, [ticket(tags=[]), message(), TAG])) == ["lost"]


# --- What got no answer -----------------------------------------------------------------------


def test_without_an_answer_it_may_be_done_or_not() -> None:
    unknown = {name: value for name, value in OPEN.items() if name != "id"}
    for after in ([], [Row(ISSUE, OPEN)]):
        assert compare([], [unanswered(ISSUE, unknown)], after) == SOUND
    writes = [write(ISSUE, OPEN), unanswered(ISSUE, CLOSED)]
    for state in (OPEN, CLOSED):
        assert compare([], writes, [Row(ISSUE, state)]) == SOUND


def test_without_an_answer_it_may_not_be_something_else() -> None:
    found = compare([], [unanswered(ISSUE, OPEN)], [Row(ISSUE, {**OPEN, "categories": []})])
    assert sorts(found) == ["half-written", "lost"]


def test_without_an_answer_all_of_it_is_done_or_nothing() -> None:
    first = {name: value for name, value in BODY.items() if name not in ("id", "ticket")}
    writes = [unanswered(TICKET, {**STATE, "tags": []}), unanswered(MESSAGE, first)]
    assert compare([], writes, []) == SOUND
    assert compare([], writes, [ticket(tags=[]), message()]) == SOUND
    found = compare([], writes, [ticket(tags=[])])
    # It lacks its message, too.
    assert sorts(found) == ["half-written"] * 3


def test_a_deletion_without_an_answer_takes_all_with_it_or_nothing() -> None:
    row = ("issue_subscription", "7:a@example.com")
    subscription = Row(row, {"issue": 7, "email": "a@example.com"})
    before = [Row(ISSUE, OPEN), subscription]
    writes = [unanswered(ISSUE, None), unanswered(row, None)]
    assert compare(before, writes, []) == SOUND
    assert compare(before, writes, before) == SOUND
    assert sorts(compare(before, writes, [subscription])) == ["half-written"]


def test_what_was_there_before_does_not_tell() -> None:
    contact = ("contact", "acme:a@example.com")
    known = Row(contact, {"id": 4, "value": "a@example.com"})
    writes = [unanswered(MESSAGE, BODY), unanswered(contact, {"value": "a@example.com"})]
    before = [known, Row(TICKET, STATE, {"last_contact": None, "closed_at": None})]
    before += [Row(("message", "#1"), {**BODY, "id": 1, "type": "internal"}, {"created_at": 1})]
    assert compare(before, writes, before)["half-written"] == []


# --- Rows that lack something -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        ([ticket()], "no message"),
        ([ticket(), message()._replace(times={"created_at": 11})], "last_contact"),
        ([ticket(), message(type="internal")], "last_contact"),
        ([ticket(status="closed"), message()], "closed_at"),
        ([Row(ISSUE, {**OPEN, "categories": []})], "no category"),
        ([Row(("company", "soak 0.4"), {"id": 9})], "no member"),
    ],
)
def test_a_row_that_lacks_what_belongs_to_it_is_half_written(rows: list[Row], what: str) -> None:
    writes = [write(row.key, row.state) for row in rows]
    found = compare([TAG], writes, [*rows, TAG])["half-written"]
    assert len([line for line in found if what in line]) == 1
    # It may have been so from the start.
    assert compare([*rows, TAG], [], [*rows, TAG]) == SOUND


# --- Limits -----------------------------------------------------------------------------------

PASSED = Limited("127.0.0.1", 65, 66, None)
REFUSED = Limited("127.0.0.1", 70, 71, 120)


def test_no_more_pass_in_a_window_than_the_limit_says() -> None:
    assert find_exceeded([*[PASSED] * 5, REFUSED]) == []
    assert len(find_exceeded([*[PASSED] * 6, REFUSED])) == 1


def test_other_windows_and_addresses_do_not_count() -> None:
    elsewhere, earlier = replace_all([PASSED] * 5, address="127.0.0.2"), PASSED._replace(asked=59)
    assert find_exceeded([*[PASSED] * 5, *elsewhere, earlier, REFUSED]) == []


def replace_all(requests: list[Limited], **values: Any) -> list[Limited]:
    return [request._replace(**values) for request in requests]


# --- Memory -----------------------------------------------------------------------------------


def samples(grown: float, start: int = 80_000) -> list[Sample]:
    """Return a process that grows quickly at first, and by a part of its size afterwards."""
    parts = [number / 100 for number in range(101)]
    return [
        Sample(part, int(start * (0.7 if part < 0.3 else 1 + grown * (part - 0.3) / 0.7)))
        for part in parts
    ]


def test_growth_after_the_warm_up_is_noticed() -> None:
    assert memory.judge(samples(0), 0.3).is_flat
    assert memory.judge(samples(0.04), 0.3).is_flat
    assert not memory.judge(samples(0.08), 0.3).is_flat


def test_growth_of_the_warm_up_does_not_count() -> None:
    assert memory.judge(samples(0), 0.3).ratio == 0
    assert memory.judge(samples(0), 0.0).ratio > 0.05


def test_a_single_peak_does_not_count() -> None:
    found = [*samples(0), Sample(0.99, 500_000)]
    assert memory.judge(found, 0.3).is_flat


def test_less_memory_is_no_growth() -> None:
    assert memory.judge(samples(-0.5), 0.3).is_flat


@pytest.mark.parametrize("kept", [slice(0, 4), slice(0, 60), slice(None, None, 10)])
def test_what_cannot_be_judged_is_not_flat(kept: slice) -> None:
    with pytest.raises(memory.TooFewSamplesError):
        memory.judge(samples(0)[kept], 0.3)


@pytest.mark.parametrize(("requests", "part"), [(100_000, 0.1), (5_000, 0.4), (1_000, 0.5)])
def test_the_warm_up_is_a_tenth_or_as_much_as_there_has_to_be(requests: int, part: float) -> None:
    assert memory.warm_up(requests) == part


GROWING = """
import sys
kept = []
for line in sys.stdin:
    kept.append(b"x" * int(line))
    print(flush=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")
@pytest.mark.parametrize(("size", "is_flat"), [(10, True), (200_000, False)])
def test_a_process_that_keeps_what_it_should_not_is_noticed(size: int, is_flat: bool) -> None:
    command = [sys.executable, "-c", GROWING]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        assert process.stdin
        assert process.stdout
        found = []
        for number in range(101):
            process.stdin.write(f"{size}\n")
            process.stdin.flush()
            process.stdout.readline()
            found.append(Sample(number / 100, memory.read(process.pid) or 0))
        process.stdin.close()
    assert memory.judge(found, 0.1).is_flat == is_flat
    assert memory.read(process.pid) is None
