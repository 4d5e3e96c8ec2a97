"""rclpy's publishers, subscriptions and services for the rows of the table."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.service import Service as RosService
from rclpy.subscription import Subscription

from robot_agent_ros.graph import Service, Topic

_RELIABLE, _BEST_EFFORT = ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT
QUALITIES = {
    "sensor": (5, _BEST_EFFORT, DurabilityPolicy.VOLATILE),
    "command": (1, _RELIABLE, DurabilityPolicy.VOLATILE),
    "event": (10, _RELIABLE, DurabilityPolicy.VOLATILE),
    "state": (1, _RELIABLE, DurabilityPolicy.TRANSIENT_LOCAL),
}
"""(depth, reliability, durability) by the name of a quality."""


def message_class(topic: Topic) -> Any:
    """The class of a topic's messages."""
    package, name = topic.type.split("/")
    return getattr(import_module(f"{package}.msg"), name)


def service_class(service: Service) -> Any:
    """The class of a service."""
    package, name = service.type.split("/")
    return getattr(import_module(f"{package}.srv"), name)


def publisher_profile(topic: Topic) -> QoSProfile:
    """What a publisher of the topic offers."""
    depth, reliability, durability = QUALITIES[topic.quality]
    return QoSProfile(depth=depth, reliability=reliability, durability=durability)


def subscription_profile(topic: Topic) -> QoSProfile:
    """What a subscriber of the topic asks for: a command is taken from publishers of any reliability.

    A reliable subscriber would also wait for commands that were lost, and what comes late is refused anyway.
    """
    depth, reliability, durability = QUALITIES[topic.quality]
    if topic.quality == "command":
        reliability = _BEST_EFFORT
    return QoSProfile(depth=depth, reliability=reliability, durability=durability)


def publisher(node: Node, topic: Topic) -> Publisher[Any]:
    """A publisher of the topic."""
    return node.create_publisher(message_class(topic), topic.name, publisher_profile(topic))


def subscription(
    node: Node, topic: Topic, callback: Callable[..., None], group: CallbackGroup | None = None
) -> Subscription[Any]:
    """A subscription to the topic; a callback of two arguments also gets rclpy's message info."""
    profile = subscription_profile(topic)
    return node.create_subscription(message_class(topic), topic.name, callback, profile, callback_group=group)


def service(
    node: Node, row: Service, callback: Callable[[Any, Any], Any], group: CallbackGroup | None = None
) -> RosService[Any, Any]:
    """Offers the service."""
    return node.create_service(service_class(row), row.name, callback, callback_group=group)
