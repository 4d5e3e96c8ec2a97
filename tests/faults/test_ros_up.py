"""`robot-agent ros up`: the whole graph as processes, its end by SIGINT, and its gate that is killed."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import rclpy
import yaml
from robot_agent_ros.endpoints import subscription
from robot_agent_ros.graph import ENABLE, JOINT_STATES

from tests.ros_ears import ears
from tests.ros_graph import ROOT, Processes, alone
from tests.ros_robot import GATE_PARAMETERS, JOINTS, PlayedRobot


class Watched(PlayedRobot):
    """The topics of a robot that somebody else plays."""

    def __init__(self) -> None:
        self.joints: list[tuple[float, list[float]]] = []
        super().__init__()
        self.measures = False
        subscription(self.node, JOINT_STATES, self._on_joints)

    def _on_joints(self, message) -> None:
        self.joints.append((time.monotonic(), list(message.position)))


@pytest.fixture
def watched() -> Iterator[Watched]:
    os.environ.update(alone())
    rclpy.init()
    with Watched() as watching:
        yield watching
    rclpy.try_shutdown()


def robot_file(folder: Path) -> Path:
    """The robot of `--robot sim` without a camera, with an agent that learns soon and keeps its run here."""
    sections = yaml.safe_load((ROOT / "launch" / "config" / "sim.yaml").read_text())
    agent = sections["/**/agent"]["ros__parameters"]
    agent |= {"streams": ["proprio"], "run_folder": str(folder / "run")}
    sections["/**/sim_body"]["ros__parameters"] |= {"camera_rate": 0.0}
    path = folder / "robot.yaml"
    path.write_text(yaml.safe_dump(sections))
    return path


def wait_for_line(processes: Processes, line: str, timeout: float) -> None:
    end = time.monotonic() + timeout
    while line not in processes.log("up"):
        assert processes.running["up"].poll() is None, processes.log("up")
        assert time.monotonic() < end, processes.log("up")
        time.sleep(0.05)


def test_the_graph_comes_up_survives_its_gate_and_ends_clean(tmp_path: Path, watched: Watched):
    with Processes(tmp_path) as processes:
        up = processes.start("up", ["-m", "robot_agent.cli.main", "ros", "up", "--robot", str(robot_file(tmp_path))])
        wait_for_line(processes, "agent is active", 120)
        watched.wait_for("following", 30)

        gate = re.search(r"(\d+) .*robot_agent_ros\.gate\.node", process_list())
        assert gate
        os.kill(int(gate[1]), signal.SIGKILL)
        killed = time.monotonic()
        wait_for_line(processes, "gate ended with status -9: it is started again", 10)
        watched.wait(lambda: any(at > killed + 0.3 and s == "following" for at, s in watched.statuses[-50:]), 60)

        up.send_signal(signal.SIGINT)
        assert up.wait(90) == 0, processes.log("up")
        log = processes.log("up")
    assert "Traceback" not in log, log
    assert "is killed" not in log, log  # nobody had to be
    assert list((tmp_path / "run").rglob("*.safetensors")), log  # what it learned is kept
    # The body held when it ended: the last joint states were the same for as long as the gate took to end.
    positions = [position for _, position in watched.joints[-5:]]
    assert max(abs(a - b) for one in positions for a, b in zip(one, positions[-1], strict=True)) < 0.01


def test_an_end_right_after_the_beginning_is_as_quiet(tmp_path: Path):
    with Processes(tmp_path) as processes:
        up = processes.start("up", ["-m", "robot_agent.cli.main", "ros", "up", "--robot", str(robot_file(tmp_path))])
        wait_for_line(processes, "up: sim_body, gate, agent", 60)
        up.send_signal(signal.SIGINT)  # while the agent still imports
        assert up.wait(60) == 0, processes.log("up")
        assert "Traceback" not in processes.log("up")


def test_an_end_while_the_agent_is_configured_waits_for_nothing(tmp_path: Path):
    with Processes(tmp_path) as processes:
        path = robot_file(tmp_path)
        up = processes.start("up", ["-m", "robot_agent.cli.main", "ros", "up", "--robot", str(path)])
        run, end = tmp_path / "run", time.monotonic() + 120
        while not run.exists():  # the first thing that configuring does
            assert time.monotonic() < end, processes.log("up")
            time.sleep(0.005)
        began = time.monotonic()
        up.send_signal(signal.SIGINT)
        assert up.wait(90) == 0, processes.log("up")
        assert time.monotonic() - began < 30
        log = processes.log("up")
    assert "is killed" not in log, log
    assert "Traceback" not in log, log
    assert not run.exists(), "a start that was ended is no run"


def test_an_agent_that_is_shut_down_ends_the_graph_with_status_2(tmp_path: Path):
    with ears() as heard, Processes(tmp_path) as processes:
        path = robot_file(tmp_path)
        up = processes.start("up", ["-m", "robot_agent.cli.main", "ros", "up", "--robot", str(path), "--no-autostart"])
        wait_for_line(processes, "up: sim_body, gate, agent", 60)
        heard.change("agent", "configure")
        heard.change("agent", "inactive_shutdown")
        assert up.wait(90) == 2, processes.log("up")
        log = processes.log("up")
    assert "agent ended with status 0, so the others were ended too" in log, log
    assert "is killed" not in log, log


def test_a_robot_of_ones_own_does_not_move_before_it_is_enabled(tmp_path: Path):
    own = {
        "/**/gate": {"ros__parameters": GATE_PARAMETERS},
        "/**/agent": {
            "ros__parameters": {
                "joints": list(JOINTS),
                "lower": [-1.0, -1.0],
                "upper": [1.0, 1.0],
                "control_rate": 20.0,
                "streams": ["proprio"],
                "reward": "topic",
                "run_folder": str(tmp_path / "run"),
                "largest_joint_age": 0.3,
            }
        },
    }
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump(own))
    os.environ.update(alone())
    rclpy.init()
    try:
        with PlayedRobot() as robot, Processes(tmp_path) as processes:
            up = processes.start("up", ["-m", "robot_agent.cli.main", "ros", "up", "--robot", str(path)])
            wait_for_line(processes, "the robot does not move yet: call /gate/enable", 120)
            robot.wait_for("not_enabled", 30)
            time.sleep(2.0)
            assert robot.position == [0.1, -0.1]
            robot.call(ENABLE, data=True)
            robot.wait_for("following", 30)
            robot.wait(lambda: robot.position != [0.1, -0.1])
            up.send_signal(signal.SIGINT)
            assert up.wait(90) == 0, processes.log("up")
    finally:
        rclpy.try_shutdown()


def process_list() -> str:
    """(pid, command line) of the children of this test, one a line."""
    lines = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                environment = (folder / "environ").read_bytes()
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if f"ROS_DOMAIN_ID={os.environ['ROS_DOMAIN_ID']}\0".encode() in environment:
                lines.append(f"{folder.name} {command}")
    return "\n".join(lines)
