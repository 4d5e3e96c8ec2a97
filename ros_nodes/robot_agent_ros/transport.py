"""How messages travel between processes of one machine. No rclpy here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

PROFILE = Path(__file__).with_name("fastdds.xml")
_CHOSEN = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_BUILTIN_TRANSPORTS")


def whole_frames(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment in which all processes of a graph should start: camera frames go through shared memory whole.

    Transports that somebody chose stay.
    """
    if any(environment.get(name) for name in _CHOSEN):
        return dict(environment)
    return {**environment, _CHOSEN[0]: str(PROFILE)}
