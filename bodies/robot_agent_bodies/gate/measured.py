"""What is known of the joints: where each is, and how fast it moves."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from robot_agent_bodies.gate.status import Refusal

_WINDOW = 0.1
"""Seconds over which a speed is derived from positions."""


LARGEST = 1e9
"""rad or m; a position beyond it is an overflow or unwritten memory, and counts as not finite."""


class Measured(NamedTuple):
    """A joint.

    Attributes:
        position: rad.
        speed: rad/s, without a sign; None while nobody knows.
        at: when that was, s on the clock that timeouts count in.
        output: rad, where the output was then.
    """

    position: float
    speed: float | None
    at: float
    output: float


class Measurements:
    """The newest of each joint, from messages that hold all of them or some.

    Args:
        joints: names, in order.
    """

    def __init__(self, joints: Sequence[str]) -> None:
        self.newest: list[Measured | None] = [None] * len(joints)
        self._index = {name: index for index, name in enumerate(joints)}
        self._lately: list[deque[tuple[float, float]]] = [deque() for _ in joints]

    def take(
        self,
        joints: Sequence[str],
        positions: Sequence[float],
        velocities: Sequence[float],
        at: float,
        outputs: Sequence[float],
    ) -> list[int] | Refusal:
        """Takes a message; returns which joints it was about, or why it does not count.

        Velocities may be empty or NaN, as joint_state_broadcaster fills in what a robot does not measure: they are
        derived from positions then.
        """
        ours = [(index, where) for where, name in enumerate(joints) if (index := self._index.get(name)) is not None]
        if len(positions) != len(joints) or len(velocities) not in (0, len(joints)):
            return Refusal.MALFORMED
        if len({index for index, _ in ours}) != len(ours):
            return Refusal.DUPLICATE_JOINT
        if not all(abs(positions[where]) <= LARGEST for _, where in ours):
            return Refusal.NON_FINITE
        if not ours:
            return Refusal.MISSING_JOINT
        for index, where in ours:
            position = positions[where]
            derived = self._derived(index, position, at)
            speed = abs(velocities[where]) if velocities and not math.isnan(velocities[where]) else derived
            self.newest[index] = Measured(position, speed, at, outputs[index])
        return [index for index, _ in ours]

    def since(self, oldest: float) -> list[Measured] | None:
        """All joints; None if one has not been measured since a time."""
        fresh = [one for one in self.newest if one is not None and one.at >= oldest]
        return fresh if len(fresh) == len(self.newest) else None

    def _derived(self, index: int, position: float, at: float) -> float | None:
        """How far a joint has moved lately, in rad/s; None if it has not been seen for long enough."""
        lately = self._lately[index]
        if lately and not 0 <= at - lately[-1][0] <= 5 * _WINDOW:
            lately.clear()  # it was not measured for a while, or a clock went back
        lately.append((at, position))
        while len(lately) > 2 and at - lately[1][0] >= _WINDOW:
            lately.popleft()
        passed = at - lately[0][0]
        if passed < _WINDOW / 2:
            return None
        seen = [position for _, position in lately]
        return (max(seen) - min(seen)) / passed
