"""Messages of a recording in the order in which they came, decoded; what a crash tore off is left out."""

from __future__ import annotations

import struct
from collections.abc import Callable, Container, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from mcap.exceptions import McapError
from mcap.records import Channel, Message, Schema
from mcap.stream_reader import StreamReader
from mcap_ros2.decoder import DecoderFactory

from robot_agent_ros.errors import NodeError


class BagError(NodeError):
    """A recording cannot be read."""


class Recorded(NamedTuple):
    """A message of a recording.

    Attributes:
        topic: its whole name.
        type: such as sensor_msgs/msg/Image.
        message: with the fields of its type.
        received, published: s of the recorder's and the publisher's clock.
    """

    topic: str
    type: str
    message: Any
    received: float
    published: float


def bag_files(path: Path) -> list[Path]:
    """The MCAP files of a recording, which is one of them or the folder that `ros2 bag` made, in their order.

    Raises:
        BagError: there are none.
    """
    if path.is_file():
        return [path]
    if not path.exists():
        raise BagError(f"there is no {path}: give an MCAP file, or the folder of a recording")
    files = sorted(path.glob("*.mcap"), key=_place_in_recording) if path.is_dir() else []
    if not files:
        raise BagError(f"{path} holds no MCAP file: give a folder that `ros2 bag record -s mcap` or the recorder made")
    return files


def topics_of(path: Path) -> dict[str, str]:
    """Every topic that something was said on, and its type."""
    return {channel.topic: schema.name for channel, schema, _ in _records(path)}


def read_messages(path: Path, topics: Container[str] | None = None) -> Iterator[Recorded]:
    """The messages on some topics, or on all.

    Raises:
        BagError: a file is no MCAP file, or its messages are not those of ROS 2.
    """
    factory = DecoderFactory()
    decoders: dict[int, Callable[[bytes], Any]] = {}
    for channel, schema, message in _records(path):
        if topics is not None and channel.topic not in topics:
            continue
        decode = decoders.get(id(schema))
        if decode is None:
            found = factory.decoder_for(channel.message_encoding, schema)
            if found is None:
                raise BagError(
                    f"{channel.topic} in {path} is encoded as {channel.message_encoding}/{schema.encoding}, "
                    "expected cdr/ros2msg: record it with ROS 2"
                )
            decode = decoders[id(schema)] = found
        yield Recorded(
            channel.topic, schema.name, decode(message.data), message.log_time * 1e-9, message.publish_time * 1e-9
        )


def _records(path: Path) -> Iterator[tuple[Channel, Schema, Message]]:
    for file in bag_files(path):
        schemas: dict[int, Schema] = {}
        channels: dict[int, Channel] = {}
        with file.open("rb") as stream:
            try:
                for record in StreamReader(stream).records:
                    if isinstance(record, Schema):
                        schemas[record.id] = record
                    elif isinstance(record, Channel):
                        channels[record.id] = record
                    elif isinstance(record, Message):
                        channel = channels[record.channel_id]
                        yield channel, schemas[channel.schema_id], record
            except (McapError, struct.error, EOFError) as error:
                if not channels and file.stat().st_size > 1024:
                    raise BagError(f"{file} is no MCAP file ({error}): give one, or a folder with some") from error
                # The end was torn off, as a kill or a full disk leaves it; what was whole has been given.


def _place_in_recording(path: Path) -> tuple[int, str]:
    """`name_10.mcap` comes after `name_9.mcap`."""
    number = path.stem.rpartition("_")[2]
    return (int(number) if number.isdigit() else -1, path.name)
