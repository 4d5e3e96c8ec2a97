"""Where a calibrated camera is and how wide it sees: the sections `hand_eye` and `camera` of `calibration.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import atan, degrees
from typing import Any

import numpy as np
from numpy.typing import NDArray

SECTION, LENS_SECTION = "hand_eye", "camera"
_OPTICAL_TO_MUJOCO = np.diag([1.0, -1.0, -1.0])
"""ROS's optical frame looks along z with y down, a camera of MuJoCo along -z with y up."""


@dataclass(frozen=True)
class MountedCamera:
    """A camera on a body.

    Attributes:
        parent: the body that it is on, by its name in the model.
        position: in m in the parent's frame (3,).
        rotation: from the frame of a camera in MuJoCo to the parent's (3, 3).
        opening: degrees from top to bottom of its frames, as a pinhole of its focal length would open; None where its
            lens was not measured.
    """

    parent: str
    position: NDArray[np.float64]
    rotation: NDArray[np.float64]
    opening: float | None = None


def mounted_camera(hand_eye: Mapping[str, Any], lens: Mapping[str, Any] | None = None) -> MountedCamera:
    """The camera of a section `hand_eye` and, if it was measured, of the section `camera`.

    Raises:
        ValueError: a section lacks what is needed, or says what cannot be.
    """
    try:
        pose = hand_eye["camera"]
        position = np.array([pose["translation"][axis]["value"] for axis in "xyz"], np.float64)
        turned = _rotation(np.array(pose["rotation_xyzw"], np.float64))
        parent = str(pose["parent_frame"])
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(f"it lacks {error}: write it with robot-agent calibrate") from error
    opening = None if lens is None else _opening(lens)
    if not np.all(np.isfinite(position)) or (opening is not None and not 0 < opening < 170):
        raise ValueError(
            f"the camera is at {position.tolist()} and opens {opening}, expected finite numbers, in degrees"
        )
    return MountedCamera(parent, position, turned @ _OPTICAL_TO_MUJOCO, opening)


def _opening(lens: Mapping[str, Any]) -> float:
    try:
        return degrees(2 * atan(float(lens["image_height"]) / 2 / float(lens["camera_matrix"]["data"][4])))
    except (KeyError, TypeError, IndexError, ZeroDivisionError) as error:
        raise ValueError(
            f"the section {LENS_SECTION} beside it has no image_height and camera_matrix that say how wide it opens: "
            "write it with robot-agent calibrate camera"
        ) from error


def _rotation(xyzw: NDArray[np.float64]) -> NDArray[np.float64]:
    length = np.linalg.norm(xyzw)
    if xyzw.shape != (4,) or not abs(length - 1) < 1e-3:
        raise ValueError(f"rotation_xyzw is {xyzw.tolist()}, expected a quaternion of length 1")
    x, y, z, w = xyzw / length
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
