"""Joints by name: sensor_msgs/JointState and the one-point trajectory_msgs/JointTrajectory of a command."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from robot_agent_ros.messages.error import MessageError
from robot_agent_ros.messages.stamps import to_seconds


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


LARGEST = 1e9
"""The largest plausible magnitude of a joint's quantity, in any unit; more is an overflow or unwritten memory."""


class Joints(NamedTuple):
    """Joints in the order that was asked for.

    Attributes:
        position: rad or m, float64 (n,).
        velocity: rad/s or m/s, float64 (n,); None unless every joint has one.
        effort: N·m or N, float64 (n,); None unless every joint has one.
    """

    position: NDArray[np.float64]
    velocity: NDArray[np.float64] | None
    effort: NDArray[np.float64] | None


class Joint(NamedTuple):
    """One joint of a state: rad, rad/s, N·m (m, m/s, N); velocity and effort are None where they are not measured."""

    position: float
    velocity: float | None
    effort: float | None


def read_some_joints(message: JointStateMessage, names: Sequence[str]) -> dict[str, Joint]:
    """The joints of a state that are among `names`, by name; the values of other joints are not looked at.

    A robot publishes its joints in one message or in several. A quantity that it does not measure is an empty list or
    NaN; NaN is what joint_state_broadcaster of ros2_control publishes for an interface that does not exist.

    Raises:
        MessageError: one of `names` occurs twice, a list has another length than the names, a position is NaN, or a
            number is beyond `LARGEST`.
    """
    there, wanted = list(message.name), frozenset(names)
    ours = [index for index, name in enumerate(there) if name in wanted]
    _once([there[index] for index in ours], "joint state")
    if there and len(message.position) == 0:
        raise MessageError("the joint state has no positions, expected one for each joint")
    columns = []
    for what in ("position", "velocity", "effort"):
        values = getattr(message, what)
        _as_many(values, there, what)
        columns.append([float(values[index]) if len(values) else math.nan for index in ours])
    found = {}
    for index, position, velocity, effort in zip(ours, *columns, strict=True):
        name = there[index]
        numbers = {"position": position, "velocity": velocity, "effort": effort}
        for what, number in numbers.items():
            if abs(number) > LARGEST or (what == "position" and math.isnan(number)):
                raise MessageError(
                    f"the {what} of joint {name!r} is {number:g}, expected a number of at most {LARGEST:g}"
                )
        found[name] = Joint(position, _measured(velocity), _measured(effort))
    return found


def read_joints(message: JointStateMessage, names: Sequence[str]) -> Joints:
    """The joints of a state in the order of `names`; the robot may have more of them, in any order.

    Raises:
        MessageError: a joint is missing, or see `read_some_joints`.
    """
    _all_there(list(message.name), names, "joint state")
    found = read_some_joints(message, names)
    return whole([found[name] for name in names])


def whole(joints: Sequence[Joint]) -> Joints:
    """Joints as arrays, in their order; a quantity that one joint lacks is None."""
    position, velocity, effort = zip(*joints, strict=True)
    return Joints(np.array(position, np.float64), _column(velocity), _column(effort))


def _measured(number: float) -> float | None:
    return None if math.isnan(number) else number


def _column(values: Sequence[float | None]) -> NDArray[np.float64] | None:
    return None if any(value is None for value in values) else np.array(values, np.float64)


def read_command(
    message: JointTrajectoryMessage, names: Sequence[str], quantity: str = "positions"
) -> NDArray[np.float64]:
    """What a command asks of each joint (n,), in the order of `names`: `positions` (rad, m) or `velocities`.

    Raises:
        MessageError: other joints than these, more or fewer points than one, or a number that is not finite.
    """
    there = _commanded_names(message, names)
    if len(message.points) != 1:
        raise MessageError(f"the command has {len(message.points)} points, expected one")
    return _asked(message.points[0], there, names, quantity)


def read_points(message: JointTrajectoryMessage, names: Sequence[str]) -> list[tuple[float, NDArray[np.float64]]]:
    """The points of a trajectory: s after it begins, and positions (n,) in the order of `names`, rad or m.

    Raises:
        MessageError: other joints than these, no point, times that do not rise, or a number that is not finite.
    """
    there = _commanded_names(message, names)
    points = [(to_seconds(point.time_from_start), _asked(point, there, names, "positions")) for point in message.points]
    if not points:
        raise MessageError("the command has no point, expected one or more")
    if points[0][0] < 0 or any(later[0] <= before[0] for before, later in pairwise(points)):
        times = ", ".join(f"{after:g}" for after, _ in points)
        raise MessageError(f"the command's points are at {times} s, expected times that rise")
    return points


def _commanded_names(message: JointTrajectoryMessage, names: Sequence[str]) -> list[str]:
    there = list(message.joint_names)
    _all_there(there, names, "command")
    _once(there, "command")
    if len(there) != len(names):
        strange = sorted(set(there) - set(names))
        raise MessageError(f"the command names {strange[0]!r}, expected only {', '.join(names)}")
    return there


def _asked(point: Any, there: list[str], names: Sequence[str], quantity: str) -> NDArray[np.float64]:
    values = getattr(point, quantity)
    _as_many(values, there, quantity)
    if len(values) == 0:
        raise MessageError(f"the command has no {quantity}, expected one for each joint")
    asked = np.array([values[there.index(name)] for name in names], np.float64)
    for name, number in zip(names, asked, strict=True):
        if not math.isfinite(number):
            raise MessageError(f"the {quantity} of joint {name!r} is {number:g}, expected a finite number")
    return asked


def _all_there(there: list[str], names: Sequence[str], what: str) -> None:
    missing = [name for name in names if name not in there]
    if missing:
        raise MessageError(f"joint {missing[0]!r} is missing in the {what}, which has {', '.join(there) or 'none'}")


def _once(there: list[str], what: str) -> None:
    if len(set(there)) != len(there):
        twice = next(name for name in there if there.count(name) > 1)
        raise MessageError(f"the {what} names {twice!r} twice, expected each joint once")


def _as_many(values: Any, there: list[str], what: str) -> None:
    if len(values) not in (0, len(there)):
        raise MessageError(f"there are {len(values)} numbers of {what} for {len(there)} joints, expected as many")
