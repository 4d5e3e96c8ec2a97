"""Opens a recording, whichever of its forms it has."""

from __future__ import annotations

from pathlib import Path

from robot_agent_calibration.errors import CalibrationError
from robot_agent_calibration.recording.folder import TABLES, read_folder
from robot_agent_calibration.recording.recording import Recording

BAGS = (".mcap", ".db3")
"""In the names of files of ROS 2."""


def open_recording(path: Path) -> Recording:
    """Reads the tables of a folder, or the bag of ROS 2 that it is; images are decoded when they are asked for.

    Raises:
        CalibrationError: it is neither, or it is damaged; the sentence says where.
    """
    path = Path(path)
    if not path.exists():
        raise CalibrationError(f"there is no recording {path}: give a folder, or a bag of ROS 2 (.mcap or .db3)")
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    is_bag = any(suffix in file.name for file in files for suffix in BAGS)
    if path.is_dir() and (not is_bag or any(file.name in TABLES for file in files)):
        return read_folder(path)
    if not is_bag:
        raise CalibrationError(f"{path} is neither a folder nor a bag of ROS 2 (.mcap or .db3): give one of these")
    from robot_agent_calibration.recording.bag import read_bag

    return read_bag(path)
