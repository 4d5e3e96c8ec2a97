"""The CSV tables of a recording: read with every fault named by its line, and written."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from robot_agent_calibration.errors import CalibrationError
from robot_agent_calibration.recording.recording import Samples

STAMP = "stamp"


def read_samples(path: Path) -> Samples:
    """Reads `stamp,<joint>...`.

    Raises:
        CalibrationError: a column is missing, a cell is no number, or stamps do not rise.
    """
    header, rows = _read_rows(path)
    if header[0] != STAMP or len(header) < 2:
        raise CalibrationError(f"{path} has the columns {','.join(header)}, expected stamp and then a column a joint")
    if len(set(header)) < len(header):
        raise CalibrationError(f"{path} has two columns of one name among {','.join(header)}: name each joint once")
    try:
        table = np.array(rows, dtype=np.float64)
        finite = bool(np.isfinite(table).all())
    except ValueError:
        finite = False
    if not finite:
        raise CalibrationError(_bad_cell(path, header, rows))
    check_stamps(table[:, 0], str(path), first_line=2)
    return Samples(tuple(header[1:]), table[:, 0], table[:, 1:])


def read_frame_list(path: Path) -> list[tuple[float, str]]:
    """Reads `stamp,file`.

    Raises:
        CalibrationError: a column is missing, a stamp is no number, or stamps do not rise.
    """
    header, rows = _read_rows(path)
    if header != [STAMP, "file"]:
        raise CalibrationError(f"{path} has the columns {','.join(header)}, expected stamp,file")
    stamps = []
    for line, row in enumerate(rows, start=2):
        stamp = _number(row[0])
        if stamp is None:
            raise CalibrationError(f"stamp in line {line} of {path} is {row[0]!r}, expected seconds")
        stamps.append(stamp)
    check_stamps(np.array(stamps), str(path), first_line=2)
    return [(stamp, row[1]) for stamp, row in zip(stamps, rows, strict=True)]


def check_stamps(stamps: NDArray[np.float64], where: str, first_line: int | None = None) -> None:
    """Refuses stamps that do not rise.

    Args:
        stamps: (n,) in s.
        where: of the file or topic, for the error.
        first_line: of the file that the first stamp stands in; messages are counted from 1 without it.

    Raises:
        CalibrationError: one is not later than the one before.
    """
    bad = np.flatnonzero(np.diff(stamps) <= 0)
    if not len(bad):
        return
    at, unit = int(bad[0]), "message" if first_line is None else "line"
    number = at + (first_line or 1)
    relation = "the same as" if stamps[at + 1] == stamps[at] else "earlier than"
    raise CalibrationError(
        f"stamps of {where} do not rise: {unit} {number + 1} ({stamps[at + 1]:.6f} s) is {relation} {unit} {number} "
        f"({stamps[at]:.6f} s), so that stamps were swapped or repeated; expected the stamps of the recording itself"
    )


def write_samples(path: Path, samples: Samples, digits: int = 9) -> None:
    """Writes `stamp,<joint>...`."""
    rows = [
        [f"{stamp:.6f}", *(f"{value:.{digits}f}" for value in row)]
        for stamp, row in zip(samples.stamps, samples.values, strict=True)
    ]
    write_rows(path, [STAMP, *samples.names], rows)


def write_rows(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Writes a CSV file."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _read_rows(path: Path) -> tuple[list[str], list[list[str]]]:
    try:
        with path.open(newline="") as file:
            header, *rows = [row for row in csv.reader(file) if row] or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CalibrationError(f"cannot read {path} ({error})") from error
    header = [name.strip() for name in header]
    if not header or not rows:
        raise CalibrationError(f"{path} is empty: expected a line of column names and a line a sample")
    for line, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise CalibrationError(
                f"line {line} of {path} has {len(row)} cells, expected {len(header)} as in line 1: it was cut off"
            )
    return header, rows


def _bad_cell(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    for line, row in enumerate(rows, start=2):
        for name, cell in zip(header, row, strict=True):
            if _number(cell) is None:
                return f"{name} in line {line} of {path} is {cell!r}, expected a finite number"
    raise AssertionError("every cell is a number")


def _number(cell: str) -> float | None:
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if np.isfinite(value) else None
