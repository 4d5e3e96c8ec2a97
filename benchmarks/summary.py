"""The summary of an issue's table: one line an id, with the columns `row,value,low,high,n,better,floor,goal`.

`value` is empty where nothing was measured, `better` is higher or lower, `goal` may be empty.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from table import read_rows

COLUMNS = ("row", "value", "low", "high", "n", "better", "floor", "goal")


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Replaces lines by their id, in place, and adds new ids at the end; columns that a row leaves out are empty."""
    lines = {line["row"]: line for line in (read_rows(path) if path.exists() else [])}
    for row in rows:
        lines[str(row["row"])] = {name: str(row.get(name, "")) for name in COLUMNS}
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".partial")
    with temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(lines.values())
    os.replace(temporary, path)


def print_summary(path: Path) -> None:
    """Prints each line, and what falls short of its floor or its goal."""
    for line in read_rows(path):
        print(f"{line['row']:>5}  {line['value'] or 'not measured':>14}  {_verdict(line)}")


def _verdict(line: Mapping[str, str]) -> str:
    if not line["value"]:
        return f"floor {line['floor']}"
    for name in ("floor", "goal"):
        if line[name] and not _reaches(line, float(line[name])):
            return f"below the {name} {line[name]} ({line['better']} is better)"
    return "good"


def _reaches(line: Mapping[str, str], bound: float) -> bool:
    value = float(line["value"])
    return value >= bound if line["better"] == "higher" else value <= bound
