"""A camera's lens: sensor_msgs/CameraInfo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from robot_agent_ros.messages.error import MessageError

COEFFICIENTS = {"plumb_bob": (4, 5), "rational_polynomial": (8, 12, 14), "equidistant": (4,)}
"""How many a lens's distortion has, by its model."""


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
        model: of `COEFFICIENTS`.
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
    model, size = message.distortion_model, (int(message.height), int(message.width))
    if not (0 <= k[2] < size[1] and 0 <= k[5] < size[0]):
        raise MessageError(f"camera_info has its centre at ({k[2]:g}, {k[5]:g}), beyond {size[1]}x{size[0]} pixels")
    bends = bool(d.any()) or model == "equidistant"  # a fisheye without distortion is no pinhole either
    if bends and model not in COEFFICIENTS:
        raise MessageError(f"camera_info has the lens {model!r}, expected one of {', '.join(COEFFICIENTS)}")
    if bends and len(d) not in COEFFICIENTS[model]:
        counts = " or ".join(map(str, COEFFICIENTS[model]))
        raise MessageError(f"camera_info has {len(d)} numbers of distortion, expected {counts} for {model}")
    return Lens(
        size=size,
        focal=(float(k[0]), float(k[4])),
        centre=(float(k[2]), float(k[5])),
        model=model if bends else "plumb_bob",
        distortion=tuple(d.tolist()) if bends else (),
    )
