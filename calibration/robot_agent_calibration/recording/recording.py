"""What a recording is, wherever it comes from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from robot_agent_calibration.errors import CalibrationError
from robot_agent_calibration.recording.board import Board


@dataclass(frozen=True)
class Frame:
    """One image of a recording, decoded when asked for."""

    stamp: float
    """s."""

    name: str
    """Of its file, or its topic and number; errors name it."""

    load: Callable[[], NDArray[np.uint8]] = field(repr=False)

    def image(self) -> NDArray[np.uint8]:
        """Grey, uint8 (height, width).

        Raises:
            CalibrationError: it cannot be decoded.
        """
        return self.load()


@dataclass(frozen=True)
class Samples:
    """A signal a joint, sampled together.

    Args:
        names: of the joints, j of them.
        stamps: (n,) in s, strictly rising.
        values: (n, j); rad for positions and commands, N·m for efforts.
    """

    names: tuple[str, ...]
    stamps: NDArray[np.float64]
    values: NDArray[np.float64]

    def at(self, stamps: NDArray[np.float64]) -> NDArray[np.float64]:
        """Linear interpolation, (len(stamps), j); beyond the ends the end's value."""
        return np.stack([np.interp(stamps, self.stamps, column) for column in self.values.T], axis=1)

    def column(self, name: str) -> NDArray[np.float64]:
        """One joint's signal, (n,).

        Raises:
            CalibrationError: there is no such joint.
        """
        if name not in self.names:
            raise CalibrationError(f"the recording has no joint {name!r}, only {', '.join(self.names)}")
        return self.values[:, self.names.index(name)]


@dataclass(frozen=True)
class CameraInfo:
    """Intrinsics that the recording brought along, as ROS's `sensor_msgs/CameraInfo` has them."""

    width: int
    height: int
    distortion_model: str
    distortion: NDArray[np.float64]
    matrix: NDArray[np.float64]
    """(3, 3)."""


@dataclass(frozen=True)
class Recording:
    """Images, joint states and commands with stamps in s; parts that were not recorded are None or empty."""

    path: Path
    frames: Sequence[Frame] = ()
    joints: Samples | None = None
    efforts: Samples | None = None
    commands: Samples | None = None
    board: Board | None = None
    camera_info: CameraInfo | None = None

    def need_frames(self) -> Sequence[Frame]:
        """The images.

        Raises:
            CalibrationError: there are none.
        """
        if not self.frames:
            raise CalibrationError(f"{self.path} has no images: record some (a folder needs frames.csv and images/)")
        return self.frames

    def need_joints(self) -> Samples:
        """The joint positions.

        Raises:
            CalibrationError: there are none.
        """
        if self.joints is None:
            raise CalibrationError(f"{self.path} has no joint states: record them (a folder needs joints.csv)")
        return self.joints

    def need_commands(self) -> Samples:
        """The commanded positions.

        Raises:
            CalibrationError: there are none.
        """
        if self.commands is None:
            raise CalibrationError(f"{self.path} has no commands: record them (a folder needs commands.csv)")
        return self.commands

    def need_board(self) -> Board:
        """The board that was filmed.

        Raises:
            CalibrationError: it was not described.
        """
        if self.board is None:
            raise CalibrationError(
                f"{self.path} does not say which board was filmed: put board.yaml (squares, square, marker, "
                "dictionary) into the folder, or beside the MCAP file"
            )
        return self.board
