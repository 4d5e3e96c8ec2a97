"""Nodes as processes for tests: on loopback, in a domain of their own, and all gone at the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from robot_agent_ros.graph import Node

ROOT = Path(__file__).parents[1]
TRANSITIONS = {
    "configure": 1,
    "cleanup": 2,
    "activate": 3,
    "deactivate": 4,
    "unconfigured_shutdown": 5,
    "inactive_shutdown": 6,
}
"""Of managed nodes, by the verbs of `lifecycle_msgs/Transition`."""
SOURCES = os.pathsep.join(
    str(ROOT / part) for part in (".", "kernels", "sim", "bodies", "ros_nodes", "calibration", "bags")
)


def alone() -> dict[str, str]:
    """The environment that keeps a test run's traffic on loopback and apart from that of others."""
    domain = 1 + os.getpid() % 99  # of 0 to 101, which are safe on Linux
    return {
        "ROS_DOMAIN_ID": os.environ.get("ROBOT_AGENT_TEST_DOMAIN", str(domain)),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
    }


def flags(parameters: Mapping[str, Any], remap: Mapping[str, str] | None = None) -> list[str]:
    """ROS's own arguments that set parameters and names."""
    args = ["--ros-args"]
    for name, value in parameters.items():
        args += ["-p", f"{name}:={_yaml(value)}"]
    for old, new in (remap or {}).items():
        args += ["-r", f"{old}:={new}"]
    return args


def _yaml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_yaml(one) for one in value) + "]"
    return f"'{value}'" if isinstance(value, str) else repr(value)


class Processes:
    """Processes of one test; every one that still runs at the end is killed.

    Args:
        folder: that keeps what each prints, as NAME.log.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, args: Sequence[str], env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Starts a Python with these arguments under a name."""
        environment = {
            **os.environ,
            "PYTHONPATH": SOURCES,
            "OMP_NUM_THREADS": "1",
            "XDG_RUNTIME_DIR": str(self.folder),
            **alone(),
            **(env or {}),
        }
        environment.pop("PYTHONUNBUFFERED", None)  # people do not set it
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, *args], env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        self.running[name] = process
        return process

    def start_node(
        self, node: Node, parameters: Mapping[str, Any], remap: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Starts a node of the graph with these parameters."""
        return self.start(node.name, ["-m", node.module, *flags(parameters, remap)])

    def stop(self, name: str, number: signal.Signals = signal.SIGINT, timeout: float = 20.0) -> int:
        """Signals a process, waits for its end, and returns its exit status."""
        process = self.running[name]
        process.send_signal(number)
        return process.wait(timeout)

    def log(self, name: str) -> str:
        """What a process printed so far."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def __enter__(self) -> Processes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self.running.values():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)
