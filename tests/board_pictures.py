"""Pictures of a ChArUco board without a renderer: each pixel looks where its ray meets the board."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from robot_agent_calibration.camera.detection import charuco_board
from robot_agent_calibration.camera.lens import Lens
from robot_agent_calibration.geometry import inverse
from robot_agent_calibration.recording import Board, Samples
from robot_agent_calibration.recording.tables import write_rows, write_samples

FINE = 2
"""Rays for each pixel, in each direction."""
DOTS = 40
"""Pixels of the print for a square's side."""


class Photographer:
    """A camera before a board."""

    def __init__(self, lens: Lens, board: Board) -> None:
        self.lens, self.board = lens, board
        width, height = lens.size
        x, y = ((np.arange(n * FINE) + 0.5) / FINE - 0.5 for n in (width, height))
        pixels = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
        ideal = lens.rays(pixels)
        self._rays = np.column_stack([ideal, np.ones(len(ideal))])
        size = (board.squares[0] * DOTS, board.squares[1] * DOTS)
        drawn = charuco_board(board).generateImage(size)
        self._print = cv2.copyMakeBorder(drawn, DOTS, DOTS, DOTS, DOTS, cv2.BORDER_CONSTANT, value=255)

    def picture(self, transform_board_to_camera: NDArray[np.float64], seed: int = 0) -> NDArray[np.uint8]:
        """Grey (height, width)."""
        camera_to_board = inverse(transform_board_to_camera)
        rays = self._rays @ camera_to_board[:3, :3].T
        eye = camera_to_board[:3, 3]
        with np.errstate(divide="ignore", invalid="ignore"):
            hit = eye[:2] - rays[:, :2] * (eye[2] / rays[:, 2])[:, None]
        # A texel's centre has whole coordinates; the print has a margin of one square.
        at = np.nan_to_num(hit / self.board.square * DOTS + DOTS - 0.5, nan=-1e4).astype(np.float32)
        width, height = self.lens.size
        at = at.reshape(height * FINE, width * FINE, 2)
        fine = cv2.remap(self._print, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=110)
        grey = cv2.GaussianBlur(cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA), (0, 0), 0.6)
        noisy = 20 + 0.8 * grey + np.random.default_rng(seed).normal(0, 1.5, grey.shape)
        return np.asarray(np.clip(noisy, 0, 255), np.uint8)


def write_recording(
    folder: Path,
    pictures: Sequence[NDArray[np.uint8]],
    board: Board,
    angles: NDArray[np.float64] | None = None,
    names: Sequence[str] = (),
) -> Path:
    """A recording of pictures a second apart, and of an arm that stands still around each."""
    (folder / "images").mkdir(parents=True)
    for index, picture in enumerate(pictures):
        cv2.imwrite(str(folder / "images" / f"{index:02d}.png"), picture)
    write_rows(folder / "frames.csv", ["stamp", "file"], [[f"{i + 1}", f"{i:02d}.png"] for i in range(len(pictures))])
    (folder / "board.yaml").write_text(board.to_yaml())
    if angles is not None:
        stamps = np.repeat(np.arange(len(angles)) + 1.0, 2) + np.tile([-0.2, 0.2], len(angles))
        write_samples(folder / "joints.csv", Samples(tuple(names), stamps, np.repeat(angles, 2, axis=0)))
    return folder
