"""How messages travel between processes of one machine. No rclpy here."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from robot_agent_ros.errors import NodeError

PROFILE = Path(__file__).with_name("fastdds.xml")
WHEELS = "ros-rclpy"
"""The distribution of rclpy on PyPI; an installed ROS does not have it."""
_MIDDLEWARE = "rmw_fastrtps_cpp"
"""The only middleware in the wheels."""
_LAST_DOMAIN = 232
"""The UDP ports of a higher domain would be beyond 65535."""
_CHOSEN = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_BUILTIN_TRANSPORTS")


def whole_frames(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment in which all processes of a graph should start: camera frames go through shared memory whole.

    Transports that somebody chose stay.
    """
    if any(environment.get(name) for name in _CHOSEN):
        return dict(environment)
    return {**environment, _CHOSEN[0]: str(PROFILE)}


def check_middleware(environment: Mapping[str, str], wheels: str | None = None) -> None:
    """Refuses settings of the environment that the middleware would reject with a raw error, or ignore.

    Args:
        environment: in which rclpy is about to start.
        wheels: the version of rclpy from PyPI, empty for an installed ROS; None looks it up.

    Raises:
        NodeError: an invalid domain, or a feature that rclpy from PyPI lacks.
    """
    domain = environment.get("ROS_DOMAIN_ID", "")
    if domain and not (domain.isascii() and domain.isdigit() and int(domain) <= _LAST_DOMAIN):
        raise NodeError(
            f"ROS_DOMAIN_ID is {domain!r}, expected a number from 0 to {_LAST_DOMAIN} (0 to 101 are safe everywhere)"
        )
    wheels = _wheels() if wheels is None else wheels
    if not wheels:
        return
    middleware = environment.get("RMW_IMPLEMENTATION", "")
    if middleware not in ("", _MIDDLEWARE):
        raise NodeError(
            f"RMW_IMPLEMENTATION is {middleware}, and rclpy from PyPI ({wheels}) has {_MIDDLEWARE} only: unset it "
            f"and start the robot's nodes with RMW_IMPLEMENTATION={_MIDDLEWARE} too, or use an installed ROS"
        )
    if environment.get("ROS_SECURITY_ENABLE", "").lower() == "true":
        raise NodeError(
            f"ROS_SECURITY_ENABLE is true, and rclpy from PyPI ({wheels}) is built without DDS security: unset it, or "
            "use an installed ROS"
        )


def _wheels() -> str:
    try:
        return version(WHEELS)
    except PackageNotFoundError:
        return ""
