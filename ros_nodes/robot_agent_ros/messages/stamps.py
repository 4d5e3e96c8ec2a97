"""builtin_interfaces/Time to seconds and nanoseconds, and back."""

from __future__ import annotations

from typing import Protocol

NANOSECONDS = 1_000_000_000


class Stamp(Protocol):
    """builtin_interfaces/Time."""

    sec: int
    nanosec: int


def to_nanoseconds(stamp: Stamp) -> int:
    """Exact, ns since the clock's epoch."""
    return int(stamp.sec) * NANOSECONDS + int(stamp.nanosec)


def to_seconds(stamp: Stamp) -> float:
    """s since the clock's epoch; exact to 0.3 µs in this century."""
    return to_nanoseconds(stamp) / NANOSECONDS


def fill_stamp(stamp: Stamp, nanoseconds: int) -> None:
    """Writes a time into a message's stamp."""
    stamp.sec, stamp.nanosec = divmod(nanoseconds, NANOSECONDS)
