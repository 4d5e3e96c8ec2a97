"""Hand-eye calibration by OpenCV's closed forms: where the fit of the arm starts, and what it is compared with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from robot_agent_calibration.camera.intrinsics import mean_pose
from robot_agent_calibration.errors import CalibrationError
from robot_agent_calibration.geometry import Array, angle_between, inverse, log
from robot_agent_calibration.recording.images import opencv

LEAST_TURN = np.radians(15)
"""The hand must turn by this about two different axes, or positions along one of them stay unknown."""


@dataclass(frozen=True)
class Mounting:
    """Where the camera and the board are.

    Args:
        in_hand: the camera is on the hand and the board stands; else the camera stands and the board is on the hand.
        transform_camera_to_mount: the mount is the hand if `in_hand`, else the base.
        transform_board_to_other: to the base if `in_hand`, else to the hand.
    """

    in_hand: bool
    transform_camera_to_mount: Array
    transform_board_to_other: Array


def closed_form(hand_to_base: Array, board_to_camera: Array, in_hand: bool, method: str) -> Mounting:
    """One of OpenCV's solutions of A X = X B, trusting the joints.

    Args:
        hand_to_base: transforms of each view, (n, 4, 4).
        board_to_camera: the same.
        in_hand: where the camera is.
        method: PARK (Park and Martin, 1994: rotation first) or DANIILIDIS (1999: both at once by dual quaternions).

    Raises:
        CalibrationError: it finds none.
    """
    cv2 = opencv()
    moving = hand_to_base if in_hand else inverse(hand_to_base)
    try:
        rotation, translation = cv2.calibrateHandEye(
            list(moving[:, :3, :3]),
            list(moving[:, :3, 3]),
            list(board_to_camera[:, :3, :3]),
            list(board_to_camera[:, :3, 3]),
            method=getattr(cv2, f"CALIB_HAND_EYE_{method}"),
        )
    except cv2.error as error:
        raise CalibrationError("the hand-eye equations have no solution: record more poses of the hand") from error
    camera_to_mount = np.eye(4)
    camera_to_mount[:3, :3], camera_to_mount[:3, 3] = rotation, translation.ravel()
    # Of motions that contradict each other, OpenCV makes a reflection.
    if not np.isfinite(camera_to_mount).all() or np.linalg.det(camera_to_mount) <= 0:
        raise CalibrationError("the hand-eye equations have no solution: record more poses of the hand")
    return Mounting(in_hand, camera_to_mount, mean_pose(moving @ camera_to_mount @ board_to_camera))


def disagreement(a: Mounting, b: Mounting) -> tuple[float, float]:
    """m and rad between the camera's poses in two solutions."""
    difference = a.transform_camera_to_mount[:3, 3] - b.transform_camera_to_mount[:3, 3]
    return float(np.linalg.norm(difference)), angle_between(a.transform_camera_to_mount, b.transform_camera_to_mount)


def turned(hand_to_base: Array) -> Array:
    """How far the hand turned about its three main axes, rad, largest first; seen from its first pose's frame.

    The second has to be well above zero: with rotations about a single axis, the position of the camera along that axis
    cannot be known (Tsai and Lenz, 1989).
    """
    relative = log(inverse(hand_to_base[:1]) @ hand_to_base)[:, :3]
    spread = np.linalg.svd(relative, compute_uv=False)
    return np.asarray(spread / np.sqrt(len(relative)) * 2)
