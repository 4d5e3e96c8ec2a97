"""What was seen of a board in one image, before anything is known of the camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robot_agent_calibration.geometry import Array


@dataclass(frozen=True)
class View:
    """Corners of the board in one image.

    Args:
        name: of the image.
        ids: (n,) of the corners, as `Board.corners` orders them.
        pixels: (n, 2) where they were found, px.
        stamp: of the image, s.
    """

    name: str
    ids: NDArray[np.int64]
    pixels: Array
    stamp: float = 0.0


def spread_out(ids: NDArray[np.int64], columns: int) -> bool:
    """Whether corners determine a pose: at least 6, and two rows with two of them each (a line and a point do not).

    Args:
        ids: (n,) of the corners.
        columns: of inner corners.
    """
    in_rows = np.unique(ids // columns, return_counts=True)[1]
    return len(ids) >= 6 and int((in_rows >= 2).sum()) >= 2
