"""What a node says of itself, on `/diagnostics`, once a second."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.callback_groups import CallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from robot_agent_ros.endpoints import publisher
from robot_agent_ros.graph import DIAGNOSTICS

PERIOD = 1.0
"""Seconds between two reports."""


class Level(Enum):
    """How well a node is."""

    OK = DiagnosticStatus.OK
    WARN = DiagnosticStatus.WARN
    ERROR = DiagnosticStatus.ERROR
    STALE = DiagnosticStatus.STALE


@dataclass(frozen=True)
class Report:
    """How a node is now.

    Attributes:
        level: how well.
        message: the named status, or one sentence.
        values: names with units in square brackets; numbers are shown with four digits.
    """

    level: Level
    message: str
    values: Mapping[str, Any] = field(default_factory=dict)


class Diagnostics:
    """Publishes a node's report every second, in real time even where `use_sim_time` stands still.

    Args:
        node: any rclpy node.
        report: is asked once a second, in the node's executor.
        hardware_id: the robot or world that the node works for.
        group: of the timer.
    """

    def __init__(
        self, node: Node, report: Callable[[], Report], hardware_id: str = "", group: CallbackGroup | None = None
    ) -> None:
        self._node, self._report, self._hardware_id = node, report, hardware_id
        self._publisher = publisher(node, DIAGNOSTICS)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(PERIOD, self.publish, callback_group=group, clock=steady)

    def publish(self) -> None:
        """Publishes a report now."""
        status = status_message(self._node.get_fully_qualified_name(), self._report(), self._hardware_id)
        self._publisher.publish(DiagnosticArray(header=_stamped(self._node), status=[status]))


def status_message(name: str, report: Report, hardware_id: str = "") -> DiagnosticStatus:
    """A report as a message."""
    values = [KeyValue(key=key, value=_shown(value)) for key, value in report.values.items()]
    return DiagnosticStatus(
        level=report.level.value, name=name, message=report.message, hardware_id=hardware_id, values=values
    )


def _stamped(node: Node) -> Any:
    header = DiagnosticArray().header
    header.stamp = node.get_clock().now().to_msg()
    return header


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
