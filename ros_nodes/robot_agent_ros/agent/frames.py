"""A camera's message to the picture that the agent sees: checked, and small."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from robot_agent_sim.cameras.resize import resize_by_area

from robot_agent_ros.agent.pairing import Refused
from robot_agent_ros.messages.error import MessageError
from robot_agent_ros.messages.images import ENCODINGS, from_compressed, to_rgb

Resize = Callable[[NDArray[np.uint8], tuple[int, int]], NDArray[np.uint8]]


def fastest_resize() -> Resize:
    """OpenCV's averaging over areas where it is installed, a third of the time of ours; both give the same picture."""
    try:
        import cv2
    except ImportError:
        return resize_by_area

    def resize(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
        return np.asarray(cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_AREA))

    cv2.setNumThreads(1)
    return resize


class FrameReader:
    """Reads the messages of one camera.

    Args:
        size: height and width in which the agent sees.
        expected: height and width of frames; empty for any.
        compressed: they are JPEG or PNG.
    """

    def __init__(self, size: tuple[int, int], expected: tuple[int, ...], compressed: bool) -> None:
        self.size, self.expected, self.compressed = size, tuple(expected), compressed
        self._resize = fastest_resize()

    def read(self, message: Any) -> NDArray[np.uint8]:
        """The picture, uint8 (*size, 3).

        Raises:
            Refused: it has another size or encoding than it should, or is damaged.
        """
        if self.compressed:
            picture = self._decoded(from_compressed, message)
            self._check(picture.shape[:2])
        else:
            self._check((message.height, message.width))
            if message.encoding not in ENCODINGS:
                raise Refused(
                    "camera_encoding", f"frames are {message.encoding!r}, expected one of {', '.join(ENCODINGS)}"
                )
            picture = self._decoded(to_rgb, message)
        return self._resize(picture, self.size)

    def _check(self, size: tuple[int, ...]) -> None:
        if self.expected and tuple(size) != self.expected:
            raise Refused(
                "camera_size",
                f"frames are {size[1]}x{size[0]}, expected {self.expected[1]}x{self.expected[0]}: set image_size",
            )

    def _decoded(self, decode: Callable[[Any], NDArray[np.uint8]], message: Any) -> NDArray[np.uint8]:
        try:
            return decode(message)
        except MessageError as error:
            raise Refused("camera_unreadable", str(error)) from error
