"""Velocities of a body: geometry_msgs/Twist of one that drives forward and turns."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from robot_agent_ros.messages.error import MessageError


class Vector3(Protocol):
    """geometry_msgs/Vector3."""

    x: float
    y: float
    z: float


class Twist(Protocol):
    """geometry_msgs/Twist."""

    linear: Vector3
    angular: Vector3


def read_twist(twist: Twist) -> tuple[float, float]:
    """Forward in m/s and turning to the left in rad/s.

    Raises:
        MessageError: a number is not finite, or it asks for what no wheels can do.
    """
    linear, angular = twist.linear, twist.angular
    every = np.array([linear.x, linear.y, linear.z, angular.x, angular.y, angular.z])
    if not np.all(np.isfinite(every)):
        raise MessageError(f"the twist is {every.tolist()}, expected finite numbers")
    if np.any(every[1:5] != 0):
        raise MessageError(f"the twist is {every.tolist()}, expected only linear.x and angular.z to be other than 0")
    return float(linear.x), float(angular.z)
