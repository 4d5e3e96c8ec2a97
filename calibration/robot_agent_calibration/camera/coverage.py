"""Where in the image, and how tilted, the board was seen, and what is missing for a camera to be known everywhere."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from robot_agent_calibration.camera.intrinsics import LensFit
from robot_agent_calibration.geometry import Array

ROWS, COLUMNS = ("upper", "middle", "lower"), ("left", "centre", "right")
LEAST_CORNERS, LEAST_VIEWS = 20, 2
TILT = np.radians(15)
TILTS = {
    "its left edge farther away": (0, 1),
    "its right edge farther away": (0, -1),
    "its upper edge farther away": (1, 1),
    "its lower edge farther away": (1, -1),
}


def corner_counts(fit: LensFit) -> Array:
    """Corners in each ninth of the image, (3, 3)."""
    pixels = np.concatenate([view.pixels for view in fit.views])
    width, height = fit.lens.size
    counts, _, _ = np.histogram2d(pixels[:, 1], pixels[:, 0], bins=3, range=((0, height), (0, width)))
    return counts


def tilts(poses: Array) -> Array:
    """Tilts of boards about the vertical and the horizontal of the image, (v, 2) in rad; positive: left or upper edge
    farther away."""
    normals = poses[:, :3, 2]
    return np.stack([np.arctan2(normals[:, axis], normals[:, 2]) for axis in (0, 1)], axis=1)


def missing(fit: LensFit) -> Sequence[str]:
    """What to record next; empty if nothing is missing."""
    wishes = []
    counts = corner_counts(fit)
    for row, column in zip(*np.nonzero(counts < LEAST_CORNERS), strict=True):
        name = "centre" if row == column == 1 else f"{ROWS[row]} {COLUMNS[column]}"
        wishes.append(f"the board in the {name} of the image ({counts[row, column]:.0f} corners there)")
    seen = tilts(fit.transforms_board_to_camera)
    for name, (axis, sign) in TILTS.items():
        count = int((sign * seen[:, axis] > TILT).sum())
        if count < LEAST_VIEWS:
            wishes.append(f"the board tilted by 20° to 45° with {name} ({count} views)")
    distances = fit.transforms_board_to_camera[:, 2, 3]
    if distances.max() < 1.3 * distances.min():
        wishes.append("the board nearer and farther away (all views are at about the same distance)")
    return wishes
