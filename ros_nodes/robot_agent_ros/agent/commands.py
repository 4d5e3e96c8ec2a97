"""What goes over agent/command for a body: positions of joints by name, or the velocity of a body on wheels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from robot_agent_ros.agent.body import RobotBody, Velocity, WheeledBody
from robot_agent_ros.graph import COMMAND, TWIST_COMMAND, Topic
from robot_agent_ros.messages.error import MessageError
from robot_agent_ros.messages.joints import read_command
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


def read_commanded(message: Any, body: RobotBody) -> NDArray[np.float64]:
    """What a message commands of the body (n,): of servos within what they may be told, of wheels whatever it asks.

    Raises:
        MessageError: it commands another body, or not one finite value for each joint.
    """
    if isinstance(body, WheeledBody) != hasattr(message, "twist"):
        row = topic_of(body)
        raise MessageError(f"the command is a {type(message).__name__}, expected {row.type} for this body")
    if isinstance(body, WheeledBody):
        return body.speeds(Velocity(*read_twist(message.twist)))
    return body.within(read_command(message, body.joints))
