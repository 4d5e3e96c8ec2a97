"""A camera's message to the picture that the agent sees: checked, and small."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from robot_agent_sim.cameras.resize import resize_by_area

from robot_agent_ros.agent.pairing import Refused
from robot_agent_ros.agent.view import View
from robot_agent_ros.messages.camera_info import read_lens
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
        opening: from top to bottom of what the agent is to see, rad; None for the whole frame, whatever its shape.
        bits: see `to_rgb`.
    """

    def __init__(
        self,
        size: tuple[int, int],
        expected: tuple[int, ...],
        compressed: bool,
        opening: float | None = None,
        bits: int = 0,
    ) -> None:
        self.size, self.expected, self.compressed, self.opening = size, tuple(expected), compressed, opening
        self.bits = bits
        self._resize = fastest_resize()
        self._view: View | None = None
        # Words and no error: one that is raised again and again would hold every frame that it was raised about.
        self._blind = (
            "camera_info_missing",
            "no camera_info has come, so what the world's camera would see of a frame is not known: let the driver "
            "publish it, or set camera_view to whole",
        )

    def look_through(self, message: Any) -> None:
        """Takes the camera_info of the frames that follow; if it is of no use, the last one stays.

        As long as there is none, frames are refused with what is wrong with it.
        """
        if self.opening is None:
            return
        try:
            lens = read_lens(message)
            if self._view is None or lens != self._view.lens:
                self._view = View(lens, self.opening, self.size[1] / self.size[0])
        except MessageError as error:
            self._blind = ("camera_info_unreadable", str(error))
        except Refused as why:
            self._blind = (why.name, str(why))

    def read(self, message: Any) -> NDArray[np.uint8]:
        """The picture, uint8 (*size, 3).

        Raises:
            Refused: it has another size or encoding than it should, is damaged, or what its camera sees is not known.
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
        if self.opening is not None:
            if self._view is None:
                raise Refused(*self._blind)
            picture = self._view(picture)
        return self._resize(picture, self.size)

    def _check(self, size: tuple[int, ...]) -> None:
        if self.expected and tuple(size) != self.expected:
            raise Refused(
                "camera_size",
                f"frames are {size[1]}x{size[0]}, expected {self.expected[1]}x{self.expected[0]}: set image_size",
            )

    def _decoded(self, decode: Callable[[Any, int], NDArray[np.uint8]], message: Any) -> NDArray[np.uint8]:
        try:
            return decode(message, self.bits)
        except MessageError as error:
            raise Refused("camera_unreadable", str(error)) from error
