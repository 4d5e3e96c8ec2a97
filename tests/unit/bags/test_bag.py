"""Recordings of every kind say the same, and what is damaged costs only what lies behind the damage."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pytest
import yaml
import zstandard
from mcap.writer import CompressionType, Writer
from robot_agent_bags.bag import Bag, read_messages
from robot_agent_bags.errors import BagError
from robot_agent_bags.storage import Raw
from robot_agent_ros.graph import COMMAND, GOAL, JOINT_STATES
from robot_agent_ros.recorder import bag as recorder
from robot_agent_ros.recorder.schemas import prefixes
from rosbags.rosbag2 import Writer as Rosbag2Writer
from rosbags.rosbag2.enums import CompressionFormat, CompressionMode, StoragePlugin
from trajectory_msgs.msg import JointTrajectoryPoint

from tests.ros_wire import blank, put, wire

COUNT = 90


def said(number: int):
    """The message of a number: three topics take turns."""
    topic = (JOINT_STATES, COMMAND, GOAL)[number % 3]
    message = blank(topic, None if topic is GOAL else number)
    if topic is JOINT_STATES:
        message.name, message.position = ["pan", "tilt"], [float(number), -1.0]
    elif topic is COMMAND:
        message.joint_names = ["pan", "tilt"]
        message.points = [JointTrajectoryPoint(positions=[float(number), 2.0])]
    else:
        message.data = [float(number)] * 30
    return topic, message


def record(folder: Path, numbers: Iterable[int] = range(COUNT), **options: object) -> Path:
    bag = recorder.Bag(folder, **options)  # type: ignore[arg-type]
    for number in numbers:
        put(bag, *said(number), 1 + number)
        if number % 10 == 9:
            bag.flush()
    bag.close()
    return folder


def numbers_of(bag: Path | Bag) -> list[int]:
    """Which messages a recording gives, by what is in them."""
    numbers = []
    for one in (bag if isinstance(bag, Bag) else Bag(bag)).messages():
        if one.topic == "/agent/goal":
            numbers.append(int(one.message.data[0]))
        elif one.topic == "/agent/command":
            numbers.append(int(one.message.points[0].positions[0]))
        else:
            numbers.append(int(one.message.position[0]))
    return numbers


def raw_of(folder: Path) -> list[Raw]:
    return list(Bag(folder).raw())


def rewritten(folder: Path, raws: Iterable[Raw], plugin: StoragePlugin, mode: CompressionMode) -> Path:
    """The same as rosbag2 would have stored it."""
    writer = Rosbag2Writer(folder, version=9, storage_plugin=plugin)
    writer.set_compression(mode, CompressionFormat.ZSTD)
    connections = {}
    with writer:
        for raw in raws:
            channel = raw.channel
            if channel not in connections:
                connections[channel] = writer.add_connection(
                    channel.topic, channel.type, msgdef=channel.definition, rihs01="RIHS01_0"
                )
            writer.write(connections[channel], raw.received, raw.data)
    return folder


@pytest.mark.parametrize("first", [0, 1, 2])
def test_a_recording_that_was_split_is_one_though_each_file_numbers_its_topics_anew(tmp_path: Path, first: int):
    numbers = range(first, COUNT)
    record(tmp_path / "bag", numbers, compression="none", file_bytes=2000)
    assert len(list((tmp_path / "bag").glob("*.mcap"))) > 3
    bag = Bag(tmp_path / "bag")
    assert numbers_of(bag) == list(numbers)
    assert not bag.damages
    assert {name: topic.count for name, topic in bag.topics.items()} == {
        "/joint_states": len(numbers[(-first) % 3 :: 3]),
        "/agent/command": len(numbers[(1 - first) % 3 :: 3]),
        "/agent/goal": len(numbers[(2 - first) % 3 :: 3]),
    }


@pytest.mark.parametrize("plugin", list(StoragePlugin))
@pytest.mark.parametrize("mode", list(CompressionMode))
def test_rosbag2s_own_recordings_are_read_however_they_are_compressed(
    tmp_path: Path, plugin: StoragePlugin, mode: CompressionMode
):
    if mode is CompressionMode.STORAGE and plugin is StoragePlugin.SQLITE3:
        pytest.skip("sqlite3 has no compression of its own")
    raws = raw_of(record(tmp_path / "own"))
    bag = Bag(rewritten(tmp_path / "bag", raws, plugin, mode))
    assert numbers_of(bag) == list(range(COUNT))
    assert not bag.damages
    assert not bag.unreadable
    (file,) = [path for path in (tmp_path / "bag").iterdir() if path.suffix != ".yaml"]
    assert numbers_of(file) == list(range(COUNT))  # the metadata beside it is not needed


def test_an_old_sqlite_recording_without_definitions_is_read_by_the_types_of_ros(tmp_path: Path):
    raws = raw_of(record(tmp_path / "own"))
    (file,) = rewritten(tmp_path / "bag", raws, StoragePlugin.SQLITE3, CompressionMode.NONE).glob("*.db3")
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("DROP TABLE message_definitions")
        database.execute("DROP TABLE schema")
    assert numbers_of(tmp_path / "bag") == list(range(COUNT))
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("UPDATE topics SET type = 'my_msgs/msg/Goal' WHERE name = '/agent/goal'")
    assert len(list(read_messages(file, {"/joint_states"}))) == COUNT / 3  # what nobody asks for needs no definition
    with pytest.raises(BagError, match="no definition of my_msgs/msg/Goal on /agent/goal"):
        numbers_of(file)


def test_definitions_in_idl_are_read(tmp_path: Path):
    types = ("sensor_msgs/msg/JointState", "std_msgs/msg/Header", "builtin_interfaces/msg/Time")
    parts = []
    for name in types:
        path = next(one for prefix in prefixes() if (one := prefix / "share" / f"{name}.idl").is_file())
        parts.append(f"{'=' * 80}\nIDL: {name}\n{path.read_text()}")
    raws = [raw for raw in raw_of(record(tmp_path / "own")) if raw.channel.topic == "/joint_states"]
    with (tmp_path / "idl.mcap").open("wb") as file:
        writer = Writer(file)
        writer.start(profile="ros2")
        schema = writer.register_schema(types[0], "ros2idl", "\n".join(parts).encode())
        channel = writer.register_channel("/joint_states", "cdr", schema)
        for raw in raws:
            writer.add_message(channel, raw.received, raw.data, raw.published)
        writer.finish()
    read = list(read_messages(tmp_path / "idl.mcap"))
    assert [one.message.position[0] for one in read] == list(range(0, COUNT, 3))
    assert read[0].message.name == ["pan", "tilt"]
    assert read[2].message.header.stamp.sec == 6


@pytest.mark.parametrize("cut", ["topic after topic", "a file a topic"])
def test_what_lies_in_another_order_comes_in_that_of_time(tmp_path: Path, cut: str):
    raws = sorted(raw_of(record(tmp_path / "own")), key=lambda raw: raw.channel.topic)
    if cut == "topic after topic":
        rewritten(tmp_path / "bag", raws, StoragePlugin.MCAP, CompressionMode.NONE)
    else:
        (tmp_path / "bag").mkdir()
        for number, topic in enumerate(("/joint_states", "/agent/command", "/agent/goal")):
            part = [raw for raw in raws if raw.channel.topic == topic]
            folder = rewritten(tmp_path / f"part{number}", part, StoragePlugin.SQLITE3, CompressionMode.NONE)
            (folder / f"part{number}.db3").rename(tmp_path / "bag" / f"{number}.db3")
    assert numbers_of(tmp_path / "bag") == list(range(COUNT))


@pytest.mark.parametrize("compression", ["none", "zstd", "lz4"])
@pytest.mark.parametrize("share", [0.3, 0.62, 0.9])
def test_a_file_that_is_cut_off_in_a_chunk_gives_the_whole_messages_before_it(
    tmp_path: Path, compression: str, share: float
):
    whole = one_chunk(tmp_path / "whole.mcap", compression)
    torn = tmp_path / "torn.mcap"
    torn.write_bytes(whole.read_bytes()[: round(share * whole.stat().st_size)])
    bag = Bag(torn)
    numbers = numbers_of(bag)
    assert numbers == list(range(len(numbers)))
    assert len(numbers) == bag.count == bag.damages[0].kept
    assert f"{len(numbers)} whole messages before that are kept" in str(bag.damages[0])
    plain = compression == "none"
    # Of what is compressed, blocks of up to 128 kB (zstd) or 64 kB (lz4) are whole or not.
    assert len(numbers) >= share * 3000 - (60 if plain else 1400)


def one_chunk(path: Path, compression: str, count: int = 3000) -> Path:
    raws = raw_of(record(path.parent / "own"))
    with path.open("wb") as file:
        kind = {"none": CompressionType.NONE, "zstd": CompressionType.ZSTD, "lz4": CompressionType.LZ4}[compression]
        writer = Writer(file, chunk_size=1 << 30, compression=kind)
        writer.start(profile="ros2")
        definition = raws[0].channel.definition.encode()
        schema = writer.register_schema("sensor_msgs/msg/JointState", "ros2msg", definition)
        channel = writer.register_channel("/joint_states", "cdr", schema)
        for number in range(count):
            message = blank(JOINT_STATES, number)
            message.name, message.position = ["pan"], [float(number)]
            writer.add_message(channel, number + 1, wire(JOINT_STATES, message), number + 1)
        writer.finish()
    return path


def test_a_chunk_that_is_damaged_costs_nothing_of_the_others(tmp_path: Path):
    record(tmp_path / "own", compression="zstd")
    (path,) = (tmp_path / "own").glob("*.mcap")
    data = bytearray(path.read_bytes())
    places = [at for at in range(len(data)) if data[at : at + 4] == b"\x28\xb5\x2f\xfd"]
    assert len(places) > 5
    data[places[4] + 8 : places[4] + 60] = bytes(52)
    path.write_bytes(data)
    bag = Bag(path)
    numbers = numbers_of(bag)
    assert numbers[:40] == list(range(40))
    assert numbers[-40:] == list(range(50, 90))
    assert "damaged" in bag.damages[0].first
    assert bag.damages[0].later >= 40


def test_a_flipped_bit_that_no_structure_shows_is_seen_by_its_checksum(tmp_path: Path):
    record(tmp_path / "own", compression="none")
    (path,) = (tmp_path / "own").glob("*.mcap")
    data = bytearray(path.read_bytes())
    data[data.index(b"pan")] ^= 1
    path.write_bytes(data)
    bag = Bag(path)
    assert bag.count == COUNT
    assert "checksum" in str(bag.damages[0])


def test_a_database_that_is_cut_off_gives_the_rows_before_it(tmp_path: Path):
    raws = raw_of(record(tmp_path / "own"))
    many = [raw._replace(received=raw.received + 10**9 * COUNT * turn) for turn in range(20) for raw in raws]
    (file,) = rewritten(tmp_path / "bag", many, StoragePlugin.SQLITE3, CompressionMode.NONE).glob("*.db3")
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2])
    bag = Bag(file)
    numbers = numbers_of(bag)
    assert len(many) / 4 < len(numbers) < len(many)
    assert numbers == [number % COUNT for number in range(len(numbers))]
    assert bag.damages[0].kept == len(numbers)


def test_one_file_of_a_split_recording_that_is_gone_costs_only_itself(tmp_path: Path):
    record(tmp_path / "bag", compression="none", file_bytes=2000)
    files = sorted((tmp_path / "bag").glob("*.mcap"))
    files[1].write_bytes(b"")
    files[2].unlink()
    bag = Bag(tmp_path / "bag")
    numbers = numbers_of(bag)
    assert numbers[0] == 0
    assert numbers[-1] == COUNT - 1
    assert numbers == sorted(numbers)
    assert [str(damage) for damage in bag.damages] == [
        f"{files[1]}: it is empty; 0 whole messages before that are kept"
    ]


def test_what_is_no_recording_is_refused_with_what_was_expected(tmp_path: Path):
    with pytest.raises(BagError, match="there is no"):
        Bag(tmp_path / "nothing")
    (tmp_path / "sub").mkdir()
    with pytest.raises(BagError, match="holds no MCAP or sqlite3 file: give a folder"):
        Bag(tmp_path)
    record(tmp_path / "sub" / "take")
    with pytest.raises(BagError, match="name one of the folders in it, such as take"):
        Bag(tmp_path / "sub")
    (tmp_path / "text.mcap").write_text("hello, this is text")
    with pytest.raises(BagError, match="begins neither as an MCAP nor as a sqlite3 file does"):
        Bag(tmp_path / "text.mcap")
    (tmp_path / "old.bag").write_bytes(b"#ROSBAG V2.0\n" + bytes(100))
    with pytest.raises(BagError, match="is a bag of ROS 1, expected one of ROS 2"):
        Bag(tmp_path / "old.bag")


def test_a_definition_that_is_damaged_in_one_file_of_several_costs_nothing(tmp_path: Path):
    record(tmp_path / "bag", compression="none", file_bytes=2000)
    path = sorted((tmp_path / "bag").glob("*.mcap"))[1]
    data = path.read_bytes()
    assert b"float64[] position" in data
    path.write_bytes(data.replace(b"float64[] position", b"float6?[] position"))
    assert numbers_of(tmp_path / "bag") == list(range(COUNT))


def test_messages_that_are_recorded_meanwhile_are_read_too(tmp_path: Path):
    bag = recorder.Bag(tmp_path / "bag")
    put(bag, *said(0), 1)
    bag.flush()
    reading = Bag(tmp_path / "bag")
    for number in range(1, 9):
        put(bag, *said(number), 1 + number)
    bag.close()
    assert [one.message.position[0] for one in reading.messages()] == [0, 3, 6]
    assert numbers_of(tmp_path / "bag") == list(range(9))


def test_another_encoding_than_cdr_is_named(tmp_path: Path):
    with (tmp_path / "json.mcap").open("wb") as file:
        writer = Writer(file)
        writer.start()
        schema = writer.register_schema("Foo", "jsonschema", b"{}")
        writer.add_message(writer.register_channel("/foo", "json", schema), 1, b"{}", 1)
        writer.finish()
    with pytest.raises(BagError, match="/foo is encoded as 'json', expected cdr"):
        list(read_messages(tmp_path / "json.mcap"))


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (b"string[] name", b"string[] nome", "has no such name as in ROS 2"),
        (b"float64[] position", b"float32[] position", "has no such position as in ROS 2"),
        (b"std_msgs/Header header", b"std_msgs/Hedder header", "KeyError"),
        (b"float64[] effort", b"\xff\xff\xff\xff\xff\xff\xff[] effort", "TypesysError"),
    ],
)
def test_a_definition_that_is_not_that_of_its_type_is_refused(tmp_path: Path, old: bytes, new: bytes, sentence: str):
    record(tmp_path / "own", compression="none")
    (path,) = (tmp_path / "own").glob("*.mcap")
    assert len(old) == len(new)
    path.write_bytes(path.read_bytes().replace(old, new))
    with pytest.raises(BagError, match="the definition of sensor_msgs/msg/JointState on /joint_states") as raised:
        list(read_messages(path, {"/joint_states"}))
    assert sentence in str(raised.value)


def test_our_recordings_are_rosbag2s_after_a_message_was_compressed(tmp_path: Path):
    """The bytes show that a message is compressed, so no metadata is needed, and a damaged message costs itself."""
    raws = raw_of(record(tmp_path / "own"))
    packed = [raw._replace(data=zstandard.compress(raw.data)) for raw in raws]
    packed[7] = packed[7]._replace(data=packed[7].data[:20])
    bag = Bag(rewritten(tmp_path / "bag", packed, StoragePlugin.MCAP, CompressionMode.NONE))
    assert numbers_of(bag) == [number for number in range(COUNT) if number != 7]
    assert dict(bag.unreadable) == {"/agent/command": 1}
    assert yaml.safe_load((tmp_path / "bag" / "metadata.yaml").read_text())
