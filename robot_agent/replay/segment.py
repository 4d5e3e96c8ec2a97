"""A segment: a folder of rows that one writer appends to and anyone may read meanwhile."""

from __future__ import annotations

import errno
import os
import re
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from robot_agent.errors import ReplayError
from robot_agent.replay.schema import COMMITTED, ROWS_FILE, Lived, read_schema, row_dtype, write_schema
from robot_agent.types import BodySpec, Source

PREFIX = "segment-"
_NAME = re.compile(PREFIX + r"(\d+)")
SYNC_SECONDS = 1.0
"""When `append` returns, all rows that were appended longer ago than this are on the disk."""


def segment_folders(replay: Path) -> list[tuple[int, Path]]:
    """Number and folder of each segment, in the order in which they were begun."""
    if not replay.is_dir():
        return []
    named = [(_NAME.fullmatch(path.name), path) for path in replay.iterdir()]
    return sorted((int(name[1]), path) for name, path in named if name and (path / ROWS_FILE).exists())


class SegmentWriter:
    """Begins a segment and appends rows; a row whose `append` returned survives the death of the process.

    Args:
        replay: folder of all segments; the new one gets the next free number.
        spec: shapes of the body.
        body_id: of the body.
        agent_id: of the agent that lives in it.
        lived_before: where its life stands; None for rows that are given.

    Raises:
        ReplayError: the disk is full or cannot be written.
    """

    def __init__(
        self, replay: Path, spec: BodySpec, body_id: str, agent_id: str, lived_before: Lived | None = None
    ) -> None:
        self.row_bytes = row_dtype(spec).itemsize
        self.rows = 0
        self._synced = time.monotonic()
        self._failed = False
        try:
            replay.mkdir(parents=True, exist_ok=True)
            taken = [_NAME.match(path.name) for path in replay.iterdir()]
            self.number = max((int(name[1]) for name in taken if name), default=-1) + 1
            while True:
                self.folder = replay / f"{PREFIX}{self.number:06d}"
                try:
                    self.folder.mkdir()
                    break
                except FileExistsError:  # another writer was faster
                    self.number += 1
            write_schema(self.folder, spec, body_id, agent_id, lived_before)
            (self.folder / ROWS_FILE).touch()
            for folder in (self.folder, replay, replay.parent):  # a file survives a power cut only if its name does
                _sync_folder(folder)
            self._file = os.open(self.folder / ROWS_FILE, os.O_WRONLY)
        except OSError as error:
            raise _unwritable(replay, error) from error

    def append(self, *rows: NDArray[np.void]) -> int:
        """Appends the rows of one transition, all or none of them, and returns the index of the first.

        Raises:
            ReplayError: the disk is full or gone; the segment is as it was, and the same rows may be appended again.
        """
        for row in rows:
            row["committed"] = COMMITTED
        data = b"".join(row.tobytes() for row in rows)
        last = self.row_bytes - 1
        try:
            # The rows before, not these: were the disk to fail after these are written, nobody could tell whether they
            # have been appended.
            if time.monotonic() - self._synced > SYNC_SECONDS:
                os.fdatasync(self._file)
                self._synced = time.monotonic()
            if len(rows) > 1:  # readers stop at the first row that is not whole, so they see all rows at once
                self._write(data[:last] + b"\0" + data[last + 1 :], 0)
                self._write(data[last : last + 1], last)
            else:
                self._write(data, 0)
        except OSError as error:
            self._failed = True
            raise _unwritable(self.folder, error) from error
        self._failed = False
        self.rows += len(rows)
        return self.rows - len(rows)

    def close(self) -> None:
        """Forces the rows to the disk.

        Raises:
            ReplayError: the disk is full or gone, and the last `append` has not said so already.
        """
        if self._file < 0:
            return
        file, self._file = self._file, -1
        try:
            try:
                os.fsync(file)
            finally:
                os.close(file)
        except OSError as error:
            if not self._failed:
                raise _unwritable(self.folder, error) from error

    def _write(self, data: bytes, offset: int) -> None:
        """Writes behind the rows; what a failure leaves there is no row, and the next append lies over it."""
        written = 0
        while written < len(data):
            written += os.pwrite(self._file, data[written:], self.rows * self.row_bytes + offset + written)


def _sync_folder(folder: Path) -> None:
    """Forces the names in a folder to the disk."""
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _unwritable(folder: Path, error: OSError) -> ReplayError:
    reason = "the disk is full" if error.errno == errno.ENOSPC else str(error)
    return ReplayError(f"cannot append to {folder}: {reason}; free some space and resume the run")


class SegmentReader:
    """Maps the whole rows of a segment; `refresh` sees those that came since."""

    def __init__(self, folder: Path) -> None:
        self.schema = read_schema(folder)
        self.spec, self.dtype = self.schema.spec, self.schema.dtype
        self._path = folder / ROWS_FILE
        self.rows: NDArray[np.void] = np.zeros(0, self.dtype)

    @property
    def is_given(self) -> bool:
        """Whether its rows were recorded or lived elsewhere; version 1 tells by the source of the first."""
        if self.schema.is_counted:
            return self.schema.lived_before is None
        return len(self.rows) > 0 and self.rows["source"][0] in (Source.HUMAN, Source.DEMO)

    @property
    def decisions(self) -> int:
        """Actions that were taken."""
        return int(np.count_nonzero(~self.rows["is_final"]))

    @property
    def lived(self) -> Lived:
        """What its rows add to a life."""
        rows = self.rows
        frames = self.spec.frames_in(rows["dt"][~rows["is_final"]])
        return Lived(len(frames), int(frames.sum()), int(rows["episode"].max()) + 1 if len(rows) else 0)

    def refresh(self) -> int:
        """Maps what is there now and returns the number of rows; a torn last row is not one."""
        count = os.stat(self._path).st_size // self.dtype.itemsize
        known = len(self.rows)
        if count > known:
            rows = np.memmap(self._path, self.dtype, mode="r", shape=(count,))
            torn = np.flatnonzero(rows["committed"][known:] != COMMITTED)
            self.rows = rows[: known + int(torn[0])] if len(torn) else rows
        return len(self.rows)
