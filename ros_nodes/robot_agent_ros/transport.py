"""How messages travel between processes of one machine. No rclpy here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

PROFILE = Path(__file__).with_name("fastdds.xml")


def whole_frames(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment in which all processes of a graph should start: camera frames go through shared memory whole.

    A profile that somebody chose stays.
    """
    if "FASTDDS_DEFAULT_PROFILES_FILE" in environment or "FASTRTPS_DEFAULT_PROFILES_FILE" in environment:
        return dict(environment)
    return {**environment, "FASTDDS_DEFAULT_PROFILES_FILE": str(PROFILE)}
