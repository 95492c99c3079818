"""The progress bar, and stopping."""

from __future__ import annotations

import os
import signal
import threading
import time
from io import StringIO
from typing import Any

import pytest
from django.core.management.base import OutputWrapper

from connectnow_api.management.progress import Progress, stoppable


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (80, "Working [####################                    ]  50%  1 of 2"),
        (40, "Working [########        ]  50%  1 of 2"),
        (10, "Working  50%  1 of 2"),
    ],
)
def test_the_bar_fits_the_terminal(
    monkeypatch: pytest.MonkeyPatch, columns: int, expected: str
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr("connectnow_api.management.progress.INTERVAL", 0)
    stream = Terminal()
    with Progress(OutputWrapper(stream), "Working", 2) as progress:
        progress.advance()
    assert stream.getvalue().split("\r\x1b[K")[2:] == [expected, ""]


def test_more_steps_than_were_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectnow_api.management.progress.INTERVAL", 0)
    stream = Terminal()
    with Progress(OutputWrapper(stream), "Working", 2) as progress:
        progress.advance(3)
    assert "100%  3 of 2" in stream.getvalue()


def test_nothing_is_written_to_anything_else() -> None:
    stream = StringIO()
    with Progress(OutputWrapper(stream), "Working", 2) as progress:
        progress.advance()
    assert stream.getvalue() == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_asks_to_stop_and_a_second_one_ends_it(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    seen = []

    def work() -> None:
        with stoppable() as stop:
            seen.append(bool(stop))
            os.kill(os.getpid(), number)
            stop.wait(3600)
            seen.append(bool(stop))
            os.kill(os.getpid(), number)
            time.sleep(3600)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert seen == [False, True]
    assert signal.getsignal(number) is before


def test_only_the_main_thread_listens() -> None:
    found: list[Any] = []

    def work() -> None:
        with stoppable() as stop:
            stop.wait(0.001)
            found.append(bool(stop))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [False]
