"""The tables in `results/`: a row that is measured again replaces the old one."""

from __future__ import annotations

import csv
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def write_row(path: Path, row: Mapping[str, Any], key: Sequence[str]) -> None:
    """Adds a row to a table, in place of an older one with the same `key`; the row's names are the columns."""
    write_rows(path, [row], key)


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]], key: Sequence[str]) -> None:
    """Adds rows to a table, in place of all older ones with a `key` that one of them has; no rows change nothing."""
    if not rows:
        return

    def named(row: Mapping[str, Any]) -> tuple[str, ...]:
        return tuple(str(row[name]) for name in key)

    new, kept = {named(row) for row in rows}, []
    if path.exists():
        kept = [row for row in read_rows(path) if named(row) not in new]
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".partial")
    with temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows([*kept, *rows])
    os.replace(temporary, path)


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a table."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def cpu_name() -> str:
    """What the system calls its processor."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()
