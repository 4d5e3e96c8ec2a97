"""What every kind of file gives: messages as they were on the wire, and where the file is damaged."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

Report = Callable[[str], None]
"""Is called with what is damaged, in words, when reading comes there."""


class Channel(NamedTuple):
    """What the messages of a topic are.

    Attributes:
        topic: its whole name.
        type: such as sensor_msgs/msg/Image.
        encoding: of the messages; ROS 2 has cdr alone.
        schema_encoding: of the definition: ros2msg or ros2idl; another word where there is none.
        definition: of the type and all types in it; may be empty.
    """

    topic: str
    type: str
    encoding: str
    schema_encoding: str
    definition: str


class Raw(NamedTuple):
    """A message in CDR.

    Attributes:
        received, published: ns of the recorder's and the publisher's clock.
        sequence: the publisher's number of it; 0 where nobody recorded one.
    """

    channel: Channel
    data: bytes
    received: int
    published: int
    sequence: int = 0
