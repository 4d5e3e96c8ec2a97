"""The clocks that decisions follow: real time, or a simulator's. No ROS in here."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

STANDSTILL = 0.5
"""s of real time after which simulated time that does not move is waited for."""
LOOK_AGAIN = 0.0004
"""s between two looks at what is waited for."""
_SPIN = 0.0003
"""s before a deadline in which a thread no longer sleeps, since waking it may take as long."""


class Clock(Protocol):
    """The clock that decisions follow."""

    def now(self) -> float:
        """s; steady, or a simulator's."""

    def wait(self, until: float) -> None:
        """Returns at that time, or a little later."""

    def ros(self) -> float:
        """s of ROS's clock, in which stamps are."""


class SteadyClock:
    """Real time; sleeps until shortly before a deadline and looks at the clock for the rest.

    Args:
        ros: gives s of ROS's clock.
    """

    def __init__(self, ros: Callable[[], float]) -> None:
        self.ros = ros

    def now(self) -> float:
        """s, monotonic."""
        return time.monotonic()

    def wait(self, until: float) -> None:
        """Returns at that time."""
        left = until - time.monotonic()
        if left > _SPIN:
            time.sleep(left - _SPIN)
        while time.monotonic() < until:
            pass


class RosClock:
    """A simulator's time, which may stand still or run fast.

    Args:
        ros: gives s of ROS's clock.
        ends: is set when nobody waits any more.
    """

    def __init__(self, ros: Callable[[], float], ends: threading.Event) -> None:
        self.ros = ros
        self._ends = ends
        self._seen, self._moved = 0.0, time.monotonic()

    def now(self) -> float:
        """s of ROS's clock."""
        now = self.ros()
        if now != self._seen:
            self._seen, self._moved = now, time.monotonic()
        return now

    @property
    def stands_still(self) -> bool:
        """Whether simulated time has not moved for a while, or has never come."""
        self.now()
        return time.monotonic() - self._moved > STANDSTILL

    def wait(self, until: float) -> None:
        """Returns at that time, after a clock that went back, or when nobody waits any more."""
        began = self.now()
        while began <= self.now() < until and not self._ends.is_set():
            time.sleep(LOOK_AGAIN)
