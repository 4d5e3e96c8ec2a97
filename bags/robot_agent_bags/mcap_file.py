"""The messages of an MCAP file in the order in which they lie there, up to and beyond what is damaged.

A file that a kill or a full disk cut off is read as far as it goes; a chunk that is damaged inside costs what lies in
it behind the damage. The library's own readers give up a whole chunk, and need the index at the end of the file.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import IO

from mcap import records
from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode

from robot_agent_bags.compression import inflate
from robot_agent_bags.storage import Channel, Raw, Report

MAGIC = b"\x89MCAP0\r\n"
_HEAD = struct.Struct("<BQ")
_CHUNK = struct.Struct("<QQQI")
_MESSAGE = struct.Struct("<HIQQ")
_LARGEST_RECORD = 2**32
"""Bytes; a longer record is a damaged length."""


def read_mcap(file: IO[bytes], report: Report) -> Iterator[Raw]:
    """The messages of a file.

    Args:
        file: from its beginning.
        report: of what is damaged.
    """
    if file.read(len(MAGIC)) != MAGIC:
        report("it does not begin as an MCAP file does")
        return
    reader = _Reader(report)
    while True:
        at = file.tell()
        head = file.read(_HEAD.size)
        if len(head) < _HEAD.size:
            report(f"it is cut off at byte {at}, without an end")
            return
        opcode, length = _HEAD.unpack(head)
        if not opcode or length > _LARGEST_RECORD:
            report(f"byte {at} begins no record")
            return
        content = file.read(length)
        yield from reader.record(opcode, content, at)
        if len(content) < length:
            report(f"it is cut off at byte {at + len(head) + len(content)}, in a record that began at byte {at}")
            return
        if opcode == Opcode.FOOTER:
            return


class _Reader:
    """What was said of schemas and channels so far; their ids are a file's own."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._schemas: dict[int, records.Schema] = {}
        self._channels: dict[int, Channel] = {}
        self._given = 0

    def record(self, opcode: int, content: bytes, at: int) -> Iterator[Raw]:
        """The messages in a record of the file that began at a byte; the record may be cut off."""
        if opcode == Opcode.CHUNK:
            yield from self._chunk(content, at)
        else:
            yield from self._plain(opcode, content, at)

    def _chunk(self, content: bytes, at: int) -> Iterator[Raw]:
        try:
            _, _, _, checksum = _CHUNK.unpack_from(content)
            (named,) = struct.unpack_from("<I", content, _CHUNK.size)
            begins = _CHUNK.size + 4 + named
            compression = content[_CHUNK.size + 4 : begins].decode()
            (length,) = struct.unpack_from("<Q", content, begins)
        except (struct.error, UnicodeDecodeError):
            self._report(f"the head of the chunk at byte {at} is damaged")
            return
        packed = content[begins + 8 : begins + 8 + length]
        plain, fault = inflate(packed, compression)
        position, end = 0, len(plain)
        while position + _HEAD.size <= end:
            opcode, length_inside = _HEAD.unpack_from(plain, position)
            inside = position + _HEAD.size
            if not opcode or inside + length_inside > end:
                break
            yield from self._plain(opcode, plain[inside : inside + length_inside], at)
            position = inside + length_inside
        if fault or position < end:
            self._report(f"the chunk at byte {at} is damaged{f' ({fault})' if fault else ''}")
        elif len(packed) == length and checksum and zlib.crc32(plain) != checksum:
            self._report(f"the checksum of the chunk at byte {at} is wrong: one of its messages may be false")

    def _plain(self, opcode: int, content: bytes, at: int) -> Iterator[Raw]:
        try:
            if opcode == Opcode.MESSAGE:
                yield self._message(content)
            elif opcode == Opcode.SCHEMA:
                schema = records.Schema.read(_stream(content))
                self._schemas[schema.id] = schema
            elif opcode == Opcode.CHANNEL:
                channel = records.Channel.read(_stream(content))
                self._channels[channel.id] = self._channel(channel)
            elif opcode == Opcode.STATISTICS:
                count = records.Statistics.read(_stream(content)).message_count
                if count != self._given:
                    self._report(f"its index names {count} messages, and {self._given} were found")
        except (McapError, struct.error, UnicodeDecodeError, LookupError) as error:
            why = " ".join(str(error).split()) or type(error).__name__
            self._report(f"a record at byte {at} is damaged ({why})")

    def _message(self, content: bytes) -> Raw:
        number, sequence, received, published = _MESSAGE.unpack_from(content)
        channel = self._channels.get(number)
        if channel is None:
            raise LookupError(f"a message is of channel {number}, which nothing described")
        self._given += 1
        return Raw(channel, content[_MESSAGE.size :], received, published or received, sequence)

    def _channel(self, channel: records.Channel) -> Channel:
        schema = self._schemas.get(channel.schema_id)
        if schema is None:
            return Channel(channel.topic, "", channel.message_encoding, "", "")
        definition = schema.data.decode(errors="replace")
        return Channel(channel.topic, schema.name, channel.message_encoding, schema.encoding, definition)


def _stream(content: bytes) -> ReadDataStream:
    return ReadDataStream(BytesIO(content))
