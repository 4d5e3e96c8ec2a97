"""The clocks that ages are taken on: whether they go on, and what is known after one of them jumped."""

from __future__ import annotations

import math
from typing import NamedTuple

_SLACK = 0.01
"""Seconds that a clock may go back without being said to jump."""
_STOPPED = 0.5
"""Seconds of real time after which simulated time that stands still has stopped."""


class Now(NamedTuple):
    """The same moment on all clocks.

    Attributes:
        steady: s of the clock that limits and timeouts count in: real time, or a simulator's; it never goes back.
        ros, system: ns of ROS's clock and of the system's.
        real: s of real time, where `steady` is simulated; None where it is real.
    """

    steady: float
    ros: int
    system: int
    real: float | None = None


class Clocks:
    """Compares clocks from reading to reading.

    Args:
        largest_jump: s that ROS's clock may run ahead of real time at once.
        settling: s after a jump in which a stamp says nothing about when something was sent.
    """

    def __init__(self, largest_jump: float, settling: float) -> None:
        self.largest_jump, self.settling = largest_jump, settling
        self._last: Now | None = None
        self._settles = -math.inf
        self._moved: float | None = None

    def watch(self, now: Now) -> None:
        """Takes a reading."""
        last, self._last = self._last, now
        if last is None or now.ros != last.ros:
            self._moved = now.real
        if last is None:
            return
        passed = now.steady - last.steady if now.real is None or last.real is None else now.real - last.real
        ros, system = (now.ros - last.ros) * 1e-9, (now.system - last.system) * 1e-9
        # ROS's clock may stand still or run fast, as a simulator's does; the system's keeps pace with real time.
        back = ros < -_SLACK or system < passed - _SLACK
        ahead = max(ros, system) - passed > self.largest_jump
        if back or ahead:
            self._settles = now.steady + self.settling

    def has_jumped(self, now: Now) -> bool:
        """Whether a clock jumped a moment ago: what is on its way may be of any age."""
        return now.steady < self._settles

    def is_stopped(self, now: Now) -> bool:
        """Whether simulated time stands still."""
        return now.real is not None and self._moved is not None and now.real - self._moved > _STOPPED

    def passed(self, last: Now, now: Now) -> float:
        """Seconds between two moments on ROS's clock, which trajectories count in; the steady one's where it jumps."""
        passed, steady = (now.ros - last.ros) * 1e-9, max(0.0, now.steady - last.steady)
        return passed if 0 <= passed <= steady + self.largest_jump else steady
