"""`robot-agent calibrate camera`: intrinsics and distortion from a ChArUco board."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import yaml
from robot_agent_sim.calibration import Estimate

from robot_agent_calibration.camera import page as camera_page
from robot_agent_calibration.camera.coverage import missing
from robot_agent_calibration.camera.detection import detect
from robot_agent_calibration.camera.fisheye import WIDEST
from robot_agent_calibration.camera.lens import FOCAL
from robot_agent_calibration.camera.robust import RobustFit, fit_robustly
from robot_agent_calibration.errors import CalibrationError
from robot_agent_calibration.outcome import Outcome
from robot_agent_calibration.recording import Recording

LensModel = Literal["plumb_bob", "rational_polynomial", "equidistant"]
LARGE_RMS = 1.0
"""px, for a picture 640 wide, at which the model itself is in doubt."""


@dataclass(frozen=True)
class Config:
    """Intrinsics and distortion of a camera that saw a ChArUco board."""

    model: LensModel = "plumb_bob"
    """Of the lens, as ROS names it; equidistant for a fisheye."""

    min_views: int = 8
    """Distinct views without which nothing is said."""


def calibrate(recording: Recording, config: Config) -> Outcome:
    """Estimates the camera of a recording.

    Raises:
        CalibrationError: the recording does not determine it.
    """
    if config.min_views < 3:
        raise CalibrationError(f"--min-views is {config.min_views}, expected at least 3")
    board = recording.need_board()
    detections = detect(recording.need_frames(), board, config.min_views)
    robust = fit_robustly(detections.views, board, detections.size, config.model, config.min_views)
    section = camera_section(robust)
    info = yaml.safe_dump(robust.fit.lens.camera_info(), sort_keys=False, default_flow_style=None)
    lines = camera_lines(robust) + [f"left out: {name} ({why})" for name, why in detections.dropped.items()]
    page = camera_page.camera_page(recording, robust, detections.dropped, lines)
    return Outcome({"camera": section}, lines, page, {"camera_info.yaml": info})


def camera_section(robust: RobustFit) -> Mapping[str, Any]:
    """The section of the result file: CameraInfo's fields, then what is known of their errors."""
    fit = robust.fit
    errors = np.sqrt(np.diag(fit.covariance))
    estimates = {
        name: Estimate(float(value), float(error), "px" if name in FOCAL else "1").to_yaml()
        for name, value, error in zip(fit.lens.names, fit.lens.parameters, errors, strict=True)
    }
    return {
        **fit.lens.camera_info(),
        "estimates": estimates,
        "covariance": [[float(value) for value in row] for row in fit.covariance],
        "reprojection_rms": float(fit.rms),
        "views": len(fit.views),
        "outlier_views": dict(robust.outliers),
        "missing": list(missing(fit)),
    }


def camera_lines(robust: RobustFit) -> list[str]:
    """What a person wants to know."""
    fit = robust.fit
    errors = np.sqrt(np.diag(fit.covariance))
    lines = [f"camera {fit.lens.model}, {fit.lens.size[0]}x{fit.lens.size[1]}, from {len(fit.views)} views"]
    for name, value, error in zip(fit.lens.names, fit.lens.parameters, errors, strict=True):
        lines.append(f"  {name:<3} {value:>11.5f} ± {1.96 * error:.5f}{' px' if name in FOCAL else ''}")
    lines.append(f"reprojection RMS {fit.rms:.3f} px (± are 95 % intervals)")
    if robust.corners_dropped:
        lines.append(f"left out: {robust.corners_dropped} single corners that were misplaced")
    if robust.corners_too_wide:
        lines.append(
            f"left out: {robust.corners_too_wide} corners more than {np.degrees(WIDEST):.0f}° off the axis, which the "
            "model of a fisheye cannot take"
        )
    lines += [f"outlier: {name} (RMS {error:.2f} px), left out" for name, error in robust.outliers.items()]
    lines += [f"missing: {wish}" for wish in missing(fit)]
    if fit.rms > LARGE_RMS * fit.lens.size[0] / 640:
        lines.append("the RMS is large: is the board flat, is it as board.yaml says, and is --model right?")
    return lines
