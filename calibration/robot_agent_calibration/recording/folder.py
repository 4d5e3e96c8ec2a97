"""Recordings that are folders: `images/`, `frames.csv`, `joints.csv`, `efforts.csv`, `commands.csv`, `board.yaml`."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from robot_agent_calibration.errors import CalibrationError
from robot_agent_calibration.recording.board import Board
from robot_agent_calibration.recording.recording import Frame, Recording, Samples
from robot_agent_calibration.recording.tables import read_frame_list, read_samples

FRAMES, JOINTS, EFFORTS, COMMANDS, BOARD = "frames.csv", "joints.csv", "efforts.csv", "commands.csv", "board.yaml"
IMAGES = "images"
TABLES = (FRAMES, JOINTS, COMMANDS)
"""Of which a folder has one at least."""


def read_folder(folder: Path) -> Recording:
    """Reads the tables of a folder; images are decoded when they are asked for.

    Raises:
        CalibrationError: it holds no recording, or a part of it is damaged.
    """
    if not any((folder / name).exists() for name in TABLES):
        raise CalibrationError(f"{folder} holds no recording: expected {FRAMES}, {JOINTS} or {COMMANDS} in it")
    return Recording(
        path=folder,
        frames=_frames(folder),
        joints=_samples(folder / JOINTS),
        efforts=_samples(folder / EFFORTS),
        commands=_samples(folder / COMMANDS),
        board=Board.read(folder / BOARD) if (folder / BOARD).exists() else None,
    )


def _samples(path: Path) -> Samples | None:
    return read_samples(path) if path.exists() else None


def _frames(folder: Path) -> list[Frame]:
    if not (folder / FRAMES).exists():
        return []
    frames = []
    for stamp, name in read_frame_list(folder / FRAMES):
        file = next((path for path in (folder / IMAGES / name, folder / name) if path.is_file()), None)
        if file is None:
            raise CalibrationError(f"{folder / FRAMES} names {name}, which is not in {folder / IMAGES}")
        frames.append(Frame(stamp, name, partial(_load, file)))
    return frames


def _load(file: Path) -> NDArray[np.uint8]:
    from robot_agent_calibration.recording.images import decode

    return decode(file.read_bytes(), str(file))
