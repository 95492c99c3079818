"""Several clients at once, each a process of its own."""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.connection
import random
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from .clients import Caller, Report, Target
from .connections import Cut, Unanswered
from .desk import Desk
from .hostile import Hostile
from .tracker import Tracker

KINDS = {"reads": 58, "writes": 32, "refused": 10}
"""How often a client that means well reads, writes, and asks for what is refused."""
TICK = 0.25
"""Seconds between two looks at how far the clients are."""


@dataclass(frozen=True)
class Plan:
    """What each client is to do."""

    requests: int
    """How many requests each sends. One that is broken off counts, too."""
    hostile: float
    """Which part of them is hostile."""
    seed: int
    tolerated: frozenset[int] = frozenset()
    """Statuses that any request may get, such as 503 while something is down."""


def run(
    target: Target,
    plan: Plan,
    tick: Callable[[int], None] = lambda _: None,
) -> Report:
    """Let all clients of the target do their part; return what they saw together.

    ``tick`` is called again and again with the number of requests that were sent.
    Raises ``RuntimeError`` if a client ends without a report.
    """
    context = multiprocessing.get_context("spawn")
    done = context.Array("Q", len(target.people), lock=False)
    pipes, processes = [], []
    for number in range(len(target.people)):
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(
            target=_work, args=(number, target, plan, done, sender), daemon=True
        )
        process.start()
        sender.close()
        pipes.append(receiver)
        processes.append(process)
    report, waiting = Report(), list(pipes)
    try:
        while waiting:
            for pipe in multiprocessing.connection.wait(waiting, TICK):
                report.add(_receive(pipe))
                waiting.remove(pipe)
            tick(sum(done))
    finally:
        for process in processes:
            if waiting:
                process.terminate()
            process.join()
    return report


def _receive(pipe: Any) -> Report:
    try:
        return pipe.recv()
    except EOFError as error:
        raise RuntimeError("a client ended without a report") from error


def _work(number: int, target: Target, plan: Plan, done: Any, sender: Any) -> None:
    sender.send(play(number, target, plan, done))
    sender.close()


def play(number: int, target: Target, plan: Plan, done: Any) -> Report:
    """Do what one client does, and return its report. ``done[number]`` counts its requests."""
    caller = Caller(number, target, plan.seed, plan.tolerated)
    tracker, desk = Tracker(caller), Desk(caller)
    hostile = Hostile(caller, tracker, desk, plan.hostile * plan.requests)
    kinds: dict[str, Collection[Any]] = {
        kind: {**getattr(tracker, kind), **getattr(desk, kind)} for kind in KINDS
    }
    bad = 0
    while (sent := caller.sent) < plan.requests:
        done[number] = sent
        # By what was sent so far, since an action may be several requests.
        is_hostile = bad < plan.hostile * (sent + 1)
        kind = caller.rng.choices(list(KINDS), list(KINDS.values()))[0]
        act(caller.rng, hostile.actions if is_hostile else kinds[kind], caller)
        bad += (caller.sent - sent) if is_hostile else 0
    caller.connections.close()
    caller.report.actions["hostile requests"] = bad
    caller.report.opened = caller.connections.opened
    caller.report.reused = caller.connections.reused
    return caller.report


def act(rng: random.Random, actions: Any, caller: Caller) -> None:
    """Do one of the actions. What got no answer has been noted already."""
    action = rng.choices(list(actions), list(actions.values()))[0]
    caller.report.actions[action.__name__] += 1
    with contextlib.suppress(Cut, Unanswered):
        action()
