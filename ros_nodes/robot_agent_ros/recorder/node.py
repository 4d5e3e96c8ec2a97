"""The recorder as a process: `ros2 run robot_agent recorder`."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription

from robot_agent_ros.diagnostics import Diagnostics, Level, Report
from robot_agent_ros.errors import ParameterError
from robot_agent_ros.executable import run_node
from robot_agent_ros.graph import RECORDER
from robot_agent_ros.live_parameters import LiveParameters
from robot_agent_ros.recorder.bag import Channel
from robot_agent_ros.recorder.config import RecorderConfig
from robot_agent_ros.recorder.schemas import NoDefinitionError, full_definition
from robot_agent_ros.recorder.tape import Message, Status, Tape

LOOK_SECONDS = 0.5
"""Between two looks for topics that are new."""
SHARED = ("/clock", "/diagnostics", "/tf", "/tf_static", "/rosout")
"""Topics of all robots, recorded whatever the namespace."""
_DEPTH = 100


class RecorderNode(Node):
    """Subscribes to every topic that appears, takes messages as they are on the wire, and gives them to a `Tape`."""

    def __init__(self) -> None:
        super().__init__(RECORDER.name)
        self.parameters = LiveParameters(self, RecorderConfig, self._changed)
        self.tape: Tape | None = None
        try:
            self.tape = Tape(self.parameters.config, os.environ.get("ROS_DISTRO", ""))
        except OSError as error:
            raise ParameterError(f"folder {self.parameters.config.folder!r} cannot be written: {error}") from error
        self._topics: dict[str, Subscription[Any]] = {}
        self._refused: dict[str, str] = {}
        self.create_timer(LOOK_SECONDS, self._look, clock=Clock(clock_type=ClockType.STEADY_TIME))
        Diagnostics(self, self._report)
        self._look()

    def end(self) -> None:
        """Ends the recording."""
        if self.tape:
            self.tape.close()

    def _changed(self, config: RecorderConfig) -> None:
        if self.tape:
            self.tape.config = config

    # ---- topics ----

    def _look(self) -> None:
        for name, types in self.get_topic_names_and_types():
            if name not in self._topics and name not in self._refused and self._is_wanted(name):
                self._record(name, types[0])

    def _is_wanted(self, name: str) -> bool:
        config = self.parameters.config
        if name in config.exclude:
            return False
        if config.topics:
            return name in config.topics
        namespace = self.get_namespace().rstrip("/") + "/"
        return name.startswith(namespace) or name in SHARED

    def _record(self, name: str, type_name: str) -> None:
        publishers = self.get_publishers_info_by_topic(name)
        if not publishers:
            return  # nobody says anything there yet, and how it will be said is not known
        package, _, short = type_name.split("/")
        try:
            message = getattr(import_module(f"{package}.msg"), short)
            channel = Channel(name, type_name, full_definition(type_name))
        except (ImportError, AttributeError, NoDefinitionError) as error:
            self._refused[name] = str(error)
            self.get_logger().warning(f"{name} is not recorded: {error}")
            return
        offered = [info.qos_profile for info in publishers]
        reliable = all(qos.reliability == ReliabilityPolicy.RELIABLE for qos in offered)
        kept = all(qos.durability == DurabilityPolicy.TRANSIENT_LOCAL for qos in offered)
        profile = QoSProfile(
            depth=_DEPTH,
            reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
            durability=DurabilityPolicy.TRANSIENT_LOCAL if kept else DurabilityPolicy.VOLATILE,
        )

        def take(data: bytes, info: Mapping[str, Any]) -> None:
            if self.tape:
                now = time.time_ns()
                number = info.get("publication_sequence_number") or 0
                number = number % 2**32 if number < 2**63 else 0  # the largest says that the middleware has none
                self.tape.put(Message(channel, data, now, int(info["source_timestamp"]) or now, number))

        self._topics[name] = self.create_subscription(message, name, take, profile, raw=True)

    # ---- what it says of itself ----

    def _report(self) -> Report:
        tape = self.tape
        assert tape is not None
        values = {
            "detail": tape.detail,
            "file": tape.path,
            "topics": len(self._topics),
            "messages written": tape.written,
            "messages dropped": tape.dropped,
            "files deleted for room": tape.files_deleted,
            **{f"not recorded: {name}": why for name, why in self._refused.items()},
        }
        return Report(Level.OK if tape.status is Status.RECORDING else Level.ERROR, tape.status.value, values)


def main(argv: Sequence[str] | None = None) -> int:
    """Records until SIGINT or SIGTERM; returns the exit status."""
    return run_node(RecorderNode, argv, stop=RecorderNode.end)


if __name__ == "__main__":
    sys.exit(main())
