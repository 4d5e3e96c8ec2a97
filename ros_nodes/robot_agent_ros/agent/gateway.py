"""The way to the robot: commands go to the gate, and the gate says whether it obeys."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from numpy.typing import NDArray
from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from robot_agent_ros.agent.pairing import Refused
from robot_agent_ros.endpoints import publisher, subscription
from robot_agent_ros.graph import COMMAND, GATE_STATUS
from robot_agent_ros.polling import waiting

GATE_SILENCE = 0.35
"""s without a word of the gate after which it is gone; it speaks 10 times a second."""
GATE_OBEYS = ("following", "holding")
"""States of the gate in which a command that is fresh is obeyed."""


class Gateway:
    """Publishes commands and hears what the gate does.

    Args:
        node: of the publisher and the subscription.
        group: of the subscription; with `Polled`, `poll` is what serves it.

    Attributes:
        joints: names of the joints that are commanded.
        status: what the gate does, by name; empty before its first word.
        last_refusal: of a command, by name; empty for none.
    """

    def __init__(self, node: Node, group: CallbackGroup | None = None) -> None:
        self.joints: Sequence[str] = ()
        self.status = self.last_refusal = ""
        self._heard = float("-inf")
        self._node = node
        self._command = JointTrajectory(points=[JointTrajectoryPoint()])
        self._publisher = publisher(node, COMMAND)
        self._statuses = subscription(node, GATE_STATUS, self._on_status, group)

    def send(self, positions: NDArray[Any]) -> None:
        """Commands positions, rad (n,), as decided now."""
        command = self._command
        command.header.stamp = self._node.get_clock().now().to_msg()
        command.joint_names = list(self.joints)
        command.points[0].positions = positions.tolist()
        self._publisher.publish(command)

    def poll(self) -> None:
        """Hears what has come."""
        for message, _ in waiting(self._statuses):
            self._on_status(message)

    def check(self) -> None:
        """Whether commands would be obeyed.

        Raises:
            Refused: not now.
        """
        if time.monotonic() - self._heard > GATE_SILENCE:
            raise Refused("gate_missing", "the gate says nothing, so nobody would obey: start it, or set require_gate")
        if self.status not in GATE_OBEYS:
            raise Refused(f"gate_{self.status}", "the gate does not let commands through")

    def _on_status(self, message: DiagnosticStatus) -> None:
        self._heard, self.status = time.monotonic(), message.message
        self.last_refusal = next((one.value for one in message.values if one.key == "last refusal"), "")
