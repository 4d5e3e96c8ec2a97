"""A segment: a folder of rows that one writer appends to and anyone may read meanwhile."""

from __future__ import annotations

import errno
import os
import re
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robot_agent.errors import ReplayError
from robot_agent.replay.columns import COMMITTED, columns, row_dtype
from robot_agent.replay.schema import Lived, SegmentSchema, read_schema, write_schema
from robot_agent.replay.summary import Summary
from robot_agent.types import BodySpec, Source

PREFIX = "segment-"
_NAME = re.compile(PREFIX + r"(\d+)")
ROWS_FILE = "rows.bin"
FRAMES_FILE = "frames.bin"
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
        self._schema = SegmentSchema.of(spec, body_id, agent_id, lived_before)
        self.row_bytes = self._schema.numbers.itemsize
        self.frame_bytes = self._schema.frames.itemsize
        self.rows = 0
        self._synced = time.monotonic()
        self._failed = False
        self._files: list[int] = []
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
            write_schema(self.folder, self._schema)
            names = [FRAMES_FILE, ROWS_FILE] if self.frame_bytes else [ROWS_FILE]
            for name in names:
                (self.folder / name).touch()
            for folder in (self.folder, replay, replay.parent):  # a file survives a power cut only if its name does
                sync_folder(folder)
            # Frames first, wherever files are written or forced to the disk: a whole row has its frames.
            self._files = [os.open(self.folder / name, os.O_WRONLY) for name in names]
        except OSError as error:
            raise _unwritable(replay, error) from error

    def append(self, *rows: NDArray[np.void]) -> int:
        """Appends the rows of one transition, all or none of them, and returns the index of the first.

        Args:
            rows: of `row_dtype`.

        Raises:
            ReplayError: the disk is full or gone; the segment is as it was, and the same rows may be appended again.
        """
        for row in rows:
            row["committed"] = COMMITTED
        whole = [row.tobytes() for row in rows]
        frames = b"".join(data[: self.frame_bytes] for data in whole)
        numbers = b"".join(data[self.frame_bytes :] for data in whole)
        last = self.row_bytes - 1
        try:
            # The rows before, not these: were the disk to fail after these are written, nobody could tell whether they
            # have been appended.
            if time.monotonic() - self._synced > SYNC_SECONDS:
                for file in self._files:
                    os.fdatasync(file)
                self._synced = time.monotonic()
            self._write(self._files[0], frames, self.rows * self.frame_bytes)
            begin = self.rows * self.row_bytes
            if len(rows) > 1:  # readers stop at the first row that is not whole, so they see all rows at once
                self._write(self._files[-1], numbers[:last] + b"\0" + numbers[last + 1 :], begin)
                self._write(self._files[-1], numbers[last : last + 1], begin + last)
            else:
                self._write(self._files[-1], numbers, begin)
        except OSError as error:
            self._failed = True
            raise _unwritable(self.folder, error) from error
        self._failed = False
        self.rows += len(rows)
        return self.rows - len(rows)

    def close(self) -> None:
        """Forces the rows to the disk and writes their summary.

        Raises:
            ReplayError: the disk is full or gone, and the last `append` has not said so already.
        """
        files, self._files = self._files, []
        if not files:
            return
        try:
            with ExitStack() as last_to_first:  # each is closed whatever the others raise
                for file in files:
                    last_to_first.callback(os.close, file)
                for file in files:
                    os.fsync(file)
            if self.rows:
                rows = np.memmap(self.folder / ROWS_FILE, self._schema.numbers, mode="r", shape=(self.rows,))
                Summary.of(rows, self._schema.spec).write(self.folder)
        except OSError as error:
            if not self._failed:
                raise _unwritable(self.folder, error) from error

    @staticmethod
    def _write(file: int, data: bytes, offset: int) -> None:
        """Writes behind the rows; what a failure leaves there is no row, and the next append lies over it."""
        written = 0
        while written < len(data):
            written += os.pwrite(file, data[written:], offset + written)


def sync_folder(folder: Path) -> None:
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
    """Maps the whole rows of a segment; `refresh` sees those that came since.

    A closed segment is opened by its summary: its rows are mapped when they are asked for.

    Attributes:
        schema: what the segment says of itself.
        spec: shapes of the body.
        summary: of a segment that was closed.
    """

    def __init__(self, folder: Path) -> None:
        self.schema = read_schema(folder)
        self.spec = self.schema.spec
        self.summary = Summary.read(folder)
        self._folder = folder
        self._count = 0
        self._numbers: NDArray[np.void] = np.zeros(0, self.schema.numbers)
        self._frames: NDArray[np.void] = np.zeros(0, self.schema.frames)

    def __len__(self) -> int:
        return self._count

    @property
    def rows(self) -> NDArray[np.void]:
        """The numbers of all rows, without frames but in older segments."""
        if len(self._numbers) != self._count:
            self._numbers = self._mapped(ROWS_FILE, self.schema.numbers, self._count)
        return self._numbers

    def column(self, name: str) -> NDArray[Any]:
        """A column of all rows, mapped; its default where the segment is older than the column.

        Raises:
            KeyError: there is no such column.
        """
        if name in (self.schema.numbers.names or ()):
            return self.rows[name]
        if name in (self.schema.frames.names or ()):
            if len(self._frames) != self._count:
                self._frames = self._mapped(FRAMES_FILE, self.schema.frames, self._count)
            return self._frames[name]
        column = next((column for column in columns(self.spec) if column.name == name), None)
        if column is None:
            raise KeyError(name)
        return np.broadcast_to(np.asarray(column.default, column.dtype), (self._count, *column.shape))

    def read(self, where: int | slice | NDArray[Any] = slice(None)) -> NDArray[np.void]:
        """Copies of whole rows, frames included, of `row_dtype`; `where` is an index of any kind."""
        dtype = row_dtype(self.spec)
        rows = np.zeros(np.arange(self._count)[where].shape, dtype)
        for name in dtype.names or ():
            rows[name] = self.column(name)[where]
        return rows

    @property
    def is_given(self) -> bool:
        """Whether its rows were recorded or lived elsewhere; version 1 tells by the source of the first."""
        if self.schema.is_counted:
            return self.schema.lived_before is None
        return self._count > 0 and self.rows["source"][0] in (Source.HUMAN, Source.DEMO)

    def summarised(self) -> Summary:
        """What it holds now; the stretches of one that is still open are left out."""
        if self.summary is not None:
            return self.summary
        return Summary.of(self.rows, self.spec, stretches=False)

    @property
    def episodes(self) -> set[int]:
        """The numbers of the episodes that it holds rows of."""
        numbers = self.rows["episode"] if self.summary is None else self.summary.stretches["episode"]
        return {int(number) for number in np.unique(numbers)}

    def refresh(self) -> int:
        """Sees what is there now and returns the number of rows; a torn last row is not one."""
        count = os.stat(self._folder / ROWS_FILE).st_size // self.schema.numbers.itemsize
        if self.schema.frames.itemsize:
            count = min(count, os.stat(self._folder / FRAMES_FILE).st_size // self.schema.frames.itemsize)
        if self.summary is not None and self.summary.rows > count:
            self.summary = None  # the file was cut since
        if self.summary is not None:
            self._count = self.summary.rows
        elif count > self._count:
            rows = self._mapped(ROWS_FILE, self.schema.numbers, count)
            torn = np.flatnonzero(rows["committed"][self._count :] != COMMITTED)
            self._numbers = rows[: self._count + int(torn[0])] if len(torn) else rows
            self._count = len(self._numbers)
        return self._count

    def _mapped(self, name: str, dtype: np.dtype[np.void], count: int) -> NDArray[np.void]:
        if not count:
            return np.zeros(0, dtype)
        # A plain array of the map: indexing a memmap costs more than what is copied.
        return np.asarray(np.memmap(self._folder / name, dtype, mode="r", shape=(count,)))
