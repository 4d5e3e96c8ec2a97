"""Who commands the robot: one publisher at a time, and no other one takes over by waiting."""

from __future__ import annotations

MOST_RIVALS = 1000
"""Publishers that are remembered as rivals; of more, the newest."""


class Ownership:
    """The first publisher of a sound command owns the robot.

    When the owner has been silent for `timeout`, a publisher that begins to send owns the robot next, such as the same
    agent in a new process. A rival, which already sent while the owner did, does not: `release` makes that possible.

    Args:
        timeout: s.

    Attributes:
        owner: the publisher that may command; None before the first and after `release`.
    """

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self.owner: bytes | None = None
        self._heard = 0.0
        self._waiting: dict[bytes, None] = {}
        self._rivals: dict[bytes, None] = {}

    def admits(self, publisher: bytes | None, now: float) -> bool:
        """Whether the robot is this publisher's, which sent a sound command at `now` s; None is one without an id."""
        if publisher is None or publisher in self._rivals:
            return False
        if publisher == self.owner:
            self._rivals |= self._waiting
            for one in list(self._rivals)[:-MOST_RIVALS]:
                del self._rivals[one]
        elif self.owner is not None and now - self._heard < self.timeout:
            if len(self._waiting) < MOST_RIVALS:
                self._waiting[publisher] = None
            return False
        self._waiting.clear()
        self.owner, self._heard = publisher, now
        return True

    def release(self) -> None:
        """Whoever sends next owns the robot, except the previous owner."""
        self._rivals = {} if self.owner is None else {self.owner: None}
        self._waiting.clear()
        self.owner = None
