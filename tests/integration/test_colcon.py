"""`colcon build`, as a person with a ROS workspace runs it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("robot_agent", "kernels", "sim", "bodies", "ros_nodes", "calibration", "bags", "launch", "resource")
FILES = ("pyproject.toml", "setup.py", "setup.cfg", "package.xml", "README.md", "LICENSE")


def test_colcon_builds_a_package_whose_executables_run(tmp_path: Path):
    colcon = shutil.which("colcon")
    if colcon is None:
        pytest.skip("no colcon: apt-get install colcon")
    source = tmp_path / "src" / "robot_agent"
    for name in FOLDERS:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in FILES:
        shutil.copy(ROOT / name, source)
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([colcon, "build"], cwd=tmp_path, env=clean, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    install = tmp_path / "install"
    share = install / "robot_agent" / "share"
    assert (share / "ament_index" / "resource_index" / "packages" / "robot_agent").exists()
    assert (share / "robot_agent" / "launch" / "agent.launch.py").exists()
    assert (share / "robot_agent" / "launch" / "config" / "sim.yaml").exists()
    # The executable finds the package through the workspace, and torch and rclpy through ROBOT_AGENT_PYTHON.
    gate = install / "robot_agent" / "lib" / "robot_agent" / "gate"
    ran = subprocess.run(
        ["bash", "-c", f"source {install}/setup.bash && {gate} --ros-args -p joints:=[a]"],
        env={**clean, "ROBOT_AGENT_PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 2, ran.stderr
    assert "robot-agent: error: lower and upper of a are missing" in ran.stderr
