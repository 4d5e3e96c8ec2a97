"""A recording: its topics, its messages in the order in which they came, and what of it is damaged."""

from __future__ import annotations

import heapq
import tempfile
from collections import Counter
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import IO, Any, NamedTuple

from robot_agent_bags.compression import LZ4_MAGIC, PIECE, ZSTD_MAGIC, DamagedError, inflated
from robot_agent_bags.decoding import UnreadableError, decoder_of
from robot_agent_bags.errors import BagError
from robot_agent_bags.mcap_file import MAGIC as MCAP_MAGIC
from robot_agent_bags.mcap_file import read_mcap
from robot_agent_bags.sqlite_file import MAGIC as SQLITE_MAGIC
from robot_agent_bags.sqlite_file import read_sqlite
from robot_agent_bags.storage import Channel, Raw, Report

PATTERNS = ("*.mcap", "*.db3", "*.mcap.zstd", "*.db3.zstd")
ROS_1_MAGIC = b"#ROSBAG"
DISORDER = 1_000_000_000
"""ns by which a message may lie behind a later one before its file is taken for one that is not sorted by time."""


class Recorded(NamedTuple):
    """A message of a recording.

    Attributes:
        topic: its whole name.
        type: such as sensor_msgs/msg/Image.
        message: with the fields of its type.
        received, published: s of the recorder's and the publisher's clock.
        sequence: the publisher's number of it; 0 where nobody recorded one.
    """

    topic: str
    type: str
    message: Any
    received: float
    published: float
    sequence: int = 0


@dataclass
class Damage:
    """What is wrong with a file.

    Attributes:
        first: the first fault, in words.
        kept: whole messages that were read before it.
        later: that were read behind it.
    """

    file: Path
    first: str
    kept: int
    later: int = 0

    def __str__(self) -> str:
        later = f" and {self.later} behind it" if self.later else ""
        return f"{self.file}: {self.first}; {self.kept} whole messages before that{later} are kept"


@dataclass(frozen=True)
class Topic:
    """What was said on a topic: the types of its messages, which should be one, and how many there are."""

    types: tuple[str, ...]
    count: int


@dataclass
class _File:
    """A file and, when it was read to its end, what is in it."""

    path: Path
    first: int = 0
    last: int = 0
    sorted: bool = True
    counts: Counter[Channel] = field(default_factory=Counter)


class Bag:
    """A recording of one file, or of a folder of them.

    Everything is read twice or more: once here for what there is, and each time that messages are asked for.

    Args:
        path: an MCAP file, a `.db3`, either of them compressed with zstd, or the folder that holds such files.

    Attributes:
        damages: what is wrong, at most one a file.
        unreadable: messages that were asked for and could not be decoded, by topic.

    Raises:
        BagError: there is no such recording, or nothing in it can be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damages: list[Damage] = []
        self.unreadable: Counter[str] = Counter()
        self._files = [self._looked_at(file) for file in bag_files(path)]
        self._files.sort(key=lambda file: file.first)
        self._decoders: dict[Channel, Callable[[bytes], Any]] = {}
        if self.damages and not self.topics:
            raise BagError(f"nothing can be read of {self.damages[0].file}: {self.damages[0].first}")

    @property
    def topics(self) -> dict[str, Topic]:
        """What was said, by the whole names of topics."""
        counts: Counter[Channel] = Counter()
        for file in self._files:
            counts.update(file.counts)
        names = sorted({channel.topic for channel in counts})
        return {
            name: Topic(
                tuple(sorted({channel.type for channel in counts if channel.topic == name})),
                sum(count for channel, count in counts.items() if channel.topic == name),
            )
            for name in names
        }

    @property
    def count(self) -> int:
        """All messages."""
        return sum(sum(file.counts.values()) for file in self._files)

    def messages(self, topics: Container[str] | None = None) -> Iterator[Recorded]:
        """The messages on some topics, or on all, decoded; those that are not of their type are counted and left out.

        Raises:
            BagError: messages of a type that cannot be read.
        """
        self.unreadable.clear()
        wanted = self.topics.keys() if topics is None else topics
        self.check(wanted)
        for raw in self.raw(wanted):
            channel = raw.channel
            decode = self._decoders.get(channel)  # None for what a recorder has added meanwhile
            try:
                message = (decode or decoder_of(channel))(raw.data)
            except UnreadableError:
                self.unreadable[channel.topic] += 1
                continue
            yield Recorded(
                channel.topic, channel.type, message, raw.received * 1e-9, raw.published * 1e-9, raw.sequence
            )

    def check(self, topics: Container[str]) -> None:
        """Makes sure that messages on some topics can be decoded.

        Raises:
            BagError: they are of a type or an encoding that cannot be read.
        """
        wrong: dict[Channel, BagError] = {}
        for channel in {channel for file in self._files for channel in file.counts}:
            if channel.topic in topics and channel not in self._decoders:
                try:
                    self._decoders[channel] = decoder_of(channel)
                except BagError as error:
                    wrong[channel] = error
        for channel, why in wrong.items():  # where one file's definition is damaged, another's serves
            alike = [other for other in self._decoders if (other.topic, other.type) == (channel.topic, channel.type)]
            if not alike:
                raise why
            self._decoders[channel] = self._decoders[alike[0]]

    def raw(self, topics: Container[str] | None = None) -> Iterator[Raw]:
        """The same as they were on the wire."""
        names = {name for name in self.topics if topics is None or name in topics}
        follows = all(later.first > before.last - DISORDER for before, later in pairwise(self._files))
        if follows and all(file.sorted for file in self._files):
            for file in self._files:
                yield from self._stored(file, names)
        else:  # as converters leave it that write one topic after another: a reading for each
            streams = [
                self._stored(file, part)
                for file in self._files
                for part in ([names] if file.sorted else [{name} for name in names])
            ]
            yield from heapq.merge(*streams, key=lambda raw: raw.received)

    def _stored(self, file: _File, names: set[str]) -> Iterator[Raw]:
        if any(channel.topic in names for channel in file.counts):
            yield from (raw for raw in _read(file.path, lambda what: None) if raw.channel.topic in names)

    def _looked_at(self, path: Path) -> _File:
        file, count = _File(path), 0
        damages: list[Damage] = []

        def report(what: str) -> None:
            damages.append(Damage(path, what, count))

        for raw in _read(path, report):
            file.first = file.first if count else raw.received
            file.sorted &= raw.received > file.last - DISORDER
            file.last = max(file.last, raw.received)
            file.counts[raw.channel] += 1
            count += 1
        if damages:
            damages[0].later = count - damages[0].kept
            self.damages.append(damages[0])
        return file


def read_messages(path: Path, topics: Container[str] | None = None) -> Iterator[Recorded]:
    """The messages of a recording; see `Bag`."""
    return Bag(path).messages(topics)


def bag_files(path: Path) -> list[Path]:
    """The files of a recording, which is one of them or the folder that holds them.

    Raises:
        BagError: there are none.
    """
    if path.is_file():
        return [path]
    if not path.exists():
        raise BagError(f"there is no {path}: give an MCAP or sqlite3 file, or the folder of a recording")
    files = sorted({file for pattern in PATTERNS for file in path.glob(pattern) if file.is_file()})
    if not files:
        inside = sorted({file.parent.name for pattern in PATTERNS for file in path.glob(f"*/{pattern}")})
        hint = f"name one of the folders in it, such as {inside[0]}" if inside else "give a folder that a recorder made"
        raise BagError(f"{path} holds no MCAP or sqlite3 file: {hint}")
    return files


def _read(path: Path, report: Report) -> Iterator[Raw]:
    """The messages of a file, whatever its kind and compression; what it is its first bytes say."""
    try:
        with path.open("rb") as file:
            begins = file.read(len(SQLITE_MAGIC))
            file.seek(0)
            if begins[:4] in (ZSTD_MAGIC, LZ4_MAGIC):
                yield from _read_compressed(file, "zstd" if begins[:4] == ZSTD_MAGIC else "lz4", report)
            else:
                yield from _read_plain(path, file, begins, report)
    except OSError as error:
        report(f"it cannot be read ({error.strerror or error})")


def _read_compressed(file: IO[bytes], compression: str, report: Report) -> Iterator[Raw]:
    with tempfile.NamedTemporaryFile(prefix="robot_agent_bag_") as plain:
        try:
            for part in inflated(iter(partial(file.read, PIECE), b""), compression):
                plain.write(part)
        except DamagedError as error:
            report(str(error))
        plain.flush()
        plain.seek(0)
        begins = plain.read(len(SQLITE_MAGIC))
        plain.seek(0)
        yield from _read_plain(Path(plain.name), plain.file, begins, report)


def _read_plain(path: Path, file: IO[bytes], begins: bytes, report: Report) -> Iterator[Raw]:
    if begins == SQLITE_MAGIC:
        yield from read_sqlite(path, report)
    elif begins.startswith(MCAP_MAGIC):
        yield from read_mcap(file, report)
    elif begins.startswith(ROS_1_MAGIC):
        report("it is a bag of ROS 1, expected one of ROS 2: convert it with `rosbags-convert`")
    elif not begins:
        report("it is empty")
    else:
        report("it begins neither as an MCAP nor as a sqlite3 file does")
