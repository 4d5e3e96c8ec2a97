"""Recordings that are damaged at random, and what of them must come through whatever happened.

A message is whole before the damage if every byte that says where it lies, and what it is, lies before the first byte
that was changed; of what is compressed, if the whole chunk or block does. A message of a file that was not damaged is
whole as well. Where messages lie is found here by the formats' own documents, not by the reader that is tested.
"""

from __future__ import annotations

import random
import sqlite3
import struct
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import lz4.frame
import zstandard
from mcap.writer import CompressionType, Writer
from robot_agent_bags.bag import Bag
from robot_agent_bags.errors import BagError
from robot_agent_bags.storage import Raw
from robot_agent_ros.bags.importing import import_bag
from robot_agent_ros.errors import NodeError
from rosbags.rosbag2 import Writer as Rosbag2Writer
from rosbags.rosbag2.enums import CompressionFormat, CompressionMode, StoragePlugin

from robot_agent.errors import RunError
from tests.unit.ros.bags.arms import CONFIG, Arm, gate_says

Key = tuple[str, int, bytes]
KINDS = ("bit", "bytes", "zeros", "cut", "gone", "twice", "number", "text")
SECONDS = 0.5


@dataclass
class Base:
    """A recording before it is damaged.

    Attributes:
        name: of its kind.
        path: the file, or the folder of several.
        file: the one that is damaged.
        ends: of each message in that file, the byte before which everything must be whole for the message to be.
        others: messages of other files.
    """

    name: str
    path: Path
    file: Path
    ends: list[tuple[int, Key]]
    others: list[Key]


@dataclass(frozen=True)
class Outcome:
    """Of one damaged recording.

    Attributes:
        base, kind: what was damaged, and how.
        whole: messages that were whole before the damage.
        lost: of them, those that reading did not give.
        traceback: of an import that ended in anything but a sentence; empty for none.
        imported: whether transitions came of it.
    """

    base: str
    kind: str
    whole: int
    lost: int
    traceback: str
    imported: bool


def key(raw: Raw) -> Key:
    """What makes a message itself."""
    return raw.channel.topic, raw.received, bytes(raw.data)


# ---- recordings of every kind ----


def bases(folder: Path) -> list[Base]:
    """Small recordings of one life, in every form in which they come."""

    def also(arm: Arm, now: float) -> Iterator:
        if len(arm.times) and now == arm.times[-1]:
            yield from gate_says(now, "following", len(arm.times))

    Arm(folder / "own", SECONDS, also=also)
    raws = list(Bag(folder / "own").raw())
    found = []
    for compression in CompressionType:
        path = _mcap(folder / f"{compression.name.lower()}.mcap", raws, compression)
        found.append(Base(path.stem, path, path, mcap_ends(path.read_bytes(), raws), []))
    path = _mcap(folder / "plain.mcap", raws, None)
    found.append(Base("without chunks", path, path, mcap_ends(path.read_bytes(), raws), []))
    for mode, name in ((CompressionMode.MESSAGE, "compressed messages"), (CompressionMode.FILE, "a compressed file")):
        path = _rosbag2(folder / mode.name, raws, StoragePlugin.MCAP, mode)
        plain = raws if mode is CompressionMode.FILE else list(Bag(path).raw())
        ends = mcap_ends(path.read_bytes(), plain) if mode is CompressionMode.MESSAGE else packed_ends(path, raws)
        found.append(Base(name, path, path, ends, []))
    path = _rosbag2(folder / "SQLITE", raws, StoragePlugin.SQLITE3, CompressionMode.NONE)
    found.append(Base("sqlite3", path, path, sqlite_ends(path), []))
    split = folder / "split"
    split.mkdir()
    third = len(raws) // 3
    parts = [raws[:third], raws[third : 2 * third], raws[2 * third :]]
    files = [_mcap(split / f"split_{n}.mcap", part, CompressionType.ZSTD) for n, part in enumerate(parts)]
    others = [key(raw) for part in (parts[0], parts[2]) for raw in part]
    found.append(Base("split", split, files[1], mcap_ends(files[1].read_bytes(), parts[1]), others))
    return found


def _mcap(path: Path, raws: list[Raw], compression: CompressionType | None) -> Path:
    with path.open("wb") as file:
        writer = Writer(
            file,
            chunk_size=8000,
            compression=compression or CompressionType.NONE,
            use_chunking=compression is not None,
        )
        writer.start(profile="ros2")
        channels: dict[object, int] = {}
        for raw in raws:
            channel = raw.channel
            if channel not in channels:
                schema = writer.register_schema(channel.type, "ros2msg", channel.definition.encode())
                channels[channel] = writer.register_channel(channel.topic, "cdr", schema)
            writer.add_message(channels[channel], raw.received, raw.data, raw.published)
        writer.finish()
    return path


def _rosbag2(folder: Path, raws: list[Raw], plugin: StoragePlugin, mode: CompressionMode) -> Path:
    writer = Rosbag2Writer(folder, version=9, storage_plugin=plugin)
    writer.set_compression(mode, CompressionFormat.ZSTD)
    with writer:
        connections: dict[object, object] = {}
        for raw in raws:
            channel = raw.channel
            if channel not in connections:
                connections[channel] = writer.add_connection(
                    channel.topic, channel.type, msgdef=channel.definition, rihs01="RIHS01_0"
                )
            writer.write(connections[channel], raw.received, raw.data)  # type: ignore[arg-type]
    (path,) = (file for file in folder.iterdir() if file.suffix != ".yaml")
    return path


# ---- where messages lie ----


def mcap_ends(data: bytes, raws: list[Raw]) -> list[tuple[int, Key]]:
    """Of each message of an MCAP file, in its order: the end of its record, or of its chunk if that is compressed."""
    ends: list[int] = []
    at = 8
    while at + 9 <= len(data):
        opcode, length = struct.unpack_from("<BQ", data, at)
        begins, at = at + 9, at + 9 + length
        if opcode == 5:
            ends.append(at)
        elif opcode == 6:
            (named,) = struct.unpack_from("<I", data, begins + 28)
            inside = begins + 32 + named + 8
            content = data[inside:at]
            if named:
                kind = data[begins + 32 : begins + 32 + named]
                content = _unpacked(content, kind.decode())
            ends += [at if named else inside + end for end in _messages_end(content)]
        elif opcode == 15:
            break
    assert len(ends) == len(raws)
    return [(end, key(raw)) for end, raw in zip(ends, raws, strict=True)]


def _unpacked(content: bytes, kind: str) -> bytes:
    return zstandard.decompress(content) if kind == "zstd" else lz4.frame.decompress(content)


def _messages_end(content: bytes) -> Iterator[int]:
    at = 0
    while at < len(content):
        opcode, length = struct.unpack_from("<BQ", content, at)
        at += 9 + length
        if opcode == 5:
            yield at


def packed_ends(path: Path, raws: list[Raw]) -> list[tuple[int, Key]]:
    """Of each message of a compressed MCAP file: the compressed byte with which its last one can be known."""
    data, plain, known = path.read_bytes(), bytearray(), []
    inflate = zstandard.ZstdDecompressor().decompressobj()
    for byte in data:
        plain += inflate.decompress(bytes([byte]))
        known.append(len(plain))
    ends = []
    for end, name in mcap_ends(bytes(plain), raws):
        ends.append((next(at for at, size in enumerate(known) if size >= end) + 1, name))
    return ends


def sqlite_ends(path: Path) -> list[tuple[int, Key]]:
    """Of each row of messages: the end of the last page among those that lead to it, and of those before it."""
    data = path.read_bytes()
    (size,) = struct.unpack_from(">H", data, 16)
    with closing(sqlite3.connect(path)) as database:
        roots = dict(database.execute("SELECT name, rootpage FROM sqlite_master WHERE type = 'table'"))
        query = "SELECT messages.id, name, timestamp, data FROM messages JOIN topics ON topic_id = topics.id"
        keys = {number: (name, stamp, content) for number, name, stamp, content in database.execute(query)}
    needed = 1
    for name in ("topics", "message_definitions"):
        needed = max([needed, *(page for _, page in _leaves(data, size, roots[name]))])
    ends = []
    for number, page in sorted(_leaves(data, size, roots["messages"])):
        needed = max(needed, page)
        ends.append((needed * size, keys[number]))
    return ends


def _leaves(data: bytes, size: int, page: int) -> Iterator[tuple[int, int]]:
    """Row numbers of a table's tree, and the last page that each of them needs."""
    begins = (page - 1) * size
    head = begins + (100 if page == 1 else 0)
    kind, _, cells = struct.unpack_from(">BHH", data, head)
    pointers = struct.unpack_from(f">{cells}H", data, head + (12 if kind == 5 else 8))
    for pointer in pointers:
        at = begins + pointer
        if kind == 5:
            for number, leaf in _leaves(data, size, struct.unpack_from(">I", data, at)[0]):
                yield number, max(leaf, page)
        else:
            payload, at = _varint(data, at)
            number, at = _varint(data, at)
            last, local = page, payload
            if payload > size - 35:  # the rest lies in other pages
                smallest = (size - 12) * 32 // 255 - 23
                local = smallest + (payload - smallest) % (size - 4)
                local = local if local <= size - 35 else smallest
                (follows,) = struct.unpack_from(">I", data, at + local)
                while follows:
                    last = max(last, follows)
                    (follows,) = struct.unpack_from(">I", data, (follows - 1) * size)
            yield number, last
    if kind == 5:
        (right,) = struct.unpack_from(">I", data, head + 8)
        for number, leaf in _leaves(data, size, right):
            yield number, max(leaf, page)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for length in range(9):
        byte = data[at + length]
        if length == 8:
            return value << 8 | byte, at + 9
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + length + 1
    raise AssertionError("a varint has 9 bytes")


# ---- damage ----


def damaged(data: bytes, kind: str, rng: random.Random) -> tuple[bytes, int]:
    """A file that something happened to, and the first byte that is not what it was."""
    at = rng.randrange(len(data))
    length = min(rng.choice((1, 4, 16, 64, 512, 4096)), len(data) - at)
    if kind == "bit":
        new = data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]
    elif kind == "bytes":
        new = data[:at] + rng.randbytes(length) + data[at + length :]
    elif kind == "zeros":
        new = data[:at] + bytes(length) + data[at + length :]
    elif kind == "cut":
        new = data[:at]
    elif kind == "gone":
        new = data[:at] + data[at + length :]
    elif kind == "twice":
        new = data[: at + length] + data[at:]
    elif kind == "number":  # a length or a time becomes a hostile one
        value = rng.choice((0, 1, 2**31 - 1, 2**32 - 1, 2**63 - 1, 2**64 - 1, rng.randrange(2**64)))
        new = data[:at] + struct.pack("<Q", value)[: len(data) - at] + data[at + 8 :]
    else:  # a name or a definition says something else
        places = [place for word in (b"float64", b"string", b"/joint_states", b"ros2msg", b"cdr", b"Header")
                  for place in _places(data, word)]  # fmt: skip
        at = rng.choice(places) if places else at
        new = data[:at] + rng.choice((b"X", b"\xff", b"float64[99999999]\n", b"int8 class\n")) + data[at + 2 :]
    first = next((place for place, (old, now) in enumerate(zip(data, new, strict=False)) if old != now), None)
    return new, min(len(data), len(new)) if first is None else first


def _places(data: bytes, word: bytes) -> Iterator[int]:
    at = data.find(word)
    while at >= 0:
        yield at
        at = data.find(word, at + 1)


def mutations(folder: Path, count: int, seed: int) -> Iterator[tuple[Base, str, int]]:
    """Damages recordings, each kind as often as the others: what, how, and the first byte; it is whole again after."""
    (folder / "bases").mkdir()
    every = bases(folder / "bases")
    rng = random.Random(seed)
    for number in range(count):
        base, kind = every[number % len(every)], KINDS[number // len(every) % len(KINDS)]
        original = base.file.read_bytes()
        data, first = damaged(original, kind, rng)
        base.file.write_bytes(data)
        try:
            yield base, kind, first
        finally:
            base.file.write_bytes(original)


def fuzz(folder: Path, count: int, seed: int) -> Iterator[Outcome]:
    """Damages recordings and imports them."""
    for number, (base, kind, first) in enumerate(mutations(folder, count, seed)):
        yield _tried(base, kind, first, folder / f"run{number}")


def _tried(base: Base, kind: str, first: int, run: Path) -> Outcome:
    whole = Counter([name for end, name in base.ends if end <= first] + base.others)
    failure, imported = "", False
    given: Counter[Key] = Counter()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            given.update(key(raw) for raw in Bag(base.path).raw())
        except BagError:
            pass
        except Exception:
            failure = traceback.format_exc()
        try:
            imported = import_bag(base.path, run, CONFIG).transitions > 0
        except (BagError, NodeError, RunError):
            pass
        except Exception:
            failure = traceback.format_exc()
    return Outcome(base.name, kind, whole.total(), (whole - given).total(), failure, imported)
