"""Recordings of a robot: images, joint states and commands with their stamps, from a folder or a bag of ROS 2."""

from robot_agent_calibration.recording.board import Board
from robot_agent_calibration.recording.open import open_recording
from robot_agent_calibration.recording.recording import CameraInfo, Frame, Recording, Samples

__all__ = ["Board", "CameraInfo", "Frame", "Recording", "Samples", "open_recording"]
