"""The test's own node: it hears what processes publish, speaks to them, and waits with a limit."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import rclpy
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from robot_agent_ros.endpoints import message_class, publisher, service_class, subscription
from robot_agent_ros.graph import Service, Topic

from tests.ros_graph import TRANSITIONS, alone


class Ears:
    """A node in this process.

    Attributes:
        heard: messages by the name of their topic, oldest first.
    """

    def __init__(self, *topics: Topic) -> None:
        self.node = rclpy.create_node("ears")
        self.heard: dict[str, list[Any]] = defaultdict(list)
        for topic in topics:
            subscription(self.node, topic, self.heard[topic.name].append)
        self._publishers: dict[str, Any] = {}

    def until(self, condition: Callable[[], bool], seconds: float = 60.0) -> None:
        """Listens until something is so; an AssertionError if it is not within this time."""
        ends = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < ends, {name: len(messages) for name, messages in self.heard.items()}
            rclpy.spin_once(self.node, timeout_sec=0.05)

    def listen(self, seconds: float) -> None:
        """Listens for a while."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            rclpy.spin_once(self.node, timeout_sec=0.05)

    def say(self, topic: Topic, message: Any) -> None:
        """Publishes, to at least one listener."""
        if topic.name not in self._publishers:
            self._publishers[topic.name] = publisher(self.node, topic)
        speaker = self._publishers[topic.name]
        self.until(lambda: speaker.get_subscription_count() > 0)
        speaker.publish(message)

    def call(self, row: Service) -> Any:
        """Calls a service and returns its response."""
        client = self.node.create_client(service_class(row), row.name)
        assert client.wait_for_service(30.0)
        future = client.call_async(service_class(row).Request())
        self.until(future.done)
        return future.result()

    def change(self, name: str, verb: str) -> None:
        """Takes a managed node through a transition."""
        client = self.node.create_client(ChangeState, f"{name}/change_state")
        assert client.wait_for_service(60.0)
        future = client.call_async(ChangeState.Request(transition=Transition(id=TRANSITIONS[verb])))
        self.until(future.done, 120.0)
        assert future.result().success, verb

    def message(self, topic: Topic, **fields: Any) -> Any:
        """A message of the topic's type."""
        return message_class(topic)(**fields)

    def diagnosed(self, node: str) -> dict[str, str]:
        """The newest values that a node said of itself, with its status as `message`; empty before the first."""
        for array in reversed(self.heard["/diagnostics"]):
            for status in array.status:
                if status.name.endswith(f"/{node}"):
                    return {value.key: value.value for value in status.values} | {"message": status.message}
        return {}


@contextmanager
def ears(*topics: Topic) -> Iterator[Ears]:
    """A listening node, with rclpy up on loopback in the test run's domain."""
    os.environ.update(alone())
    rclpy.init()
    listener = Ears(*topics)
    try:
        yield listener
    finally:
        listener.node.destroy_node()
        rclpy.try_shutdown()
