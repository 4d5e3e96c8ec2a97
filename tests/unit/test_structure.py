"""The shape of the project: what a wheel holds, and what must never lie in the root."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_wheel_holds_the_packages_and_their_data(tmp_path: Path):
    source = tmp_path / "source"
    for name in ("robot_agent", "kernels", "sim", "bodies", "ros_nodes", "launch", "resource", "calibration", "bags"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("pyproject.toml", "setup.py", "setup.cfg", "package.xml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "-w", str(tmp_path), str(source)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for name in (
        "robot_agent/loop.py",
        "robot_agent/py.typed",
        "robot_agent/report/anchors_dmc.csv",
        "robot_agent_kernels/mppi/plan.py",
        "robot_agent_sim/worlds.py",
        "robot_agent_ros/py.typed",
        "robot_agent_bodies/gate/gate.py",
        "robot_agent_bodies/py.typed",
        "robot_agent_calibration/recording/recording.py",
        "robot_agent_ros/graph.py",
        "robot_agent_ros/fastdds.xml",
    ):
        assert name in names
    launch = (
        "launch/agent.launch.py",
        "launch/sim.launch.py",
        "launch/config/ros2_control.yaml",
        "launch/config/sim.yaml",
    )
    for name in ("lib/robot_agent/gate", *(f"share/robot_agent/{name}" for name in ("package.xml", *launch))):
        assert f"robot_agent-0.1.0.data/data/{name}" in names
    assert {name.split("/")[0] for name in names if not name.startswith("robot_agent-")} == {
        "robot_agent",
        "robot_agent_kernels",
        "robot_agent_bodies",
        "robot_agent_ros",
        "robot_agent_sim",
        "robot_agent_calibration",
        "robot_agent_bags",
    }


def test_no_folder_of_ours_shadows_another_package():
    assert not (ROOT / "launch" / "__init__.py").exists()
    assert not (ROOT / "kernels" / "__init__.py").exists()
    assert not (ROOT / "sim" / "__init__.py").exists()
    assert not (ROOT / "calibration" / "__init__.py").exists()
    assert not (ROOT / "bags" / "__init__.py").exists()
    assert not (ROOT / "bodies" / "__init__.py").exists()
    assert not (ROOT / "ros_nodes" / "__init__.py").exists()
