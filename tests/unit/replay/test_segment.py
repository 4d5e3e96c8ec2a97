"""A segment on a disk that fails: one sentence, no row lost, none twice."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from robot_agent.errors import ReplayError
from robot_agent.replay import segment
from robot_agent.replay.columns import frames_dtype, numbers_dtype, row_dtype
from robot_agent.replay.segment import FRAMES_FILE, ROWS_FILE, SegmentReader, SegmentWriter
from robot_agent.types import BodySpec
from tests.transitions import SPEC


def row(step: int) -> np.ndarray:
    made = np.zeros((), row_dtype(SPEC))
    made["step"] = step
    return made


def begin(folder: Path) -> SegmentWriter:
    return SegmentWriter(folder, SPEC, "body", "agent")


def steps_of(writer: SegmentWriter) -> list[int]:
    reader = SegmentReader(writer.folder)
    reader.refresh()
    return reader.rows["step"].tolist()


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(segment.time, "monotonic", clock)
    return clock


def full(*args: object) -> int:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_rows_older_than_a_second_are_on_the_disk_when_append_returns(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    writer = begin(tmp_path)
    synced: list[int] = []

    def watched(file: int) -> None:
        if Path(os.readlink(f"/proc/self/fd/{file}")).name == ROWS_FILE:
            synced.append(os.fstat(file).st_size // writer.row_bytes)
            assert (writer.folder / FRAMES_FILE).stat().st_size == synced[-1] * writer.frame_bytes

    monkeypatch.setattr(segment.os, "fdatasync", watched)
    appended_at = []
    for step in range(40):
        clock.now += 0.3
        writer.append(row(step))
        appended_at.append(clock.now)
        older = sum(clock.now - then > segment.SYNC_SECONDS for then in appended_at)
        assert max(synced, default=0) >= older
    assert len(synced) <= 12  # and not at each append


def test_a_row_whose_sync_failed_is_not_there_and_is_not_there_twice_after_a_retry(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    writer = begin(tmp_path)
    writer.append(row(0))
    clock.now += 2
    with monkeypatch.context() as patch:
        patch.setattr(segment.os, "fdatasync", full)
        with pytest.raises(ReplayError, match="the disk is full"):
            writer.append(row(1), row(2))
    assert steps_of(writer) == [0]
    assert writer.append(row(1), row(2)) == 1
    assert steps_of(writer) == [0, 1, 2]


def test_readers_see_the_rows_of_a_transition_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    writer = begin(tmp_path)
    real, seen = os.pwrite, []

    def watched(file: int, data: bytes, offset: int) -> int:
        seen.append(steps_of(writer))
        return real(file, data[: writer.row_bytes // 2], offset)

    monkeypatch.setattr(segment.os, "pwrite", watched)
    writer.append(row(7), row(8))
    assert len(seen) >= 4
    assert all(steps == [] for steps in seen)
    assert steps_of(writer) == [7, 8]


@pytest.mark.parametrize("call", ["fsync", "close"])
def test_a_disk_that_is_full_at_the_end_is_one_sentence_and_the_file_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
):
    writer = begin(tmp_path)
    writer.append(row(0))
    files, close = list(writer._files), os.close

    def close_and_fail(file: int) -> None:
        close(file)
        full()

    with monkeypatch.context() as patch:
        patch.setattr(segment.os, call, full if call == "fsync" else close_and_fail)
        with pytest.raises(ReplayError, match="the disk is full"):
            writer.close()
    for file in files:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(file)
    writer.close()  # a second time: nothing to do
    assert steps_of(writer) == [0]


def test_closing_after_a_failed_append_does_not_say_so_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    writer = begin(tmp_path)
    monkeypatch.setattr(segment.os, "pwrite", full)
    monkeypatch.setattr(segment.os, "fsync", full)
    with pytest.raises(ReplayError, match="the disk is full"):
        writer.append(row(0))
    writer.close()


def test_a_segment_that_cannot_begin_is_one_sentence_and_no_segment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(segment.os, "fsync", full)
    descriptors = len(os.listdir("/proc/self/fd"))
    with pytest.raises(ReplayError, match="the disk is full"):
        begin(tmp_path)
    assert len(os.listdir("/proc/self/fd")) == descriptors
    monkeypatch.undo()
    writer = begin(tmp_path)
    writer.append(row(0))
    assert steps_of(writer) == [0]


def test_a_new_segment_is_named_on_the_disk_before_its_first_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    synced, real = [], os.fsync

    def watched(file: int) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{file}")))
        real(file)

    monkeypatch.setattr(segment.os, "fsync", watched)
    writer = begin(tmp_path / "replay")
    assert (writer.folder / ROWS_FILE).exists()
    assert {writer.folder, tmp_path / "replay", tmp_path} <= set(synced)


def test_a_row_is_90_bytes_and_the_bodys_numbers():
    assert numbers_dtype(BodySpec((), 0, 0)).itemsize == 90
    spec = BodySpec((("main", (64, 64)),), 5, 1)
    assert numbers_dtype(spec).itemsize == 90 + 2 + 4 * (5 + 1)
    assert frames_dtype(spec).itemsize == 64 * 64 * 3
