"""A camera's lens: sensor_msgs/CameraInfo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from robot_agent_ros.messages.error import MessageError

MODELS = ("plumb_bob", "rational_polynomial", "equidistant")


class CameraInfoMessage(Protocol):
    """sensor_msgs/CameraInfo."""

    height: int
    width: int
    distortion_model: str
    d: Any
    k: Any


@dataclass(frozen=True)
class Lens:
    """What a camera's driver says of it; the centre of the first pixel is at (0, 0).

    Attributes:
        size: height and width of its frames, pixels.
        focal: in x and y, pixels.
        centre: principal point in x and y, pixels.
        model: of `MODELS`.
        distortion: its coefficients, in OpenCV's order; empty for a lens that does not bend.
    """

    size: tuple[int, int]
    focal: tuple[float, float]
    centre: tuple[float, float]
    model: str = "plumb_bob"
    distortion: tuple[float, ...] = ()


def read_lens(message: CameraInfoMessage) -> Lens:
    """The lens of a message.

    Raises:
        MessageError: the camera was not calibrated, or what is said of it makes no sense.
    """
    k, d = np.asarray(message.k, np.float64), np.asarray(message.d, np.float64)
    if k.shape != (9,) or not np.all(np.isfinite(k)) or not np.all(np.isfinite(d)):
        raise MessageError(f"camera_info has k {k.tolist()} and d {d.tolist()}, expected 9 finite numbers and finite d")
    if k[0] <= 0 or k[4] <= 0:
        raise MessageError(
            "camera_info has a focal length of 0, as of a camera that was never calibrated: calibrate it"
        )
    bends = bool(d.any())
    if bends and message.distortion_model not in MODELS:
        raise MessageError(
            f"camera_info has the lens {message.distortion_model!r}, expected one of {', '.join(MODELS)}"
        )
    return Lens(
        size=(int(message.height), int(message.width)),
        focal=(float(k[0]), float(k[4])),
        centre=(float(k[2]), float(k[5])),
        model=message.distortion_model if bends else "plumb_bob",
        distortion=tuple(d.tolist()) if bends else (),
    )
