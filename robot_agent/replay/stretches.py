"""Where steps follow each other without an episode's end, a gap or a quarantined row between."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

STRETCH = np.dtype(
    [
        ("segment", np.int64),
        ("first", np.int64),
        ("observations", np.int64),
        ("steps", np.int64),
        ("closed", np.bool_),
        ("terminated", np.bool_),
        ("episode", np.int64),
        ("source", np.uint8),
        ("given", np.bool_),
    ]
)
"""A stretch: its segment, the index of its first row, how many rows with a known observation follow each other from
there, how many actions were taken whose outcome is known, whether it can no longer grow, whether the last of these
steps ended the episode for good, its episode, the source of its first action, and whether its segment was given rather
than lived, which the index knows.

There is one step less than there are observations, and as many where the last step ended the episode and the
observation after it is not finite: what that step was worth and that it was the last is known all the same. A
quarantined row is a stretch without observations and steps."""


def cut(number: int, rows: NDArray[np.void], known: int = 0, first: int = 0) -> NDArray[np.void]:
    """Cuts the rows of a segment into stretches.

    Args:
        number: of the segment.
        rows: all of them.
        known: so many were cut before.
        first: where the last stretch began then; it may have grown and comes again.

    Returns:
        `STRETCH` `(stretches,)`, by address.
    """
    since = max(known - 2, 0)  # the last step of the stretch that was last, and the observation after it
    episode, step, valid, terminated, is_final = (
        np.array(rows[name][since:]) for name in ("episode", "step", "valid", "terminated", "is_final")
    )
    follows = (episode[1:] == episode[:-1]) & (step[1:] == step[:-1] + 1) & valid[1:] & valid[:-1]
    begins = np.flatnonzero(~follows) + since + 1
    begins = np.concatenate([[first], begins[begins >= known]]).astype(np.int64)
    ends = np.append(begins[1:], len(rows))
    last = ends - 1 - since
    stretches = np.zeros(len(begins), STRETCH)
    stretches["segment"] = number
    stretches["first"] = begins
    stretches["observations"] = (ends - begins) * valid[last]  # a quarantined row stands alone
    ends_unseen = terminated[last] & valid[last]  # the row of the observation after it would have followed
    stretches["steps"] = np.maximum(stretches["observations"] - 1 + ends_unseen, 0)
    stretches["closed"] = (ends < len(rows)) | is_final[last] | ends_unseen
    last_step = np.maximum(begins + stretches["steps"] - 1 - since, 0)
    stretches["terminated"] = terminated[last_step] & (stretches["steps"] > 0)
    stretches["episode"] = episode[last]
    stretches["source"] = rows["source"][begins]
    return stretches
