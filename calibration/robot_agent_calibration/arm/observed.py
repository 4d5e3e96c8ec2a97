"""Views and joint angles that belong together: what hand-eye calibration and that of joints begin with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from robot_agent_sim.calibration import CalibrationFileError, read_calibration

from robot_agent_calibration.arm.chain import Chain
from robot_agent_calibration.arm.joint_angles import JointAngles, joint_angles
from robot_agent_calibration.camera.detection import detect
from robot_agent_calibration.camera.intrinsics import LensFit
from robot_agent_calibration.camera.robust import fit_robustly
from robot_agent_calibration.camera.views import View
from robot_agent_calibration.errors import CalibrationError
from robot_agent_calibration.geometry import Array
from robot_agent_calibration.recording import Recording, Samples
from robot_agent_calibration.recording.board import Board
from robot_agent_calibration.recording.recording import Frame

STILL = np.radians(0.3)
"""rad that a joint may move within `AROUND` of a picture."""
AROUND = 0.05
"""s."""
PriorLens = tuple[Array, Array]


@dataclass(frozen=True)
class Observed:
    """What is known before the arm is fitted.

    Args:
        board: that was seen.
        fit: the camera by the views alone.
        recorded: joint angles at each view, (v, j) rad.
        dropped: images left out, and why.
        ambiguous: joints of which it is not known in which turn they were.
    """

    board: Board
    fit: LensFit
    recorded: Array
    dropped: dict[str, str]
    ambiguous: frozenset[str] = frozenset()


def observe(recording: Recording, chain: Chain, model: str, least: int) -> Observed:
    """Finds the board in every picture taken at rest, and the joints' angles then.

    Raises:
        CalibrationError: too few pictures are of use.
    """
    angles = joint_angles(recording.need_joints(), chain)
    board = recording.need_board()
    frames, dropped = _at_rest(recording.need_frames(), angles.samples)
    if len(frames) < least:
        raise CalibrationError(
            f"{len(frames)} of {len(recording.frames)} images were taken while the arm stood still and its joints were "
            f"recorded, expected at least {least}: stop for each picture, and use one clock"
        )
    detections = detect(frames, board, least)
    seen = observed_views(detections.views, detections.size, angles, board, model, least)
    return replace(seen, dropped=dropped | detections.dropped | seen.dropped)


def observed_views(
    views: Sequence[View], size: tuple[int, int], angles: JointAngles, board: Board, model: str, least: int
) -> Observed:
    """The camera of views that were taken at rest, and the joints' angles then.

    Raises:
        CalibrationError: too few views fit one camera.
    """
    robust = fit_robustly(views, board, size, model, least)
    dropped = {name: f"does not fit the others, RMS {error:.2f} px" for name, error in robust.outliers.items()}
    stamps = np.array([view.stamp for view in robust.fit.views])
    return Observed(board, robust.fit, angles.samples.at(stamps), dropped, angles.ambiguous)


def _at_rest(frames: Sequence[Frame], joints: Samples) -> tuple[list[Frame], dict[str, str]]:
    kept, dropped = [], {}
    for frame in frames:
        if not joints.stamps[0] <= frame.stamp <= joints.stamps[-1]:
            dropped[frame.name] = "has no joint states at its time"
            continue
        window = np.linspace(frame.stamp - AROUND, frame.stamp + AROUND, 5)
        if np.ptp(joints.at(window), axis=0).max() > STILL:
            dropped[frame.name] = "was taken while the arm moved"
        else:
            kept.append(frame)
    return kept, dropped


def lens_prior(path: Path | None, fit: LensFit) -> PriorLens | None:
    """The camera of an earlier calibration and its covariance.

    Raises:
        CalibrationError: the file has none, or it is another camera's.
    """
    if path is None:
        return None
    try:
        section = read_calibration(path).get("camera")
    except CalibrationFileError as error:
        raise CalibrationError(str(error)) from error
    if section is None:
        raise CalibrationError(f"{path} has no section 'camera': robot-agent calibrate camera RECORDING adds it")
    size = int(section.get("image_width", 0)), int(section.get("image_height", 0))
    if section.get("distortion_model") != fit.lens.model or size != fit.lens.size:
        own = f"{fit.lens.model} of {fit.lens.size[0]}x{fit.lens.size[1]}{_looks(size, fit.lens.size)}"
        raise CalibrationError(
            f"the camera in {path} is {section.get('distortion_model')} of {size[0]}x{size[1]}, the recording's {own}: "
            "give that camera's calibration"
        )
    values = np.array([section["estimates"][name]["value"] for name in fit.lens.names])
    spread = np.array(section["covariance"], np.float64)
    both = np.sqrt(np.diag(spread) + np.diag(fit.covariance))[:4]
    away = np.abs(values - fit.lens.parameters)[:4] / both
    if away.max() > 8 and (np.abs(values - fit.lens.parameters)[:4] > 0.01 * fit.lens.parameters[0]).any():
        name = fit.lens.names[int(away.argmax())]
        raise CalibrationError(
            f"the camera in {path} is another one: its {name} is {values[away.argmax()]:.1f} px, this recording's "
            f"{fit.lens.parameters[away.argmax()]:.1f} px; leave --camera out"
        )
    return values, spread


def _looks(calibrated: tuple[int, int], recorded: tuple[int, int]) -> str:
    """What pictures of another size look like."""
    (width, height), (own_width, own_height) = calibrated, recorded
    if width * own_height == height * own_width and width != own_width:
        return f" (they look scaled by {own_width / width:g})"
    if (width, height) == (own_height, own_width):
        return " (they look turned by 90°)"
    return ""
