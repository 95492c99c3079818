"""What the server acknowledged, compared with what its database holds. Plain values only.

A row has a key: its kind, and a name that it keeps, which stands in its contents. So a row whose
id nobody was told is known all the same, and one that exists twice shows.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

Key = tuple[str, str]
State = dict[str, Any]


UNTOLD = {"id", "ticket", "company"}
"""What a client cannot know of a row if no answer came."""


class Write(NamedTuple):
    """What one request makes of one row."""

    key: Key
    state: State | None
    """The whole row; ``None``: it is gone. What is `UNTOLD` may be missing."""
    request: str
    begun: float
    ended: float = math.inf
    """When the answer was there, in the seconds of a clock that all clients share; without an
    answer the request may be carried out at any time."""
    first: bool = False
    """The answer said that it was this request, and no other, that made the row."""

    @property
    def acknowledged(self) -> bool:
        """Whether the server said that it has done so."""
        return self.ended < math.inf


class Row(NamedTuple):
    """A row of the database."""

    key: Key
    state: State
    times: dict[str, Any] = {}
    """What no client knows beforehand, for `find_half_written`."""


def compare(
    before: Iterable[Row], writes: Iterable[Write], after: Iterable[Row]
) -> dict[str, list[str]]:
    """Return what is lost, half-written or asked for by nobody; each a list of lines.

    ``before``: the rows before the first write. A row has to be as the last acknowledged write
    left it; of several at the same time, as any of them did. A write without an answer may have
    been done or not, but whole.
    """
    before, after = list(before), list(after)
    first = {row.key: row.state for row in before}
    by_key: dict[Key, list[Write]] = defaultdict(list)
    for write in writes:
        by_key[write.key].append(write)
    found = {row.key: row.state for row in after}
    problems: dict[str, list[str]] = {"lost": [], "half-written": [], "unasked": []}
    problems["unasked"] += _find_doubles(after)
    tags = {state["id"] for (kind, _), state in found.items() if kind == "tag"}
    for key in sorted({*first, *by_key, *found}):
        own = by_key.get(key, [])
        candidates = _candidates(first.get(key), own)
        if not any(_fits(state, found.get(key), tags) for state in candidates):
            sort = _judge(key, own, found)
            problems[sort].append(_describe(key, candidates, found.get(key)))
        if sum(write.first for write in own) > 1:
            problems["unasked"].append(f"{key}: made by several requests")
    problems["half-written"] += find_half_done(by_key, first, found, tags)
    # Seeded rows may lack something from the start.
    lacking = set(find_half_written(before))
    problems["half-written"] += [line for line in find_half_written(after) if line not in lacking]
    return problems


def _find_doubles(rows: Iterable[Row]) -> Iterator[str]:
    seen: set[Key] = set()
    for row in rows:
        if row.key in seen:
            yield f"{row.key}: there twice"
        seen.add(row.key)


def _candidates(first: State | None, writes: list[Write]) -> list[State | None]:
    """Return all that a row may be: what no acknowledged write has come after for sure."""
    latest = max((write.begun for write in writes if write.acknowledged), default=-math.inf)
    start = [first] if latest == -math.inf else []
    return [*start, *(write.state for write in writes if write.ended >= latest)]


def _fits(expected: State | None, found: State | None, tags: set[int]) -> bool:
    """Tell whether a row is as expected. Tags that exist no longer have left their tickets."""
    if expected is None or found is None:
        return expected is found
    found = _without_unknown(found, expected)
    if "tags" in expected:
        expected = {**expected, "tags": [tag for tag in expected["tags"] if tag in tags]}
    return expected == found


def _judge(key: Key, writes: list[Write], found: Mapping[Key, State]) -> str:
    """Return which sort of problem a row is that is none of what it may be.

    A mixture of what several requests wrote is half of each; any other change is a loss.
    """
    if key in found and not writes:
        return "unasked"
    state = found.get(key)
    states = [write.state for write in writes if write.state]
    if state and len(states) > 1:
        parts = [
            name for name in state if not any(other.get(name) == state[name] for other in states)
        ]
        if set(parts) <= UNTOLD:
            return "half-written"
    return "lost"


def find_half_done(
    by_key: Mapping[Key, list[Write]],
    first: Mapping[Key, State],
    found: Mapping[Key, State],
    tags: set[int],
) -> list[str]:
    """Return the requests without an answer that changed some of their rows and not the others.

    Those whose rows somebody changed later cannot be told any more.
    """
    requests: dict[str, list[Write]] = defaultdict(list)
    for writes in by_key.values():
        for write in writes:
            if not write.acknowledged:
                requests[write.request].append(write)
    problems = []
    for request, writes in requests.items():
        if any(later.begun > w.begun for w in writes for later in by_key[w.key]):
            continue
        # What was there before tells nothing: a contact that is known stays as it was.
        telling = [w for w in writes if w.state not in _earlier(w, by_key[w.key], first)]
        done = {_fits(w.state, found.get(w.key), tags) for w in telling}
        if len(done) > 1:
            problems.append(f"request {request}: {[w.key for w in telling]} are not all as asked")
    return problems


def _earlier(write: Write, writes: list[Write], first: Mapping[Key, State]) -> list[State | None]:
    found = first.get(write.key)
    start = None if found is None else _without_unknown(found, write.state)
    return [start, *(other.state for other in writes if other is not write)]


def _without_unknown(found: State, expected: State | None) -> State:
    """Return a row without the ids that an answer would have told."""
    unknown = UNTOLD - (expected or {}).keys()
    return {name: value for name, value in found.items() if name not in unknown}


USUAL = {"external", "widget", "forward"}
"""Types of messages that count as a contact."""


def find_half_written(rows: Iterable[Row]) -> list[str]:
    """Return the rows that lack what belongs to them, whoever wrote them."""
    by_kind: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_kind[row.key[0]].append(row)
    messages: dict[int, list[Row]] = defaultdict(list)
    for message in by_kind["message"]:
        messages[message.state["ticket"]].append(message)
    members = {row.state["company"] for row in by_kind["company_user"]}
    problems = [
        f"{row.key}: {what}"
        for row in by_kind["ticket"]
        for what in _of_ticket(row, messages[row.state["id"]])
    ]
    problems += [
        f"{row.key}: no category" for row in by_kind["issue"] if not row.state["categories"]
    ]
    problems += [
        f"{row.key}: no member" for row in by_kind["company"] if row.state["id"] not in members
    ]
    return problems


def _of_ticket(ticket: Row, messages: list[Row]) -> Iterator[str]:
    if not messages:
        yield "no message"
    dates = [row.times["created_at"] for row in messages if row.state["type"] in USUAL]
    if ticket.times["last_contact"] != max(dates, default=None):
        yield "last_contact is not the last message's date"
    if (ticket.state["status"] == "closed") != (ticket.times["closed_at"] is not None):
        yield "closed_at does not fit the status"


def _describe(key: Key, candidates: list[State | None], found: State | None) -> str:
    return f"{key}: {_short(found)}, expected {' or '.join(map(_short, candidates[-3:]))}"


def _short(state: State | None) -> str:
    return "not there" if state is None else repr(state)[:400]
