"""A fit of a camera that misplaced corners and views do not spoil."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from robot_agent_calibration.camera.fisheye import within_reach
from robot_agent_calibration.camera.intrinsics import LensFit, fit_lens
from robot_agent_calibration.camera.views import View, spread_out
from robot_agent_calibration.errors import CalibrationError
from robot_agent_calibration.recording.board import Board

TOO_FAR = 6.0
"""Robust standard deviations from its prediction at which a corner is taken for another point."""
NEAR_ENOUGH = 0.2
"""px; one that is nearer than this to its prediction is kept however quiet the others are."""
BAD_VIEW = 3.0
"""Times the median of the views' errors at which a view is left out."""


@dataclass(frozen=True)
class RobustFit:
    """A fit, and what was left out for it.

    Args:
        fit: of the camera.
        outliers: names of views that did not fit, with their RMS in px.
        corners_dropped: how many single corners were misplaced.
        corners_too_wide: how many were farther off the axis than the model can take.
    """

    fit: LensFit
    outliers: dict[str, float]
    corners_dropped: int
    corners_too_wide: int = 0


def fit_robustly(views: Sequence[View], board: Board, size: tuple[int, int], model: str, least: int) -> RobustFit:
    """Fits, leaves out what does not fit, and fits again, until all fits.

    Raises:
        CalibrationError: fewer than `least` views fit, or they do not determine the camera.
    """
    outliers: dict[str, float] = {}
    dropped = 0
    kept, too_wide = list(views), 0
    if model == "equidistant":
        kept, too_wide = within_reach(views, board, size)
    for _ in range(8):
        fit = fit_lens(kept, board, size, model)
        distances = [np.linalg.norm(residual, axis=1) for residual in fit.residuals]
        # Of a Rayleigh distribution, the median is 1.18 standard deviations.
        noise = float(np.median(np.concatenate(distances))) / 1.1774
        bad = [distance > max(TOO_FAR * noise, NEAR_ENOUGH) for distance in distances]
        errors = fit.view_rms()
        lost = (errors > BAD_VIEW * np.median(errors)) & np.array([own.mean() > 0.3 for own in bad])
        if not lost.any() and not any(own.any() for own in bad):
            return RobustFit(fit, outliers, dropped, too_wide)
        next_views = []
        for view, own, gone, error in zip(kept, bad, lost, errors, strict=True):
            if gone:
                outliers[view.name] = float(error)
            elif spread_out(view.ids[~own], board.squares[0] - 1):
                dropped += int(own.sum())
                next_views.append(View(view.name, view.ids[~own], view.pixels[~own], view.stamp))
            else:
                outliers[view.name] = float(error)
        kept = next_views
        if len(kept) < least:
            names = ", ".join(sorted(outliers)[:5])
            raise CalibrationError(
                f"only {len(kept)} views fit one camera, expected at least {least}; those that do not are {names}: is "
                "the board flat and as board.yaml says, and is --model right?"
            )
    return RobustFit(fit, outliers, dropped, too_wide)
