"""The contract of replay: acknowledged rows stay, addresses stay, many may read."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_agent.errors import ReplayError
from robot_agent.replay.columns import numbers_dtype, row_dtype
from robot_agent.replay.replay import Address, Replay, ReplayConfig, ReplayWriter
from robot_agent.replay.schema import SCHEMA_FILE, Lived, version_1_dtype
from robot_agent.replay.segment import FRAMES_FILE, PREFIX, ROWS_FILE
from robot_agent.replay.summary import SUMMARY_FILE
from robot_agent.types import BodySpec, Source
from tests.transitions import SPEC, episode


def test_rows_come_back_as_they_were(tmp_path: Path):
    writer = ReplayWriter(tmp_path, SPEC, body_id="left", agent_id="a1")
    steps = [
        replace(
            step,
            stamp=123.5,
            dt=0.02,
            source=Source.HUMAN,
            weights_version=9,
            reward=None,
            body_id="left",
            agent_id="a1",
        )
        for step in episode(3, 4)
    ]
    addresses = [writer.append(step) for step in steps]
    replay = Replay(tmp_path)
    for step, address in zip(steps, addresses, strict=True):
        row = replay.read(address)
        np.testing.assert_array_equal(row["camera/main"], step.observation["camera/main"])
        np.testing.assert_array_equal(row["proprio"], step.observation["proprio"])
        assert (row["episode"], row["step"], row["stamp"], row["source"]) == (3, step.step, 123.5, Source.HUMAN)
        assert row["dt"] == np.float32(0.02)
        assert row["weights_version"] == 9
        assert not row["reward_known"]
        assert row["valid"]
    final = replay.read(Address(addresses[-1].segment, addresses[-1].index + 1))
    assert final["is_final"]
    assert final["proprio"].tolist() == [3, 4]
    assert (replay.segments[0].schema.body_id, replay.segments[0].schema.agent_id) == ("left", "a1")


def test_addresses_stay_when_more_is_written_and_when_another_writer_begins(tmp_path: Path):
    first = ReplayWriter(tmp_path, SPEC)
    address = first.append(episode(0, 2)[0])
    before = Replay(tmp_path).read(address)
    second = ReplayWriter(tmp_path, SPEC)  # the first one never closed: it crashed
    other = second.append(episode(1, 2)[0])
    assert other.segment != address.segment
    assert Replay(tmp_path).read(address) == before


def test_a_reader_sees_what_a_writer_appends_meanwhile(tmp_path: Path):
    replay = Replay(tmp_path)
    writer = ReplayWriter(tmp_path, SPEC)
    for count, step in enumerate(episode(0, 5), start=1):
        writer.append(step)
        replay.refresh()
        assert replay.decisions == count
    assert replay.rows == 6  # and the final observation
    assert replay.next_episode == 1


def test_two_writers_at_once_do_not_mix(tmp_path: Path):
    writers = [ReplayWriter(tmp_path, SPEC, agent_id=name) for name in "ab"]
    for left, right in zip(episode(0, 6), episode(1, 6), strict=True):
        writers[0].append(replace(left, agent_id="a"))
        writers[1].append(replace(right, agent_id="b"))
    replay = Replay(tmp_path)
    assert replay.decisions == 12
    for segment in replay.segments.values():
        assert len(set(segment.rows["episode"])) == 1


@pytest.mark.parametrize("stranger", [{"agent_id": "other"}, {"body_id": "other"}])
def test_a_transition_of_another_life_is_refused(tmp_path: Path, stranger: dict[str, str]):
    writer = ReplayWriter(tmp_path, SPEC)
    writer.append(episode(0, 2)[0])
    with pytest.raises(ReplayError, match="give each body a writer of its own"):
        writer.append(replace(episode(0, 2)[1], **stranger))
    assert Replay(tmp_path).rows == 1


def test_a_row_that_is_not_finite_is_kept_counted_and_invalid(tmp_path: Path):
    writer = ReplayWriter(tmp_path, SPEC)
    good = episode(0, 3)[0]
    observation = dict(good.observation, proprio=np.array([np.nan, 0], np.float32))
    writer.append(good)
    writer.append(replace(good, observation=observation))
    writer.append(replace(good, reward=float("inf")))
    writer.append(replace(good, action=np.array([np.nan], np.float32)))
    writer.append(replace(good, valid=False))
    assert writer.quarantined == 4
    replay = Replay(tmp_path)
    assert replay.quarantined == 4
    assert [bool(valid) for valid in replay.segments[0].rows["valid"]] == [True, False, False, False, False]


@pytest.mark.parametrize("lost", [1, 7, 100])
def test_a_torn_tail_is_not_a_row(tmp_path: Path, lost: int):
    writer = ReplayWriter(tmp_path, SPEC)
    for step in episode(0, 5, ended=False):
        writer.append(step)
    rows = next(tmp_path.glob(PREFIX + "*")) / "rows.bin"
    with rows.open("r+b") as file:
        file.truncate(rows.stat().st_size - lost)
    assert Replay(tmp_path).decisions == 4 - (lost - 1) // numbers_dtype(SPEC).itemsize


def test_a_row_of_zeros_left_by_a_power_cut_is_not_a_row(tmp_path: Path):
    writer = ReplayWriter(tmp_path, SPEC)
    for step in episode(0, 3, ended=False):
        writer.append(step)
    rows = next(tmp_path.glob(PREFIX + "*")) / "rows.bin"
    with rows.open("ab") as file:
        file.write(bytes(2 * numbers_dtype(SPEC).itemsize))
    assert Replay(tmp_path).decisions == 3


def test_segments_end_with_an_episode_once_they_are_large(tmp_path: Path):
    small = BodySpec(cameras=(("main", (256, 256)),), proprio_dim=0, action_dim=1)
    frame = {"camera/main": np.zeros((256, 256, 3), np.uint8)}
    writer = ReplayWriter(tmp_path, small, ReplayConfig(segment_megabytes=1))
    for number in range(2):
        for step in episode(number, 7):
            final = frame if step.final_observation else None
            writer.append(replace(step, observation=frame, final_observation=final))
    replay = Replay(tmp_path)
    assert len(replay.segments) == 2
    assert [set(segment.rows["episode"]) for segment in replay.segments.values()] == [{0}, {1}]


def test_an_episode_without_end_is_cut_at_twice_the_size(tmp_path: Path):
    small = BodySpec(cameras=(("main", (256, 256)),), proprio_dim=0, action_dim=1)
    frame = {"camera/main": np.zeros((256, 256, 3), np.uint8)}
    writer = ReplayWriter(tmp_path, small, ReplayConfig(segment_megabytes=1))
    for step in episode(0, 25, ended=False):
        writer.append(replace(step, observation=frame))
    lengths = [len(segment.rows) for segment in Replay(tmp_path).segments.values()]
    assert lengths == [11, 11, 3]  # 11 rows of 197 kB are the first to exceed 2 MB


@pytest.mark.parametrize(("ended", "fits"), [(False, 0.5), (True, 0.5), (True, 1), (True, 1.99)])
def test_a_full_disk_is_one_sentence_and_harms_no_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ended: bool, fits: float
):
    """The disk has room for so many of the one or two rows that a transition takes."""
    writer = ReplayWriter(tmp_path, SPEC)
    steps = episode(0, 2, ended=ended)
    writer.append(steps[0])
    reader = Replay(tmp_path)
    real, room = os.pwrite, int(fits * row_dtype(SPEC).itemsize)

    def nearly_full(descriptor: int, data: bytes, offset: int) -> int:
        nonlocal room
        if not room:
            raise OSError(28, "No space left on device")
        written = real(descriptor, data[:room], offset)
        room -= written
        return written

    monkeypatch.setattr("robot_agent.replay.segment.os.pwrite", nearly_full)
    with pytest.raises(ReplayError, match="the disk is full"):
        writer.append(steps[1])
    reader.refresh()
    assert reader.rows == 1
    monkeypatch.undo()
    writer.append(steps[1])
    writer.append(episode(1, 2)[0])
    reader.refresh()
    rows = reader.segments[0].rows
    expected = [(0, 0), (0, 1), (0, 2), (1, 0)] if ended else [(0, 0), (0, 1), (1, 0)]
    assert [(row["episode"], row["step"]) for row in rows] == expected


def test_what_is_given_is_not_lived(tmp_path: Path):
    """A life, a recording beside it, and the life again, which counts its own decisions and episodes alone."""
    life = ReplayWriter(tmp_path, SPEC, lived=Lived())
    for step in episode(0, 3) + episode(1, 4):
        life.append(step)
    assert life.lived == Replay(tmp_path).lived == Lived(7, 7, 2)
    given = ReplayWriter(tmp_path, SPEC)
    for step in episode(2, 5) + episode(3, 5):
        given.append(step)
    replay = Replay(tmp_path)
    assert (replay.lived, replay.given, replay.decisions) == (Lived(7, 7, 2), 10, 17)
    life = ReplayWriter(tmp_path, SPEC, lived=replay.lived)
    life.append(episode(2, 3)[0])
    replay.refresh()
    assert (replay.lived, replay.given, replay.episodes) == (Lived(8, 8, 3), 10, 5)


def test_what_was_lived_stays_so_when_its_rows_are_gone(tmp_path: Path):
    life = ReplayWriter(tmp_path, SPEC, lived=Lived())
    for number in range(4):
        for step in episode(number, 5):
            life.append(step)
        life.close()
    for number in (0, 2):
        shutil.rmtree(tmp_path / f"{PREFIX}{number:06d}")
    assert Replay(tmp_path).decisions == 10
    assert Replay(tmp_path).lived == Lived(20, 20, 4)


def test_of_several_agents_each_life_counts(tmp_path: Path):
    writers = [ReplayWriter(tmp_path, SPEC, agent_id=name, lived=Lived()) for name in "ab"]
    for left, right in zip(episode(0, 6), episode(0, 6), strict=True):
        writers[0].append(replace(left, agent_id="a"))
        writers[1].append(replace(right, agent_id="b"))
    assert Replay(tmp_path).lived == Lived(12, 12, 1)


def test_another_body_and_another_schema_are_refused(tmp_path: Path):
    ReplayWriter(tmp_path, SPEC).append(episode(0, 2)[0])
    with pytest.raises(ReplayError, match="does not fit"):
        ReplayWriter(tmp_path, SPEC).append(replace(episode(0, 2)[0], observation={"proprio": np.zeros(5)}))
    schema = next(tmp_path.glob(PREFIX + "*")) / SCHEMA_FILE
    schema.write_text(schema.read_text().replace('"version": 2', '"version": 99'))
    with pytest.raises(ReplayError, match="version 99"):
        Replay(tmp_path)


def test_a_row_that_is_not_there(tmp_path: Path):
    with pytest.raises(ReplayError, match="no row"):
        Replay(tmp_path).read(Address(0, 0))


@given(st.integers(1, 12), st.data())
def test_wherever_a_file_is_torn_the_whole_rows_before_stay_and_writing_goes_on(length: int, data: st.DataObject):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        writer = ReplayWriter(folder, SPEC)
        for step in episode(0, length):
            writer.append(step)
        rows = next(folder.glob(PREFIX + "*")) / "rows.bin"
        before = np.array(Replay(folder).segments[0].rows)
        assert len(before) == length + 1
        size = data.draw(st.integers(0, rows.stat().st_size))
        os.truncate(rows, size)
        replay = Replay(folder)
        whole = size // numbers_dtype(SPEC).itemsize
        assert replay.segments[0].rows.tobytes() == before[:whole].tobytes()
        assert replay.decisions == min(whole, length)
        address = ReplayWriter(folder, SPEC).append(episode(1, 2)[0])
        replay.refresh()
        assert replay.read(address)["episode"] == 1
        assert replay.next_episode == 2


@pytest.mark.parametrize("key", ["proprio", "camera/main"])
def test_a_number_is_not_stretched_over_a_field(tmp_path: Path, key: str):
    good = episode(0, 2)[0]
    one = np.zeros((1, 1, 3) if key.startswith("camera") else 1)
    with pytest.raises(ReplayError, match=f"{key} does not fit"):
        ReplayWriter(tmp_path, SPEC).append(replace(good, observation={**good.observation, key: one}))
    with pytest.raises(ReplayError, match="action does not fit"):
        ReplayWriter(tmp_path, SPEC).append(replace(good, action=np.zeros(7, np.float32)))
    assert Replay(tmp_path).rows == 0


@pytest.mark.parametrize("reward", [1e300, -1e-300, 16777217.0])
def test_a_reward_is_kept_as_it_is(tmp_path: Path, reward: float):
    writer = ReplayWriter(tmp_path, SPEC)
    address = writer.append(replace(episode(0, 2)[0], reward=reward))
    row = Replay(tmp_path).read(address)
    assert row["reward"] == reward
    assert row["valid"]


def as_version_1(folder: Path) -> None:
    """Rewrites a replay of one segment: rewards were float32, neither columns nor the life's counters were there."""
    segment = next(folder.glob(PREFIX + "*"))
    new = Replay(folder).segments[0].read()
    old = np.zeros(len(new), version_1_dtype(SPEC))
    for name in old.dtype.names:
        old[name] = new[name]
    (segment / ROWS_FILE).write_bytes(old.tobytes())
    for name in (FRAMES_FILE, SUMMARY_FILE):
        (segment / name).unlink(missing_ok=True)
    schema = json.loads((segment / SCHEMA_FILE).read_text())
    del schema["columns"], schema["frames"], schema["lived_before"]
    (segment / SCHEMA_FILE).write_text(json.dumps({**schema, "version": 1}))


@pytest.mark.parametrize(("source", "lived"), [(Source.RANDOM, 3), (Source.DEMO, 0), (Source.HUMAN, 0)])
def test_of_version_1_the_source_says_what_was_lived(tmp_path: Path, source: Source, lived: int):
    writer = ReplayWriter(tmp_path, SPEC, lived=Lived())
    for step in episode(0, 3):
        writer.append(replace(step, source=source))
    as_version_1(tmp_path)
    before = Replay(tmp_path).lived
    assert before == Lived(lived, lived, min(lived, 1))
    ReplayWriter(tmp_path, SPEC, lived=before).append(episode(1, 2)[0])
    assert Replay(tmp_path).lived.decisions == lived + 1


def test_rows_of_version_1_are_read_beside_new_ones(tmp_path: Path):
    ReplayWriter(tmp_path, SPEC).append(replace(episode(0, 2)[0], reward=0.1))
    as_version_1(tmp_path)
    other = ReplayWriter(tmp_path, SPEC).append(replace(episode(1, 2)[0], reward=0.1))
    replay = Replay(tmp_path)
    rows = [replay.read(Address(0, 0)), replay.read(other)]
    assert [row["reward"] for row in rows] == [np.float32(0.1), 0.1]
    assert [row["proprio"].tolist() for row in rows] == [[0, 0], [1, 0]]
    assert [row["camera/main"].tolist() for row in rows] == [np.zeros((4, 4, 3)).tolist()] * 2


def test_a_segment_that_was_renamed_is_moved_away_and_its_number_is_not_given_again(tmp_path: Path):
    ReplayWriter(tmp_path, SPEC).append(episode(0, 2)[0])
    (tmp_path / f"{PREFIX}000000").rename(tmp_path / f"{PREFIX}000000.bad")
    assert Replay(tmp_path).rows == 0
    assert ReplayWriter(tmp_path, SPEC).append(episode(0, 2)[0]).segment == 1


def test_a_disk_on_which_no_segment_can_begin_is_one_sentence(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ReplayError, match="cannot append"):
        ReplayWriter(tmp_path / "file" / "replay", SPEC).append(episode(0, 2)[0])
