"""`robot-agent calibrate hand-eye`: where a camera is on the hand, or beside the arm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from robot_agent_sim.calibration import Estimate

from robot_agent_calibration.arm import page as arm_page
from robot_agent_calibration.arm.chain import Chain, chain_of
from robot_agent_calibration.arm.fit import ArmFit, Free, fit_arm, told_offsets
from robot_agent_calibration.arm.misreadings import misreading, turned_by
from robot_agent_calibration.arm.mounting import LEAST_TURN, closed_form, disagreement, turned
from robot_agent_calibration.arm.observed import Observed, lens_prior, observe
from robot_agent_calibration.arm.result import ArmResult
from robot_agent_calibration.camera.calibrate import LensModel
from robot_agent_calibration.camera.intrinsics import fit_lens
from robot_agent_calibration.errors import CalibrationError
from robot_agent_calibration.geometry import Array, Mask, exp, inverse, log, quaternion_xyzw
from robot_agent_calibration.outcome import Outcome
from robot_agent_calibration.recording import Recording

METHODS = ("PARK", "DANIILIDIS")
"""Two that share no step: the first solves the rotation and then the translation, the second both at once."""
UNUSUAL = 35.0
"""Squared misfit of a view by its own covariance, of which 6 is usual; 1 in 200,000 views is beyond by chance."""
WRONG_SIZE = 0.03
"""Share by which the board's size must be wrong at least to be refused."""


@dataclass(frozen=True)
class ArmConfig:
    """An arm, a camera and a board, of which one of the two is in the hand."""

    camera_at: Literal["hand", "base"] = "hand"
    """What the camera is fixed to."""

    robot: str = "so101"
    """Whose joints these are: so101, or an MJCF or URDF file."""

    hand: str = "gripper"
    """The body that carries the camera or the board."""

    base: str = "base"
    """The body that the arm stands on."""

    camera: Path | None = None
    """A calibration.yaml whose section `camera` is that of this camera; without it the same views tell."""

    model: LensModel = "plumb_bob"
    """Of the lens."""

    min_views: int = 12
    """Views of use without which nothing is said."""


@dataclass(frozen=True)
class Config(ArmConfig):
    """Where a camera is: on an arm's hand, looking at a standing board, or standing before a board in the hand.

    The recording is an arm that stands still for each picture, in 30 or more poses that turn all of its joints.
    """

    trust_joints: bool = False
    """Take the joints' zeros for exact instead of estimating them beside the camera's pose."""


def calibrate(recording: Recording, config: Config) -> Outcome:
    """Estimates where the camera is.

    Raises:
        CalibrationError: the recording does not determine it.
    """
    chain = chain_of(config.robot, config.hand, config.base)
    observed = observe(recording, chain, config.model, config.min_views)
    result = solve(observed, config, chain, np.zeros(len(chain.names), bool), not config.trust_joints)
    lines = hand_eye_lines(result, config)
    page = arm_page.arm_page("Hand-eye calibration", recording, result, lines)
    return Outcome({"hand_eye": hand_eye_section(result, config)}, lines, page)


def solve(observed: Observed, config: ArmConfig, chain: Chain, ratios: Mask, zeros: bool = True) -> ArmResult:
    """Fits the arm to what was observed.

    Args:
        observed: views and the joint angles at each.
        config: of the calibration.
        chain: of the arm.
        ratios: which gear ratios are estimated, mask (j,).
        zeros: whether the joints' offsets are estimated, as far as the views tell them.

    Raises:
        CalibrationError: the observations do not determine it, or contradict each other.
    """
    if config.min_views < 6:
        raise CalibrationError(f"--min-views is {config.min_views}, expected at least 6")
    check_motion(chain, observed.recorded)
    prior = lens_prior(config.camera, observed.fit)
    in_hand = config.camera_at == "hand"
    names = [view.name for view in observed.fit.views]
    looks = misreading(chain, observed.recorded, observed.fit.transforms_board_to_camera, in_hand, names)
    if looks:
        raise CalibrationError(f"the arm's poses contradict what the camera saw: {looks}")
    unusual: dict[str, str] = {}
    while True:
        hands = chain.transform_hand_to_base(observed.recorded)
        boards = observed.fit.transforms_board_to_camera
        forms = {method: closed_form(hands, boards, in_hand, method) for method in METHODS}
        free, known = told_offsets(chain, observed.recorded, boards, forms["PARK"], ratios)
        own = Free(free & zeros, ratios)
        fit = fit_arm(observed.fit, observed.recorded, chain, observed.board, forms["PARK"], own, prior)
        strange = fit.surprise > UNUSUAL
        if not strange.any():
            break
        unusual |= _strange_views(fit, strange)
        if (~strange).sum() < config.min_views:
            raise _contradiction(unusual)
        observed = _only(observed, ~strange)
    _check(fit, observed, unusual, config)
    return ArmResult(observed, chain, fit, forms, unusual, known & own.offsets)


def _strange_views(fit: ArmFit, strange: Mask) -> dict[str, str]:
    """What views that contradict the others look like, by their names."""
    found = {}
    for row in np.flatnonzero(strange).tolist():
        predicted = exp(fit.misfits[row]) @ fit.seen_poses[row]
        turn = turned_by(predicted, fit.seen_poses[row])
        found[fit.views[row].name] = f"looks turned by {turn}°" if turn else ""
    return found


def _only(observed: Observed, kept: Mask) -> Observed:
    """Some of the views; the camera is fitted to them alone, as what is strange of a view is in its lens as well."""
    rows = np.flatnonzero(kept).tolist()
    lens = observed.fit.lens
    fit = fit_lens([observed.fit.views[row] for row in rows], observed.board, lens.size, lens.model)
    return replace(observed, fit=fit, recorded=observed.recorded[rows])


def check_motion(chain: Chain, recorded: Array) -> None:
    """Refuses motions with rotations about one axis only, and says which joints to move.

    Raises:
        CalibrationError: the hand turned too little, or about nearly parallel axes.
    """
    hands = chain.transform_hand_to_base(recorded)
    spread = turned(hands)
    if spread[1] >= LEAST_TURN:
        return
    # The joint that turns the hand about an axis most unlike the one it turned about.
    _, _, directions = np.linalg.svd(_turns(hands), full_matrices=False)
    main = hands[0, :3, :3] @ directions[0]
    axes = chain.with_twists(recorded[:1])[1][0, :, :3]
    unlike = np.linalg.norm(np.cross(axes, main), axis=1)
    best = [chain.names[index] for index in np.argsort(-unlike, kind="stable")[:2]]
    what = (
        f"the hand turned by only {np.degrees(spread[0]):.0f}°"
        if spread[0] < LEAST_TURN
        else f"the hand turned about nearly parallel axes ({np.degrees(spread[1]):.1f}° about any other)"
    )
    raise CalibrationError(
        f"{what}, which leaves the camera's place unknown: also turn {best[0]} and {best[1]} by 30° or more "
        "between pictures"
    )


def _turns(hands: Array) -> Array:
    return log(inverse(hands[:1]) @ hands)[:, :3]


def _check(fit: ArmFit, observed: Observed, unusual: Mapping[str, str], config: ArmConfig) -> None:
    errors = fit.errors
    if errors[:3].max() > np.radians(5) or errors[3:6].max() > 0.05:
        raise CalibrationError(
            f"the camera's pose stays uncertain by {np.degrees(errors[:3].max()):.1f}° and "
            f"{1e3 * errors[3:6].max():.0f} mm: add views, with larger turns of all joints"
        )
    size, error = fit.log_scale
    if abs(size) > max(WRONG_SIZE, 5 * error):
        square = observed.board.square
        raise CalibrationError(
            f"by the arm's motion a square of the board is {1e3 * square * np.exp(size):.1f} mm, board.yaml says "
            f"{1e3 * square:.1f} mm: measure it again, or look whether --robot and --hand are right"
        )
    if len(unusual) > 0.3 * (len(observed.fit.views) + len(unusual)):
        raise _contradiction(unusual)
    play = fit.play.joints.max()
    if play > np.radians(5) or fit.play.slack > 0.02:
        raise CalibrationError(
            f"the arm's poses and the camera's differ by {np.degrees(play):.1f}° and {1e3 * fit.play.slack:.0f} mm at "
            "random: are --robot, --hand and --camera-at right, and images and joints of one clock?"
        )


def place_errors(transform: Array, covariance: Array) -> Array:
    """Standard errors of a position, (3,) in m, where `covariance` is that of a twist in the frame mapped from."""
    rotation = transform[:3, :3]
    return np.sqrt(np.diag(rotation @ covariance[3:6, 3:6] @ rotation.T))


def _contradiction(unusual: Mapping[str, str]) -> CalibrationError:
    return CalibrationError(
        f"{len(unusual)} views contradict the others (such as {', '.join(list(unusual)[:3])}): are stamps of images "
        "and joints swapped or from two clocks, or did board or camera move?"
    )


def pose_estimates(transform: Array, covariance: Array, frames: tuple[str, str]) -> dict[str, Any]:
    """The mapping of a pose, `covariance` being that of a twist in the frame that `transform` maps from."""
    spread, turns = place_errors(transform, covariance), np.sqrt(np.diag(covariance)[:3])
    place = {
        axis: Estimate(float(value), float(error), "m").to_yaml()
        for axis, value, error in zip("xyz", transform[:3, 3], spread, strict=True)
    }
    return {
        "parent_frame": frames[0],
        "child_frame": frames[1],
        "translation": place,
        "rotation_xyzw": [float(value) for value in quaternion_xyzw(transform)],
        "rotation_standard_error": {axis: float(error) for axis, error in zip("xyz", turns, strict=True)},
    }


def hand_eye_section(result: ArmResult, config: ArmConfig) -> dict[str, Any]:
    """The section of the result file."""
    fit = result.fit
    mount, other = (config.hand, config.base) if config.camera_at == "hand" else (config.base, config.hand)
    camera = fit.body.mounting.transform_camera_to_mount
    size, error = float(np.exp(fit.log_scale[0])), fit.log_scale[1]
    return {
        "camera_at": config.camera_at,
        "camera": pose_estimates(camera, fit.covariance[:6, :6], (mount, "camera_optical_frame")),
        "board": {
            "parent_frame": other,
            "translation": [float(value) for value in fit.body.mounting.transform_board_to_other[:3, 3]],
            "rotation_xyzw": [float(value) for value in quaternion_xyzw(fit.body.mounting.transform_board_to_other)],
        },
        "joint_zeros": "trusted" if not fit.free.offsets.any() else "estimated",
        "closed_forms": {
            method: dict(zip(("difference_m", "difference_rad"), disagreement(form, fit.body.mounting), strict=True))
            for method, form in result.closed_forms.items()
        },
        "reprojection_rms": float(result.observed.fit.rms),
        "views": len(fit.views),
        "unusual_views": list(result.unusual),
        "board_size": Estimate(size, size * error, "1").to_yaml(),
        "warnings": list(result.warnings),
    }


def hand_eye_lines(result: ArmResult, config: ArmConfig) -> list[str]:
    """What a person wants to know."""
    fit = result.fit
    camera = fit.body.mounting.transform_camera_to_mount
    mount = config.hand if config.camera_at == "hand" else config.base
    pose = pose_estimates(camera, fit.covariance[:6, :6], (mount, "camera_optical_frame"))
    lines = [f"camera (optical frame) in the frame of {mount}, from {len(fit.views)} views"]
    for axis, place in pose["translation"].items():
        lines.append(f"  {axis} {1e3 * place['value']:>9.2f} ± {1e3 * 1.96 * place['standard_error']:.2f} mm")
    x, y, z, w = pose["rotation_xyzw"]
    lines.append(f"  quaternion {x:.5f} {y:.5f} {z:.5f} {w:.5f} (x y z w)")
    turns = " ".join(f"{np.degrees(1.96 * error):.3f}°" for error in fit.errors[:3])
    lines.append(f"  turned about its own x, y, z by ± {turns} (± are 95 % intervals)")
    at = " ".join(f"--{axis} {place['value']:.5f}" for axis, place in pose["translation"].items())
    turned_by = f"--qx {x:.6f} --qy {y:.6f} --qz {z:.6f} --qw {w:.6f}"
    lines.append(
        f"for ROS: ros2 run tf2_ros static_transform_publisher {at} {turned_by} --frame-id {mount} "
        "--child-frame-id camera_optical_frame"
    )
    for method, form in result.closed_forms.items():
        metres, radians = disagreement(form, fit.body.mounting)
        lines.append(f"OpenCV's {method} alone is {1e3 * metres:.1f} mm and {np.degrees(radians):.2f}° from this")
    plays = ", ".join(
        f"{name} {np.degrees(play):.2f}°" for name, play in zip(result.chain.names, fit.play.joints, strict=True)
    )
    lines.append(f"random error of the joints (standard deviation): {plays}")
    lines.append(result.size)
    lines += [f"warning: {warning}" for warning in result.warnings]
    lines += [
        f"unusual: view {name} contradicts the others, left out" + (f" ({looks})" if looks else "")
        for name, looks in result.unusual.items()
    ]
    lines += [f"left out: {name} ({why})" for name, why in result.observed.dropped.items()]
    return lines
