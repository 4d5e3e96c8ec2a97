"""What goes over agent/command for a body: positions of joints by name, or the velocity of a body on wheels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from robot_agent_ros.agent.body import RobotBody, Velocity, WheeledBody
from robot_agent_ros.graph import COMMAND, TWIST_COMMAND, Topic
from robot_agent_ros.messages.error import MessageError
from robot_agent_ros.messages.joints import read_points
from robot_agent_ros.messages.twist import read_twist


def topic_of(body: RobotBody) -> Topic:
    """The row of the table on which the body's commands go."""
    return TWIST_COMMAND if isinstance(body, WheeledBody) else COMMAND


def fill_command(message: Any, body: RobotBody, commanded: NDArray[np.float64]) -> None:
    """Writes what is commanded (n,) into a message of that row's type, which has its one point already."""
    if isinstance(body, WheeledBody):
        message.twist.linear.x, message.twist.angular.z = map(float, body.velocity(commanded))
    else:
        message.joint_names = list(body.joints)
        message.points[0].positions = commanded.tolist()


def read_commanded(message: Any, body: RobotBody) -> list[tuple[float, NDArray[np.float64]]]:
    """What a message commands of the body: s after it begins to count, and of each joint (n,).

    Of servos that is within what they may be commanded, of wheels whatever it asks. A JointTrajectory has one point or
    more; a Float64MultiArray, as a forward command controller takes it, has the joints in the body's order.

    Raises:
        MessageError: it commands another body, or not one finite value for each joint.
    """
    twist = getattr(message, "twist", message)
    if isinstance(body, WheeledBody) != hasattr(twist, "angular"):
        row = topic_of(body)
        kind = type(message).__name__.rpartition("__")[2]
        raise MessageError(f"the command is a {kind}, expected {row.type} for this body")
    if isinstance(body, WheeledBody):
        return [(0.0, body.speeds(Velocity(*read_twist(twist))))]
    if hasattr(message, "joint_names"):
        return [(after, body.within(positions)) for after, positions in read_points(message, body.joints)]
    values = np.asarray(message.data, np.float64)
    if values.shape != (len(body.joints),) or not np.all(np.isfinite(values)):
        joints = ", ".join(body.joints)
        raise MessageError(f"the command is {values.tolist()}, expected a finite number for each of {joints}")
    return [(0.0, body.within(values))]
