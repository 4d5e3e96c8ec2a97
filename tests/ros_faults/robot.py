"""A robot that obeys its gate at once, and judges each message by the limits that the gate was given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from std_msgs.msg import Float64MultiArray

from tests.ros_faults.scenario import Outcome
from tests.ros_robot import GATE_PARAMETERS, PlayedRobot

_LIMIT = GATE_PARAMETERS["upper"][0]
_VELOCITY = GATE_PARAMETERS["velocity"][0]
_PERIOD = 1 / 200
"""Seconds between two outputs of the gate, by default; it never moves by more than two of them at once."""


class JudgedRobot(PlayedRobot):
    """Counts messages that take it beyond its limits: what a stiff position controller would do with them.

    Attributes:
        beyond: (position before, position after) of each joint that went too far or too fast.
    """

    def __init__(self) -> None:
        self.beyond: list[tuple[float, float]] = []
        self._sent = 0
        super().__init__()

    def _on_output(self, message: Float64MultiArray, info: Mapping[str, Any]) -> None:
        seconds = max(2 * _PERIOD, (info["source_timestamp"] - self._sent) * 1e-9 + _PERIOD) if self._sent else _PERIOD
        for before, after in zip(self.position, message.data, strict=True):
            if not (abs(after) <= _LIMIT and abs(after - before) <= _VELOCITY * seconds + 1e-9):
                self.beyond.append((before, after))
        self._sent = info["source_timestamp"]
        super()._on_output(message)

    @property
    def outcome(self) -> Outcome:
        """Of what it was sent so far."""
        return Outcome(outputs=len(self.outputs), beyond=len(self.beyond))
