"""Who sends on a topic: publishers, the nodes they are of, and whether joint states have one source."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rclpy.node import Node
from robot_agent_bodies.gate.config import GateConfig

from robot_agent_ros.graph import JOINT_STATES
from robot_agent_ros.sources import Sources

UNNAMED = "a node without a name"
"""Of an endpoint whose node the graph does not know, or does not know yet."""
_NAMES = 0.1
"""s between two looks for the names of rivals."""


def full_name(info: Any) -> str:
    """Of the node that an endpoint is of."""
    if info.node_name == "_NODE_NAME_UNKNOWN_":
        return UNNAMED
    return f"{info.node_namespace.rstrip('/')}/{info.node_name}"


def node_of(node: Node, publisher: bytes, topic: str) -> str:
    """The node that a publisher of a topic is of, by its full name."""
    for info in node.get_publishers_info_by_topic(topic):
        if bytes(info.endpoint_gid)[: len(publisher)] == publisher:
            return full_name(info)
    return UNNAMED


def publisher_of(node: Node, info: Mapping[str, Any], topic: str) -> bytes | None:
    """The publisher of a message; ROS before kilted does not tell, and then there may be one publisher only."""
    gid = info.get("publisher_gid")
    if gid is not None:
        return bytes(gid["data"])
    return b"the only one" if node.count_publishers(topic) == 1 else None


class JointSources:
    """Decides which joint states count, by who sent them.

    Args:
        node: that hears them.
        config: of the gate.
    """

    def __init__(self, node: Node, config: GateConfig) -> None:
        self._node, self._config = node, config
        self._topic = node.resolve_topic_name(JOINT_STATES.name)
        self._sources = Sources(config.owner_timeout)
        self._heard = self._listens_until = -math.inf
        self._unknown = 0
        self._names = (-math.inf, "")

    def hear(self, info: Mapping[str, Any], joints: Sequence[str], now: float) -> bool:
        """Hears a message; returns whether its publisher is the one that is believed for its joints."""
        ours = [name for name in joints if name in self._config.joints]
        if now - self._heard > self._config.owner_timeout:  # whoever begins now may not be the first
            self._listens_until = now + self._config.listen_time
        self._heard = now
        publisher = publisher_of(self._node, info, self._topic)
        if publisher is None:
            self._unknown = self._node.count_publishers(self._topic)
            return False
        return self._sources.believes(publisher, ours, now)

    def is_listening(self, now: float) -> bool:
        """Whether other sources could not be heard yet, so that nothing counts."""
        return now < self._listens_until

    def complaint(self, now: float) -> str:
        """That there is more than one source, in a sentence; empty if there is not."""
        rivals = self._sources.rivals(now)
        if rivals:
            if now - self._names[0] > _NAMES:
                self._names = now, ", ".join(node_of(self._node, one, self._topic) for one in rivals)
            return f"{self._names[1]} send the same joints: stop all but the robot's own"
        if self._unknown > 1:
            self._unknown = self._node.count_publishers(self._topic)
        if self._unknown > 1:
            why = "this ROS does not say who sent what: stop all but one"
            return f"{self._unknown} nodes publish {self._topic}, and {why}"
        return ""
