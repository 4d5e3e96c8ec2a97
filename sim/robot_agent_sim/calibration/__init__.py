"""What was measured about a body: the schema of `calibration.yaml`, which calibrations write and simulators read."""

from robot_agent_sim.calibration.estimate import Estimate
from robot_agent_sim.calibration.file import (
    SECTIONS,
    CalibrationFileError,
    merge_sections,
    read_calibration,
)

__all__ = ["SECTIONS", "CalibrationFileError", "Estimate", "merge_sections", "read_calibration"]
