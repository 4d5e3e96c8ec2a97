"""Brings the segments of a replay to the current version, one by one; addresses stay as they are."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np

from robot_agent.errors import ReplayError
from robot_agent.replay.columns import frames_dtype, numbers_dtype
from robot_agent.replay.schema import Lived, SegmentSchema, write_schema
from robot_agent.replay.segment import FRAMES_FILE, PREFIX, ROWS_FILE, SegmentReader, segment_folders, sync_folder
from robot_agent.replay.summary import Summary

ROWS_AT_ONCE = 1000
OLD, NEW = ".old", ".new"


def upgrade(replay: Path) -> int:
    """Rewrites what is of an older version and summarises what was not closed; nobody may write meanwhile.

    A crash loses nothing: what was not finished is done again by the next call.

    Returns:
        segments that were changed.

    Raises:
        ReplayError: a segment cannot be read, or the disk is full or gone.
    """
    changed = 0
    lives: dict[tuple[str, str], Lived] = {}
    try:
        _finish(replay)
        for _, folder in segment_folders(replay):
            reader = SegmentReader(folder)
            reader.refresh()
            schema = reader.schema
            life = schema.body_id, schema.agent_id
            before = None if reader.is_given else schema.lived_before or lives.get(life, Lived())
            if before is not None:
                lives[life] = before.plus(reader.summarised().lived)
            wanted = SegmentSchema.of(schema.spec, schema.body_id, schema.agent_id, before)
            if schema != wanted:
                _rewrite(folder, reader, wanted)
                changed += 1
            elif reader.summary is None and len(reader):
                Summary.of(reader.rows, reader.spec).write(folder)
                changed += 1
    except OSError as error:
        raise ReplayError(f"cannot upgrade {replay} ({error}): free some space and try again") from error
    return changed


def _rewrite(folder: Path, reader: SegmentReader, schema: SegmentSchema) -> None:
    new, old = folder.with_name(folder.name + NEW), folder.with_name(folder.name + OLD)
    new.mkdir()
    write_schema(new, schema)
    for name, dtype in ((ROWS_FILE, numbers_dtype(schema.spec)), (FRAMES_FILE, frames_dtype(schema.spec))):
        if not dtype.itemsize:
            continue
        with (new / name).open("wb") as file:
            for begin in range(0, len(reader), ROWS_AT_ONCE):
                where = slice(begin, begin + ROWS_AT_ONCE)
                rows = np.zeros(len(reader.rows[where]), dtype)
                for column in dtype.names or ():
                    rows[column] = reader.column(column)[where]
                file.write(rows.tobytes())
            file.flush()
            os.fsync(file.fileno())
    written = SegmentReader(new)
    written.refresh()
    if len(written):
        Summary.of(written.rows, schema.spec).write(new)
    sync_folder(new)
    folder.rename(old)
    new.rename(folder)
    sync_folder(folder.parent)
    shutil.rmtree(old)


def _finish(replay: Path) -> None:
    """Clears up after an upgrade that was cut short."""
    for old in replay.glob(f"{PREFIX}*{OLD}"):
        folder = old.with_name(old.name.removesuffix(OLD))
        if folder.exists():
            shutil.rmtree(old)
        else:
            old.rename(folder)
    for new in replay.glob(f"{PREFIX}*{NEW}"):
        shutil.rmtree(new)
