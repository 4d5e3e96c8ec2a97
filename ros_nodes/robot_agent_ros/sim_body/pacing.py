"""When the next tick is: in real time with stamps of the system's clock, or by a simulated clock at any speed."""

from __future__ import annotations

import time
from collections.abc import Callable

NANOSECONDS = 1_000_000_000
LATEST = 0.1
"""s behind real time at which the time that was missed is given up."""
_CLOCKS_DIFFER = 0.02
"""s by which the system's clock must have jumped to be followed at once."""
_FOLLOWING = 0.01
"""Share of a small difference between clocks that is taken over with each tick."""


class Pace:
    """Waits for ticks and says what time they have.

    In real time, stamps are those of the system's clock at the moments when ticks are due, evenly spaced however late
    this process is woken. A simulated clock begins with the system's and goes on by exactly one tick a tick.

    Args:
        tick: simulated s between two ticks.
        simulated: stamps are of a simulated clock, which slows down where the machine is too slow.
        steady, system, sleep: for tests; ns, ns and s.
    """

    def __init__(
        self,
        tick: float,
        simulated: bool = False,
        steady: Callable[[], int] = time.monotonic_ns,
        system: Callable[[], int] = time.time_ns,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.tick, self.simulated = tick, simulated
        self.skipped = 0.0
        """s of real time in which nothing happened, because the machine was too slow."""
        self._steady, self._system, self._sleep = steady, system, sleep
        self._due = steady()
        self._offset = float(system() - steady())
        self._stamp = system()

    def wait(self, speed: float = 1.0) -> int:
        """Waits for the next tick; its time in ns."""
        self._due += round(self.tick / speed * NANOSECONDS)
        ahead = self._due - self._steady()
        if ahead > 0:
            self._sleep(ahead / NANOSECONDS)
        elif -ahead > LATEST * NANOSECONDS:
            self.skipped -= ahead / NANOSECONDS
            self._due -= ahead
        if self.simulated:
            self._stamp += round(self.tick * NANOSECONDS)
        else:
            self._follow_clock()
            self._stamp = self._due + round(self._offset)
        return self._stamp

    def _follow_clock(self) -> None:
        for _ in range(3):
            before = self._steady()
            difference = self._system() - before - self._offset
            if self._steady() - before < _CLOCKS_DIFFER * NANOSECONDS / 10:  # nothing came between the two
                break
        else:
            return
        far = abs(difference) > _CLOCKS_DIFFER * NANOSECONDS
        self._offset += difference if far else _FOLLOWING * difference
