"""The index of replay: where steps follow each other without an episode's end, a gap or a quarantined row between."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from robot_agent.replay.replay import Replay
from robot_agent.replay.segment import SegmentReader

STRETCH = np.dtype(
    [
        ("segment", np.int64),
        ("first", np.int64),
        ("observations", np.int64),
        ("steps", np.int64),
        ("closed", np.bool_),
        ("terminated", np.bool_),
    ]
)
"""A stretch: its segment, the index of its first row, how many rows with a known observation follow each other from
there, how many actions were taken whose outcome is known, whether it can no longer grow, and whether the last of these
steps ended the episode for good.

There is one step less than there are observations, and as many where the last step ended the episode and the
observation after it is not finite: what that step was worth and that it was the last is known all the same."""


class StretchIndex:
    """All stretches of a replay, ordered by address, so that draws do not depend on when a reader looked.

    Args:
        replay: to be indexed; call `refresh` to see what it holds.

    Attributes:
        table: one `STRETCH` each; a quarantined row is one without observations and steps.
    """

    def __init__(self, replay: Replay) -> None:
        self.replay = replay
        self.table: NDArray[np.void] = np.zeros(0, STRETCH)
        self._indexed: dict[int, int] = {}

    def refresh(self) -> None:
        """Sees what was appended since."""
        self.replay.refresh()
        for number, segment in self.replay.segments.items():
            if len(segment.rows) > self._indexed.get(number, 0):
                self._index(number, segment)

    def _index(self, number: int, segment: SegmentReader) -> None:
        """Cuts the rows of a segment that are new into stretches; the one that was last may have grown."""
        known = self._indexed.get(number, 0)
        rows = segment.rows
        since = max(known - 2, 0)  # the last step of the stretch that was last, and the observation after it
        episode, step, valid, terminated, is_final = (
            np.array(rows[name][since:]) for name in ("episode", "step", "valid", "terminated", "is_final")
        )
        follows = (episode[1:] == episode[:-1]) & (step[1:] == step[:-1] + 1) & valid[1:] & valid[:-1]
        begins = np.flatnonzero(~follows) + since + 1
        begins = begins[begins >= known]
        grown = np.flatnonzero(self.table["segment"] == number)[-1:]
        begins = np.concatenate([self.table["first"][grown] if known else [0], begins])
        ends = np.append(begins[1:], len(rows))
        last = ends - 1 - since
        stretches = np.zeros(len(begins), STRETCH)
        stretches["segment"] = number
        stretches["first"] = begins
        stretches["observations"] = (ends - begins) * valid[last]  # a quarantined row stands alone
        ends_unseen = terminated[last] & valid[last]  # the row of the observation after it would have followed
        stretches["steps"] = np.maximum(stretches["observations"] - 1 + ends_unseen, 0)
        stretches["closed"] = (ends < len(rows)) | is_final[last] | ends_unseen
        stretches["terminated"] = terminated[np.maximum(begins + stretches["steps"] - 1 - since, 0)]
        stretches["terminated"] &= stretches["steps"] > 0
        self._indexed[number] = len(rows)
        if known:
            self.table[grown] = stretches[:1]
            stretches = stretches[1:]
        if len(stretches):
            table = np.concatenate([self.table, stretches])
            self.table = table[np.lexsort((table["first"], table["segment"]))]
