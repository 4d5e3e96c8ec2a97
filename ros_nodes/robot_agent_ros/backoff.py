"""How long to wait before what has ended is started again."""

from __future__ import annotations

LONGEST_PAUSE = 30.0
"""s."""
GOOD_LIFE = 60.0
"""s that something lives before it counts as what works."""


class Backoff:
    """Pauses that double, until what was started has lived for a while.

    Args:
        first: pause, s.
    """

    def __init__(self, first: float) -> None:
        self._first = self._next = first

    def lived(self, seconds: float) -> None:
        """It has ended after so long."""
        if seconds > GOOD_LIFE:
            self._next = self._first

    def pause(self) -> float:
        """The next pause, s."""
        pause, self._next = self._next, min(LONGEST_PAUSE, 2 * self._next)
        return pause
