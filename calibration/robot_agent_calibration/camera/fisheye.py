"""Which corners a fisheye lens shows at angles that its model can take.

The model needs a point to lie before the camera: 90° off the axis, where wide lenses still see, x / z is infinite, and
OpenCV's calibration fails on an assertion long before.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from robot_agent_calibration.camera.intrinsics import fit_lens
from robot_agent_calibration.camera.lens import Lens
from robot_agent_calibration.camera.views import View, spread_out
from robot_agent_calibration.geometry import Array
from robot_agent_calibration.recording.board import Board

WIDEST = np.radians(80)
"""rad off the axis that corners are used to."""
INNER = 0.33
"""Of the picture's width, the radius that is within `WIDEST` with every lens that sees up to 220° across it."""


def within_reach(views: Sequence[View], board: Board, size: tuple[int, int]) -> tuple[list[View], int]:
    """The views without corners that are too far off the axis, and how many corners those were.

    A first camera is fitted to the middle of the picture; it says what is how far off.

    Raises:
        CalibrationError: the views do not determine a camera.
    """
    centre = (np.array(size) - 1) / 2
    inner = _kept(views, [np.linalg.norm(view.pixels - centre, axis=1) < INNER * size[0] for view in views], board)
    for _ in range(2):  # the first lens is extrapolated, the second hardly
        lens = fit_lens(inner, board, size, "equidistant").lens
        inner = _kept(views, [_angles(lens, view.pixels) < WIDEST for view in views], board)
    return inner, sum(len(view.ids) for view in views) - sum(len(view.ids) for view in inner)


def _kept(views: Sequence[View], masks: Sequence[Array], board: Board) -> list[View]:
    kept = [
        View(view.name, view.ids[mask], view.pixels[mask], view.stamp) for view, mask in zip(views, masks, strict=True)
    ]
    return [view for view in kept if spread_out(view.ids, board.squares[0] - 1)]


def _angles(lens: Lens, pixels: Array) -> Array:
    """rad off the axis, (n,), of a lens whose coefficients may bend back far out: there it is taken for straight."""
    radii = np.linalg.norm((pixels - lens.parameters[2:4]) / lens.parameters[:2], axis=1)
    theta = np.linspace(0, np.pi, 400)
    powers = np.stack([theta ** (2 * order + 3) for order in range(4)], axis=1)
    bent = np.maximum.accumulate(theta + powers @ lens.distortion)
    rising = np.concatenate([[True], np.diff(bent) > 0])
    end = len(theta) if rising.all() else int(np.argmin(rising))
    return np.where(radii <= bent[end - 1], np.interp(radii, bent[:end], theta[:end]), np.pi)
