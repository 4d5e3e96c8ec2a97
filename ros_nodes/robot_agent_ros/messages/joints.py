"""Joints by name: sensor_msgs/JointState and the one-point trajectory_msgs/JointTrajectory of a command."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from robot_agent_ros.messages.error import MessageError


class JointStateMessage(Protocol):
    """sensor_msgs/JointState."""

    name: Any
    position: Any
    velocity: Any
    effort: Any


class JointTrajectoryMessage(Protocol):
    """trajectory_msgs/JointTrajectory."""

    joint_names: Any
    points: Any


class Joints(NamedTuple):
    """Joints in the order that was asked for.

    Attributes:
        position: rad or m, float64 (n,).
        velocity: rad/s or m/s, float64 (n,); None where the robot measures none.
        effort: N·m or N, float64 (n,); None where the robot measures none.
    """

    position: NDArray[np.float64]
    velocity: NDArray[np.float64] | None
    effort: NDArray[np.float64] | None


def read_joints(message: JointStateMessage, names: Sequence[str]) -> Joints:
    """The joints of a state in the order of `names`; the robot may have more of them, in any order.

    Raises:
        MessageError: a joint is missing or named twice, a list has another length than the names, or a number is not
            finite.
    """
    there = list(message.name)
    order = _order(there, names, "joint state")
    position = _picked(message.position, there, order, "position")
    if position is None:
        raise MessageError("the joint state has no positions, expected one for each joint")
    velocity = _picked(message.velocity, there, order, "velocity")
    return Joints(position, velocity, _picked(message.effort, there, order, "effort"))


def read_command(
    message: JointTrajectoryMessage, names: Sequence[str], quantity: str = "positions"
) -> NDArray[np.float64]:
    """What a command asks of each joint (n,), in the order of `names`: `positions` (rad, m) or `velocities`.

    Raises:
        MessageError: other joints than these, more or fewer points than one, or a number that is not finite.
    """
    there = list(message.joint_names)
    order = _order(there, names, "command")
    if len(there) != len(names):
        strange = sorted(set(there) - set(names))
        raise MessageError(f"the command names {strange[0]!r}, expected only {', '.join(names)}")
    if len(message.points) != 1:
        raise MessageError(f"the command has {len(message.points)} points, expected one")
    values = _picked(getattr(message.points[0], quantity), there, order, quantity)
    if values is None:
        raise MessageError(f"the command has no {quantity}, expected one for each joint")
    return values


def _order(there: list[str], names: Sequence[str], what: str) -> list[int]:
    missing = [name for name in names if name not in there]
    if missing:
        raise MessageError(f"joint {missing[0]!r} is missing in the {what}, which has {', '.join(there) or 'none'}")
    if len(set(there)) != len(there):
        twice = next(name for name in there if there.count(name) > 1)
        raise MessageError(f"the {what} names {twice!r} twice, expected each joint once")
    return [there.index(name) for name in names]


def _picked(values: Any, there: list[str], order: list[int], what: str) -> NDArray[np.float64] | None:
    """The values in another order; None where the message leaves them out, as JointState may."""
    if len(values) == 0:
        return None
    if len(values) != len(there):
        raise MessageError(f"there are {len(values)} numbers of {what} for {len(there)} joints, expected as many")
    picked = np.asarray(values, np.float64)[order]
    if not np.all(np.isfinite(picked)):
        worst = int(np.flatnonzero(~np.isfinite(picked))[0])
        raise MessageError(f"the {what} of joint {there[order[worst]]!r} is {picked[worst]}, expected a finite number")
    return picked
