"""Decodes images to grey; the only part of a recording that needs OpenCV."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from robot_agent_calibration.errors import CalibrationError


def opencv() -> Any:
    """The module `cv2`.

    Raises:
        CalibrationError: it is not installed, or its version has no hand-eye calibration.
    """
    try:
        import cv2
    except ImportError as error:
        raise CalibrationError("OpenCV is not installed: pip install 'robot_agent[calibration]'") from error
    if not hasattr(cv2, "calibrateHandEye"):
        raise CalibrationError(
            f"OpenCV is {cv2.__version__}, expected 4.10 to 4.x: pip install 'robot_agent[calibration]'"
        )
    return cv2


def decode(data: bytes, name: str) -> NDArray[np.uint8]:
    """Grey (height, width) from the bytes of a PNG or JPEG file, as the sensor's rows and columns lie.

    An EXIF orientation is for people who look at the picture: turned by it, the principal point would be that of
    another camera. Pictures of 10 to 16 bits become 8-bit ones.

    Raises:
        CalibrationError: they are none, or its pixels are neither 8-bit nor 16-bit integers.
    """
    cv2 = opencv()
    flags = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
    image = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
    if image is None:
        raise CalibrationError(f"the image {name} cannot be decoded: it is damaged or cut off, leave it out")
    if image.dtype not in (np.uint8, np.uint16):
        raise CalibrationError(f"the image {name} has pixels of {image.dtype}, expected integers of 8 or 16 bits")
    return _in_8_bits(image)


def _in_8_bits(image: NDArray[np.uint8] | NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Of a 16-bit picture the 8 highest bits of those that its camera has: 10, 12, 14 or 16."""
    if image.dtype == np.uint8:
        return np.asarray(image, np.uint8)
    bits = next(bits for bits in (10, 12, 14, 16) if image.max(initial=0) < 1 << bits)
    return (image >> (bits - 8)).astype(np.uint8)


def from_raw(data: bytes, width: int, height: int, step: int, encoding: str, name: str) -> NDArray[np.uint8]:
    """Grey (height, width) from a ROS `sensor_msgs/Image`.

    Raises:
        CalibrationError: its encoding is not known here, or bytes are missing.
    """
    cv2 = opencv()
    channels = {"mono8": 1, "8UC1": 1, "rgb8": 3, "bgr8": 3, "8UC3": 3, "rgba8": 4, "bgra8": 4}.get(encoding)
    if channels is None:
        raise CalibrationError(
            f"the image {name} is of encoding {encoding!r}, expected mono8, rgb8, bgr8, rgba8 or bgra8"
        )
    if step < width * channels or len(data) < step * height:
        raise CalibrationError(
            f"the image {name} has {len(data)} bytes, fewer than its {height} rows need: it was cut off"
        )
    rows = np.frombuffer(data, np.uint8, step * height).reshape(height, step)[:, : width * channels]
    image = np.ascontiguousarray(rows).reshape(height, width, channels)
    if channels == 1:
        return image[..., 0]
    conversion = {"rgb8": cv2.COLOR_RGB2GRAY, "rgba8": cv2.COLOR_RGBA2GRAY, "bgra8": cv2.COLOR_BGRA2GRAY}
    return np.asarray(cv2.cvtColor(image, conversion.get(encoding, cv2.COLOR_BGR2GRAY)), np.uint8)
