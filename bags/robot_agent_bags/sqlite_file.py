"""The messages of rosbag2's sqlite3 storage (`.db3`), in the order in which they were written."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from robot_agent_bags.storage import Channel, Raw, Report

MAGIC = b"SQLite format 3\x00"


def read_sqlite(path: Path, report: Report) -> Iterator[Raw]:
    """The messages of a file.

    Args:
        path: of the database; nothing is written, a journal beside it is heeded.
        report: of what is damaged.
    """
    alone = not path.with_name(path.name + "-wal").exists()
    uri = f"{path.resolve().as_uri()}?mode=ro{'&immutable=1' if alone else ''}"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as database:
            database.text_factory = lambda text: text.decode(errors="replace")
            database.execute("PRAGMA trusted_schema=OFF")
            database.execute("PRAGMA writable_schema=ON")  # else what lacks its last page is not read at all
            yield from _rows(database, report)
    except (sqlite3.Error, OverflowError, UnicodeError) as error:
        report(f"its database is damaged ({error})")


def _rows(database: sqlite3.Connection, report: Report) -> Iterator[Raw]:
    tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    definitions: dict[object, tuple[str, str]] = {}
    if "message_definitions" in tables:  # since iron
        query = "SELECT topic_type, encoding, encoded_message_definition FROM message_definitions"
        definitions = {name: (str(encoding), str(text)) for name, encoding, text in database.execute(query)}
    channels = {
        number: Channel(str(topic), str(kind), str(encoding), *definitions.get(kind, ("", "")))
        for number, topic, kind, encoding in database.execute("SELECT id, name, type, serialization_format FROM topics")
    }
    last = None
    for number, topic, stamp, data in _messages(database):
        if topic not in channels or not isinstance(stamp, int) or not isinstance(data, bytes):
            report(f"row {number} of its messages is damaged")
            continue
        if last is not None and number <= last:
            report(f"row {number} of its messages comes twice")
            return
        last = number
        yield Raw(channels[topic], data, stamp, stamp)


def _messages(database: sqlite3.Connection) -> Iterator[tuple[Any, ...]]:
    query = "SELECT id, topic_id, timestamp, data FROM messages WHERE id > ? ORDER BY id"
    last = -(2**63)
    try:
        for row in database.execute(query, (last,)):
            yield row
            last = row[0]
    except sqlite3.Error:
        # A cursor has looked at the row behind one before it gives that one, and loses it to the other's error.
        yield from database.execute(f"{query} LIMIT 1", (last,))
        raise
