"""Measures a body from recordings: its camera, its joints, its delays, its dynamics. Knows nothing of the agent.

Importing this package loads neither OpenCV nor a simulator: each calibration imports what it needs.
"""

from robot_agent_calibration.errors import CalibrationError

__all__ = ["CalibrationError"]
