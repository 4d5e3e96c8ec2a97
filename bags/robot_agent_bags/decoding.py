"""Messages in CDR to objects with the fields of their type, by the definition that came with them."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, lru_cache
from textwrap import shorten
from typing import Any

from rosbags.typesys import Stores, get_types_from_idl, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from robot_agent_bags.compression import ZSTD_MAGIC, inflate
from robot_agent_bags.errors import BagError
from robot_agent_bags.storage import Channel

_IDL_HEADING = re.compile(r"^=+\nIDL: .*\n", re.MULTILINE)
"""What stands before each of several definitions."""
_INCLUDE = re.compile(r"^\s*#include .*$", re.MULTILINE)
"""A recording brings what is included along; the parser knows no preprocessor."""


class UnreadableError(ValueError):
    """A message is not of its type."""


def decoder_of(channel: Channel) -> Callable[[bytes], Any]:
    """What makes an object of a message; where a recording has no definition, the type is that of current ROS 2.

    A message that rosbag2 compressed by itself is decompressed.

    Raises:
        BagError: messages of this kind cannot be read.
    """
    if channel.encoding != "cdr":
        raise BagError(f"{channel.topic} is encoded as {channel.encoding!r}, expected cdr: record it with ROS 2")
    store = _store(channel.type, channel.schema_encoding, channel.definition, channel.topic)
    if channel.type not in store.fielddefs:
        raise BagError(
            f"the recording has no definition of {channel.type} on {channel.topic}, and ROS 2 brings no "
            "such type along: convert it to MCAP with `ros2 bag convert` where the type is installed"
        )
    kind = store.get_msgdef(channel.type)

    def decode(data: bytes) -> Any:
        if data[:4] == ZSTD_MAGIC:  # CDR begins with 0
            data, fault = inflate(data, "zstd")
            if fault:
                raise UnreadableError(fault)
        if len(data) < 4 or data[0] or data[1] > 1:
            raise UnreadableError("it does not begin as CDR does")
        read = kind.deserialize_cdr_le if data[1] else kind.deserialize_cdr_be
        try:
            # Not `Typestore.deserialize_cdr`: it refuses the bytes that rclpy's serialize_message leaves behind.
            message, _ = read(memoryview(data)[4:], 0, kind.cls, store)
        except Exception as error:  # bytes of strangers: generated code fails on them in as many ways as there are
            raise UnreadableError(f"{type(error).__name__}: {' '.join(str(error).split())}") from error
        return message

    return decode


@lru_cache(maxsize=256)
def _store(kind: str, encoding: str, definition: str, topic: str) -> Typestore:
    if encoding not in ("ros2msg", "ros2idl") or not definition.strip():
        return _standard()
    store = get_typestore(Stores.EMPTY)
    try:
        if encoding == "ros2idl":
            for text in _IDL_HEADING.split(_INCLUDE.sub("", definition)):
                if text.strip():
                    store.register(get_types_from_idl(text))
        else:
            store.register(get_types_from_msg(definition, kind))
        store.get_msgdef(kind)
        for name in store.fielddefs.keys() & _standard().fielddefs.keys():
            _check_fields(name, store)
    except Exception as error:  # a text of strangers that a parser and a compiler read
        raise BagError(
            f"the definition of {kind} on {topic} cannot be read ({type(error).__name__}: {shorten(str(error), 80)}), "
            "expected one of ROS 2: record it again"
        ) from error
    return store


def _check_fields(name: str, store: Typestore) -> None:
    """Refuses a type of ROS 2 that lacks what it has everywhere."""
    there = dict(store.fielddefs[name][1])
    for field, kind in _standard().fielddefs[name][1]:
        if there.get(field) != kind:
            raise ValueError(f"{name} has no such {field} as in ROS 2")


@cache
def _standard() -> Typestore:
    return get_typestore(Stores.LATEST)
