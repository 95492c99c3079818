"""What keeps going wrong is logged once a minute."""

from __future__ import annotations

import contextlib
import logging
import math
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from connectnow_api.outages import Outages


class Slow(float):
    """A time that two threads compare theirs with at the same moment, if nothing keeps them."""

    both: threading.Barrier

    def __le__(self, now: float) -> bool:
        with contextlib.suppress(threading.BrokenBarrierError):
            self.both.wait(0.5)
        return float(self) <= now


def test_one_of_several_threads_writes(caplog: Any) -> None:
    outages = Outages(logging.getLogger("outages"))
    Slow.both = threading.Barrier(2)
    outages._silent_until = Slow(-math.inf)
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(outages.report, "Gone", OSError()) for _ in range(2)]:
            done.result()
    assert len(caplog.records) == 1
