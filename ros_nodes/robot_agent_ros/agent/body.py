"""What the agent's actions and feelings mean on this robot: the same as in the world it was trained in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from robot_agent.types import BodySpec


@dataclass(frozen=True)
class RobotBody(ABC):
    """A robot's joints, each of which follows a command (n,).

    Attributes:
        spec: shapes and rate.
        joints: their names, in the order of action and proprio.
        lower, upper: of commands (n,), rad or rad/s.
        opening: of its world's camera from top to bottom, rad; None where no world says.
    """

    spec: BodySpec
    joints: tuple[str, ...]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    opening: float | None = field(default=None, kw_only=True)

    @property
    def frame(self) -> float:
        """s of a control frame, of which a decision lasts `spec.frames_per_step`."""
        return self.spec.control_dt / self.spec.frames_per_step

    def within(self, command: NDArray[np.float64]) -> NDArray[np.float64]:
        """The nearest that may be commanded (n,)."""
        return np.clip(command, self.lower, self.upper)

    @property
    @abstractmethod
    def fastest(self) -> dict[str, float]:
        """How fast full actions ask the gate's joints to move, rad/s; of a twist its axes, m/s and rad/s."""

    @property
    def ends(self) -> list[tuple[str, float, float]]:
        """The lowest and highest commanded position of each joint, rad; none for a body that is moved by speed."""
        return []

    @abstractmethod
    def still(self, position: NDArray[np.float64]) -> NDArray[np.float64]:
        """What is commanded (n,) of a body that nobody commands; its joints are at `position`, rad (n,)."""

    @abstractmethod
    def commanded(self, before: NDArray[np.float64], action: NDArray[np.float32]) -> NDArray[np.float64]:
        """What is commanded (n,) by an action (n,) in [-1, 1] after `before` (n,) was."""

    @abstractmethod
    def action(self, before: NDArray[np.float64], commanded: NDArray[np.float64]) -> NDArray[np.float64]:
        """The inverse: the action (n,) by which `commanded` came after `before`; beyond [-1, 1] none an agent has."""

    @abstractmethod
    def proprio(
        self, position: NDArray[np.float64], velocity: NDArray[np.float64], commanded: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        """What the agent feels, float32 (proprio_dim,); empty for a body that feels nothing.

        Args:
            position, velocity: of the joints, rad and rad/s (n,), the latter from two readings a control frame apart.
            commanded: last (n,).
        """


@dataclass(frozen=True)
class ServoBody(RobotBody):
    """A body of position servos: an action moves the commanded positions, rad.

    `proprio` is, for each joint: its position (rad), its velocity (rad/s), and the commanded position (rad).

    Attributes:
        largest_change: of a command in one decision, rad.
    """

    largest_change: float

    @property
    def fastest(self) -> dict[str, float]:
        return dict.fromkeys(self.joints, self.largest_change / self.spec.control_dt)

    @property
    def ends(self) -> list[tuple[str, float, float]]:
        return list(zip(self.joints, self.lower.tolist(), self.upper.tolist(), strict=True))

    def still(self, position: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.within(position)

    def commanded(self, before: NDArray[np.float64], action: NDArray[np.float32]) -> NDArray[np.float64]:
        return self.within(before + self.largest_change * action)

    def action(self, before: NDArray[np.float64], commanded: NDArray[np.float64]) -> NDArray[np.float64]:
        return (commanded - before) / self.largest_change

    def proprio(
        self, position: NDArray[np.float64], velocity: NDArray[np.float64], commanded: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        felt = (position, velocity, commanded) if self.spec.proprio_dim else ()
        return np.concatenate((*felt, ()), dtype=np.float32)


class Velocity(NamedTuple):
    """Of a body in its own frame: `forward` in m/s, `turn` to the left in rad/s."""

    forward: float
    turn: float


@dataclass(frozen=True)
class WheeledBody(RobotBody):
    """A left and a right wheel on one axis (a differential drive): an action is their speed, of the fastest, rad/s.

    `proprio` is, for the left and the right wheel: its speed, then its commanded speed (rad/s).

    Attributes:
        wheel_radius: m.
        wheel_separation: m between the wheels.
    """

    wheel_radius: float
    wheel_separation: float

    @property
    def fastest(self) -> dict[str, float]:
        speed = self.wheel_radius * float(self.upper.max())
        return {"linear.x": speed, "angular.z": 2 * speed / self.wheel_separation}

    def still(self, position: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.zeros(2)

    def commanded(self, before: NDArray[np.float64], action: NDArray[np.float32]) -> NDArray[np.float64]:
        return self.upper * action

    def action(self, before: NDArray[np.float64], commanded: NDArray[np.float64]) -> NDArray[np.float64]:
        return commanded / self.upper

    def proprio(
        self, position: NDArray[np.float64], velocity: NDArray[np.float64], commanded: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        felt = (velocity, commanded) if self.spec.proprio_dim else ()
        return np.concatenate((*felt, ()), dtype=np.float32)

    def velocity(self, speeds: NDArray[np.float64]) -> Velocity:
        """Of the body, whose wheels turn at `speeds`, rad/s (2,), and do not slip."""
        left, right = self.wheel_radius * speeds
        return Velocity((left + right) / 2, (right - left) / self.wheel_separation)

    def speeds(self, velocity: Velocity) -> NDArray[np.float64]:
        """The inverse."""
        apart = velocity.turn * self.wheel_separation / 2
        return np.array([velocity.forward - apart, velocity.forward + apart]) / self.wheel_radius
