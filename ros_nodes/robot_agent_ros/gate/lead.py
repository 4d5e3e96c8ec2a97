"""How far commands are ahead of the output, where they ask for more speed than the gate allows. No rclpy in here."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

_WINDOW = 1.0
"""s over which commands are looked at together."""
_FEWEST = 5
"""Commands in it before anything is said."""


class Lead:
    """Compares positions that are commanded in a row with where the output is.

    Args:
        velocity: limit of each joint, rad/s.

    Attributes:
        now: rad, by how much the newest command was ahead of the output in the joint that is furthest behind.
    """

    def __init__(self, velocity: Mapping[str, float]) -> None:
        self.now = 0.0
        self._velocity = dict(velocity)
        self._last: tuple[float, Mapping[str, float]] | None = None
        self._asked: deque[tuple[float, str, float]] = deque()

    def add(self, command: Mapping[str, float], output: Mapping[str, float], at: float) -> None:
        """A command that was accepted, and the output, in rad; `at` in s."""
        ahead = {joint: abs(command[joint] - output[joint]) for joint in command}
        self.now = max(ahead.values(), default=0.0)
        last, self._last = self._last, (at, command)
        if last is None or not 0 < at - last[0] <= _WINDOW:
            self._asked.clear()
            return
        speeds = {joint: abs(command[joint] - last[1][joint]) / (at - last[0]) for joint in command}
        joint = max(speeds, key=lambda name: speeds[name] / self._velocity[name])
        self._asked.append((at, joint, speeds[joint]))
        while at - self._asked[0][0] > _WINDOW:
            self._asked.popleft()

    @property
    def sentence(self) -> str:
        """That most commands of the last second asked for more speed than is allowed; empty if they did not."""
        hasty = [(speed, joint) for _, joint, speed in self._asked if speed > 1.01 * self._velocity[joint]]
        if len(self._asked) < _FEWEST or 2 * len(hasty) <= len(self._asked):
            return ""
        speed, joint = max(hasty)
        return (
            f"commands move {joint} at up to {speed:.2f} rad/s, and the gate allows {self._velocity[joint]:.2f}: the "
            f"output is {self.now:.2f} rad behind; let the agent's actions be smaller, or raise the gate's limits"
        )
