"""The way to the robot: commands go to the gate, and the gate says whether it obeys."""

from __future__ import annotations

import time
from collections import deque
from contextlib import suppress
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from numpy.typing import NDArray
from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from rclpy.publisher import Publisher
from trajectory_msgs.msg import JointTrajectoryPoint

from robot_agent_ros.agent.body import RobotBody
from robot_agent_ros.agent.commands import fill_command, topic_of
from robot_agent_ros.agent.mismatch import Limits, read_limits
from robot_agent_ros.agent.pairing import Refused
from robot_agent_ros.endpoints import message_class, publisher, subscription
from robot_agent_ros.graph import ACCEPTED, GATE_STATUS, TWIST_COMMAND
from robot_agent_ros.messages.stamps import to_nanoseconds
from robot_agent_ros.polling import UNREADABLE, Polled, waiting

GATE_SILENCE = 0.35
"""s without a word of the gate after which it is gone; it speaks 10 times a second."""
BASE_FRAME = "base_link"
"""In which the velocity of a body is (REP 105)."""
REMEMBERED = 400
"""Acceptances, of 2 s at the fastest rate."""
WAITS_FOR = {
    "stopped": "it was stopped, until gate/reset is called",
    "not_following": "the robot did not follow, until gate/reset is called",
    "not_enabled": "it waits for gate/enable",
}
"""What a person must do, by the gate's status."""
OWNER_SILENCE = 1.0
"""s without an acceptance after which the owner that the gate names is another."""
OWNER_COMES_BACK = 1.5
"""s that a gate which was started again is left to the agent that it obeyed before."""
GATE_OBEYS = ("following", "holding")
"""States of the gate in which a command that is fresh is obeyed."""


class Gateway:
    """Publishes commands and hears what the gate does.

    Args:
        node: of the publisher and the subscription.
        group: of the subscription; with `Polled`, `poll` is what serves it.

    Attributes:
        status: what the gate does, by name; empty before its first word.
        last_refusal: of a command by anybody, by name; empty for none.
        owner: the node whose commands the gate accepts; empty for none.
        limits: of the gate's joints; empty before its first word, or from a gate that does not say.
        command_timeout: of the gate, s.
    """

    def __init__(self, node: Node, group: CallbackGroup | None = None) -> None:
        self.status = self.last_refusal = self.owner = self._detail = ""
        self.limits: Limits = {}
        self.command_timeout = float("inf")
        self._heard = float("-inf")
        self._node = node
        self._body: RobotBody | None = None
        self._command: Any = None
        self._publisher: Publisher[Any] | None = None
        self._statuses = subscription(node, GATE_STATUS, self._on_status, group)
        self._acceptances = subscription(node, ACCEPTED, lambda message: None, Polled())
        self._accepted: deque[int] = deque(maxlen=REMEMBERED)
        self._accepted_at = self._not_before = float("-inf")

    def lead(self, body: RobotBody) -> None:
        """Commands are this body's from now on."""
        if self._publisher is not None:
            self._node.destroy_publisher(self._publisher)
        row = topic_of(body)
        self._body, self._command = body, message_class(row)()
        if row is TWIST_COMMAND:
            self._command.header.frame_id = BASE_FRAME
        else:
            self._command.points = [JointTrajectoryPoint()]
        self._publisher = publisher(self._node, row)

    def send(self, commanded: NDArray[Any]) -> int:
        """Commands the joints of the body it leads (n,), as decided now; returns the stamp of the command, ns."""
        assert self._body is not None
        assert self._publisher is not None
        self._command.header.stamp = self._node.get_clock().now().to_msg()
        fill_command(self._command, self._body, commanded)
        self._publisher.publish(self._command)
        return to_nanoseconds(self._command.header.stamp)

    def accepted(self, stamp: int) -> bool:
        """Whether the gate has accepted the command of this stamp, ns; to be asked by one thread."""
        with suppress(*UNREADABLE):
            for message, _ in waiting(self._acceptances):
                self._accepted.append(to_nanoseconds(message))
        if stamp not in self._accepted:
            return False
        self._accepted_at = time.monotonic()
        return True

    @property
    def why_not(self) -> str:
        """Why a command was not accepted, as far as the gate says."""
        owner = f"; it is commanded by {self.owner}, until gate/release is called" if self.owner else ""
        return f"the gate does not accept the commands (last refusal: {self.last_refusal or 'none'}{owner})"

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
            why = self._detail or WAITS_FOR.get(self.status, "")
            raise Refused(f"gate_{self.status}", f"the gate lets no commands through{': ' if why else ''}{why}")
        if not self.owner and time.monotonic() < self._not_before:
            raise Refused("gate_unowned", "the gate has no owner any more, and the agent that had it comes first")

    def _on_status(self, message: DiagnosticStatus) -> None:
        now = time.monotonic()
        self._heard, self.status = now, message.message
        values = {one.key: one.value for one in message.values}
        self.last_refusal, self.owner = values.get("last refusal", ""), values.get("owner", "")
        self._detail = values.get("detail", "")
        if self.owner and now - self._accepted_at > OWNER_SILENCE:
            self._not_before = now + OWNER_COMES_BACK
        self.limits = read_limits(values.get("limits", "{}"))
        with suppress(ValueError):  # a stranger's words
            self.command_timeout = float(values.get("command_timeout [s]", "inf"))
