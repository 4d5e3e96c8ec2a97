"""Opens a recording, whichever of its two forms it has."""

from __future__ import annotations

from pathlib import Path

from robot_agent_calibration.errors import CalibrationError
from robot_agent_calibration.recording.recording import Recording


def open_recording(path: Path) -> Recording:
    """Reads the tables of a folder or an MCAP file; images are decoded when they are asked for.

    Raises:
        CalibrationError: it is neither, or it is damaged; the sentence says where.
    """
    path = Path(path)
    if path.is_dir():
        from robot_agent_calibration.recording.folder import read_folder

        return read_folder(path)
    if not path.exists():
        raise CalibrationError(f"there is no recording {path}: give a folder or an .mcap file")
    if path.suffix != ".mcap":
        raise CalibrationError(f"{path} is neither a folder nor an .mcap file: give one of these")
    from robot_agent_calibration.recording.mcap_file import read_mcap

    return read_mcap(path)
