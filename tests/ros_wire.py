"""Messages as on the wire, made without a network; rclpy's own `serialize_message` leaves garbage behind them."""

from __future__ import annotations

import array
from functools import cache
from typing import Any

import numpy as np
from mcap_ros2._dynamic import serialize_dynamic
from robot_agent_ros.endpoints import message_class
from robot_agent_ros.graph import Topic
from robot_agent_ros.recorder.bag import Bag, Channel
from robot_agent_ros.recorder.schemas import full_definition


def channel(topic: Topic, namespace: str = "") -> Channel:
    """What a recorder makes of a topic."""
    package, name = topic.type.split("/")
    whole = f"{package}/msg/{name}"
    return Channel(f"{namespace}/{topic.name.lstrip('/')}", whole, full_definition(whole))


def wire(topic: Topic, message: Any) -> bytes:
    """The message in CDR."""
    return bytes(_encoder(channel(topic).type)(_Listed(message)))


def put(bag: Bag, topic: Topic, message: Any, at: float, namespace: str = "") -> None:
    """Records a message that was published and received at `at` s."""
    bag.write(channel(topic, namespace), wire(topic, message), round(at * 1e9), round(at * 1e9))


def blank(topic: Topic, stamp: float | None = None) -> Any:
    """An empty message of the topic, stamped if it has a header."""
    message = message_class(topic)()
    if stamp is not None:
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(round(stamp * 1e9), 10**9)
    return message


class _Listed:
    """A message whose arrays, numpy's in rclpy and in readers of recordings, are the lists that the encoder expects."""

    def __init__(self, message: Any) -> None:
        self._message = message

    def __getattr__(self, name: str) -> Any:
        return _listed(getattr(self._message, name))


def _listed(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, bytes) and len(value) == 1:  # a field of the type byte
        return value[0]
    if isinstance(value, list):
        return [_listed(one) for one in value]
    plain = isinstance(value, str | int | float | bytes | array.array)
    return value if plain else _Listed(value)


@cache
def _encoder(type_name: str) -> Any:
    return serialize_dynamic(type_name, full_definition(type_name))[type_name]
