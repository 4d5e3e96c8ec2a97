"""A recording is what rosbag2 and Foxglove expect, and what a fault leaves of it can be read."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory
from robot_agent_bags.bag import read_messages
from robot_agent_ros.graph import JOINT_STATES
from robot_agent_ros.recorder import tape as tape_module
from robot_agent_ros.recorder.bag import Bag
from robot_agent_ros.recorder.config import RecorderConfig
from robot_agent_ros.recorder.schemas import NoDefinitionError, full_definition
from robot_agent_ros.recorder.shelf import make_room, recorded_files
from robot_agent_ros.recorder.tape import Message, Status, Tape
from rosbags.highlevel import AnyReader
from sensor_msgs.msg import JointState

from tests.ros_wire import channel, wire

STATES = channel(JOINT_STATES)


def state(number: int, padding: int = 0) -> bytes:
    message = JointState(name=["pan"], position=[float(number)], effort=[0.5] * padding)
    message.header.stamp.sec = number
    return wire(JOINT_STATES, message)


def record(folder: Path, count: int, **options: object) -> Bag:
    bag = Bag(folder, **options)  # type: ignore[arg-type]
    for number in range(count):
        bag.write(STATES, state(number), 10**9 + number, 10**9 + number - 5)
    return bag


@pytest.mark.parametrize("compression", ["zstd", "lz4", "none"])
def test_readers_of_others_find_every_message(tmp_path: Path, compression: str):
    record(tmp_path / "bag", 100, compression=compression, distribution="kilted").close()
    with AnyReader([tmp_path / "bag"]) as reader:
        (connection,) = reader.connections
        assert (connection.topic, connection.msgtype) == ("/joint_states", "sensor_msgs/msg/JointState")
        read = [(time, reader.deserialize(data, connection.msgtype)) for connection, time, data in reader.messages()]
    assert [message.position[0] for _, message in read] == list(range(100))
    assert [time for time, _ in read] == [10**9 + number for number in range(100)]
    with (tmp_path / "bag" / "bag_0.mcap").open("rb") as file:
        reader = make_reader(file, decoder_factories=[DecoderFactory()])
        assert reader.get_header().profile == "ros2"
        decoded = list(reader.iter_decoded_messages())
    assert [one.decoded_message.header.stamp.sec for one in decoded] == list(range(100))
    assert {one.schema.encoding for one in decoded} == {"ros2msg"}
    assert {one.message.publish_time - one.message.log_time for one in decoded} == {-5}


def test_files_are_split_and_together_they_are_the_recording(tmp_path: Path):
    bag = Bag(tmp_path / "bag", "none", file_bytes=20_000)
    for number in range(60):
        bag.write(STATES, state(number, 500), number + 1, number + 1)
        bag.flush()
    bag.close()
    files = recorded_files(tmp_path)
    assert len(files) > 5
    assert all(path.stat().st_size < 40_000 for path in files)
    with AnyReader([tmp_path / "bag"]) as reader:
        assert reader.message_count == 60
        assert len(list(reader.messages())) == 60


def test_definitions_hold_all_types_that_are_in_a_type():
    text = full_definition("trajectory_msgs/msg/JointTrajectory")
    headings = [line for line in text.splitlines() if line.startswith("MSG: ")]
    assert headings == [
        "MSG: std_msgs/Header",
        "MSG: trajectory_msgs/JointTrajectoryPoint",
        "MSG: builtin_interfaces/Time",
        "MSG: builtin_interfaces/Duration",
    ]
    with pytest.raises(NoDefinitionError, match="source the workspace that has other_msgs"):
        full_definition("other_msgs/msg/Thing")


KILLED = """
import sys, time
from pathlib import Path
from robot_agent_ros.recorder.bag import Bag
sys.path.insert(0, sys.argv[2])
from tests.unit.ros.recorder.test_bag import STATES, state
bag = Bag(Path(sys.argv[1]))
for number in range(10**6):
    bag.write(STATES, state(number), number + 1, number + 1)
    if number % 10 == 9:
        bag.flush()
        print(number, flush=True)
"""


def test_a_recording_whose_writer_was_killed_is_read_up_to_the_last_chunk(tmp_path: Path):
    root = Path(__file__).parents[4]
    command = [sys.executable, "-c", KILLED, str(tmp_path / "bag"), str(root)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        flushed = 0
        while flushed < 200:
            flushed = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        process.wait()
    read = [one.message.header.stamp.sec for one in read_messages(tmp_path / "bag")]
    assert read == list(range(len(read)))
    assert len(read) > flushed


def test_a_torn_end_costs_only_itself(tmp_path: Path):
    bag = record(tmp_path / "bag", 50)
    bag.flush()
    whole = bag.path.stat().st_size
    for number in range(50, 90):
        bag.write(STATES, state(number), number, number)
    bag.flush()
    rng = np.random.default_rng(0)
    data = bag.path.read_bytes()
    bag.close()
    for end in rng.integers(whole, len(data), 20):
        bag.path.write_bytes(data[:end])
        read = [one.message.header.stamp.sec for one in read_messages(tmp_path / "bag")]
        assert read[:50] == list(range(50))
        assert len(read) in (50, 90)


def test_the_oldest_files_go_and_the_newest_stays(tmp_path: Path):
    for age, name in enumerate(("old", "middle", "new")):
        (tmp_path / name).mkdir()
        for part in range(2):
            path = tmp_path / name / f"{name}_{part}.mcap"
            path.write_bytes(bytes(100))
            os.utime(path, (age, 10 * age + part))
    assert [path.name for path in make_room(tmp_path, 350)] == ["old_0.mcap", "old_1.mcap", "middle_0.mcap"]
    assert not (tmp_path / "old").exists()
    newest = tmp_path / "new" / "new_0.mcap"
    assert [path.name for path in make_room(tmp_path, 0, keep=newest)] == ["middle_1.mcap", "new_1.mcap"]
    assert newest.exists()


def fed(tape: Tape, since: int, done) -> int:
    """Feeds a tape until something is so; the number of messages that were fed."""
    number, ends = since, time.monotonic() + 30
    while not done():
        assert time.monotonic() < ends, (tape.status, tape.detail, tape.written, tape.dropped)
        tape.put(Message(STATES, state(number, 100), number + 1, number + 1))
        number += 1
        time.sleep(0.002)
    return number


def test_a_full_disk_is_named_and_recording_goes_on_when_there_is_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(tape_module, "RETRY_SECONDS", 0.05)
    left = {"bytes": 10**12}
    monkeypatch.setattr(tape_module, "free_bytes", lambda folder: left["bytes"])
    tape = Tape(RecorderConfig(folder=str(tmp_path), chunk_seconds=0.05))
    number = fed(tape, 0, lambda: tape.written > 20)
    left["bytes"] = 10**6
    number = fed(tape, number, lambda: tape.status is Status.DISK_FULL and tape.dropped > 5)
    assert "1 MB left, expected 1024" in tape.detail
    left["bytes"] = 10**12
    number = fed(tape, number, lambda: tape.status is Status.RECORDING and len(recorded_files(tmp_path)) == 2)
    written = tape.written
    number = fed(tape, number, lambda: tape.written > written + 20)
    tape.close()
    assert tape.written + tape.dropped == number
    read = [one.message for folder in sorted(tmp_path.iterdir()) for one in read_messages(folder)]
    assert len(read) == tape.written


def test_a_failure_of_any_kind_is_named_and_recording_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tape_module, "RETRY_SECONDS", 0.05)
    tape = Tape(RecorderConfig(folder=str(tmp_path), free_megabytes=0.0, chunk_seconds=0.05))
    number = fed(tape, 0, lambda: tape.written > 20)

    def broken(self: Bag) -> None:
        raise ValueError("no such codec")

    with monkeypatch.context() as patched:
        patched.setattr(Bag, "flush", broken)
        number = fed(tape, number, lambda: tape.status is Status.FAILED)
    assert tape.detail.endswith("ValueError: no such codec")
    number = fed(tape, number, lambda: tape.status is Status.RECORDING)
    written = tape.written
    fed(tape, number, lambda: tape.written > written + 20)
    tape.close()


def test_a_disk_that_is_full_in_the_middle_of_a_chunk_leaves_what_was_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    bag = record(tmp_path / "bag", 50)
    bag.flush()
    before = bag.path.stat().st_size

    class Full:
        def write(self, data: bytes) -> int:
            with bag.path.open("ab") as file:
                file.write(bytes(data)[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")

        def tell(self) -> int:
            return bag.path.stat().st_size

    bag._writer._Writer__stream = Full()  # type: ignore[attr-defined]
    bag.write(STATES, state(50), 51, 51)
    with pytest.raises(OSError, match="No space"):
        bag.flush()
    assert bag.closed
    assert bag.path.stat().st_size == before
    assert len(list(read_messages(tmp_path / "bag"))) == 50


def test_disk_use_stays_below_its_bound(tmp_path: Path):
    config = RecorderConfig(folder=str(tmp_path), file_megabytes=0.1, total_megabytes=0.4, free_megabytes=0,
                            compression="none", chunk_seconds=0.05)  # fmt: skip
    largest, tape = 0, Tape(config)
    for number in range(1500):
        tape.put(Message(STATES, state(number, 200), number + 1, number + 1))
        if number % 20 == 0:
            time.sleep(0.02)
            largest = max(largest, sum(path.stat().st_size for path in recorded_files(tmp_path) if path.exists()))
    tape.close()
    assert tape.files_deleted > 0
    assert largest < 0.55e6  # the bound, and the chunk that ends a file
    read = [one.message.header.stamp.sec for folder in tmp_path.iterdir() for one in read_messages(folder)]
    assert read[-1] == 1499
    assert read == list(range(read[0], 1500))
    with AnyReader(list(tmp_path.iterdir())) as reader:
        assert reader.message_count == len(read)
