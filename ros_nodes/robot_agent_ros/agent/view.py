"""What another camera in the same place would see: the one that the agent learned with."""

from __future__ import annotations

from math import tan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robot_agent_ros.agent.pairing import Refused
from robot_agent_ros.messages.camera_info import Lens


class View:
    """Cuts a frame to what a pinhole camera sees, and straightens it if its lens bends.

    A world's camera looks straight ahead, with the same focal length in both directions. What it sees beyond the edge
    of a frame is as the edge is.

    Args:
        lens: of the frames.
        opening: of the pinhole camera from top to bottom, rad.
        shape: its width over its height.

    Raises:
        Refused: a lens that bends needs OpenCV, which is not installed.
    """

    def __init__(self, lens: Lens, opening: float, shape: float) -> None:
        self.lens = lens
        half_height = tan(opening / 2)
        half = np.array([half_height * shape, half_height]) * lens.focal  # pixels, in x and y
        self._maps = _straightened(lens, half) if lens.distortion else None
        # Pixel i reaches from i - 0.5 to i + 0.5.
        low = np.rint(np.array(lens.centre) - half + 0.5).astype(int)
        high = np.rint(np.array(lens.centre) + half + 0.5).astype(int)
        ends = np.array(lens.size[::-1])
        inside_low, inside_high = np.clip(low, 0, ends - 1), np.clip(high, 1, ends)
        self._rows, self._columns = (slice(inside_low[axis], inside_high[axis]) for axis in (1, 0))
        before, after = inside_low - low, high - inside_high
        self._margins = ((int(before[1]), int(after[1])), (int(before[0]), int(after[0])), (0, 0))

    def __call__(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """What the pinhole camera sees of a frame (height, width, 3), as large as it is there.

        Raises:
            Refused: the frame has another size than the lens.
        """
        if frame.shape[:2] != self.lens.size:
            raise Refused(
                "camera_info_size",
                f"frames are {frame.shape[1]}x{frame.shape[0]}, expected {self.lens.size[1]}x{self.lens.size[0]} as in "
                "camera_info",
            )
        if self._maps is not None:
            cv2, maps = self._maps
            straight: NDArray[np.uint8] = cv2.remap(frame, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            return straight
        cut = frame[self._rows, self._columns]
        return np.pad(cut, self._margins, mode="edge") if any(map(any, self._margins)) else cut


def _straightened(lens: Lens, half: NDArray[np.float64]) -> tuple[Any, tuple[Any, Any]]:
    """OpenCV, and its maps from the pinhole camera's pixels to the lens's."""
    try:
        import cv2
    except ImportError:
        raise Refused(
            "camera_lens", "camera_info has a lens that bends, which needs OpenCV: pip install opencv-python-headless"
        ) from None
    columns, rows = np.maximum(1, np.rint(2 * half)).astype(int).tolist()
    (fx, fy), (cx, cy) = lens.focal, lens.centre
    real = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]])
    pinhole = np.array([[fx, 0, (columns - 1) / 2], [0, fy, (rows - 1) / 2], [0, 0, 1.0]])
    undistorting = cv2.fisheye.initUndistortRectifyMap if lens.model == "equidistant" else cv2.initUndistortRectifyMap
    maps = undistorting(real, np.array(lens.distortion), np.eye(3), pinhole, (columns, rows), cv2.CV_16SC2)
    return cv2, maps
