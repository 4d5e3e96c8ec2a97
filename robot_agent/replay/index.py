"""The index of replay: all stretches of all segments."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from robot_agent.replay.replay import Replay
from robot_agent.replay.segment import SegmentReader
from robot_agent.replay.stretches import STRETCH, cut

_ROWS = 2**40
"""More than a segment has."""


class StretchIndex:
    """All stretches of a replay, ordered by address, so that draws do not depend on when a reader looked.

    Args:
        replay: to be indexed; call `refresh` to see what it holds.

    Attributes:
        table: `STRETCH` `(stretches,)`.
    """

    def __init__(self, replay: Replay) -> None:
        self.replay = replay
        self.table: NDArray[np.void] = np.zeros(0, STRETCH)
        self._indexed: dict[int, int] = {}

    def refresh(self) -> None:
        """Sees what was appended and what was let go since."""
        self.replay.refresh()
        for number in self._indexed.keys() - self.replay.segments.keys():
            self.table = self.table[self.table["segment"] != number]
            del self._indexed[number]
        for number, segment in self.replay.segments.items():
            if len(segment) > self._indexed.get(number, 0):
                self._index(number, segment)

    def holding(self, segments: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The place in `table` of the stretch that holds each row, given by segment and index in it."""
        begins = self.table["segment"] * _ROWS + self.table["first"]
        return np.searchsorted(begins, segments * _ROWS + rows, side="right") - 1

    def _index(self, number: int, segment: SegmentReader) -> None:
        known = self._indexed.get(number, 0)
        grown = np.flatnonzero(self.table["segment"] == number)[-1:]
        if segment.summary is not None and not known:
            stretches = segment.summary.stretches.copy()
            stretches["segment"] = number
        else:
            stretches = cut(number, segment.rows, known, int(self.table["first"][grown[0]]) if known else 0)
        stretches["given"] = segment.is_given
        self._indexed[number] = len(segment)
        if known:
            self.table[grown] = stretches[:1]
            stretches = stretches[1:]
        if len(stretches):
            table = np.concatenate([self.table, stretches])
            self.table = table[np.lexsort((table["first"], table["segment"]))]
