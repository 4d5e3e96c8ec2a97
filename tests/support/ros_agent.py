"""A graph of a gate and an agent as processes around a scripted robot, over real DDS, whose faults tests set."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import rclpy
import yaml
from robot_agent_ros.graph import AGENT, GATE

from tests.ros_body import ScriptedRobot
from tests.ros_graph import Processes, alone, flags

RATE = 10.0
PERIOD = 1 / RATE
AGE = 0.3
"""s that a camera's frame or a joint state may be old."""
SLACK = 0.25
"""s that a busy machine may add to any bound."""
SETTINGS = {
    "device": "cpu",
    "agent": {
        "mind": {
            "encoder": {
                "latent_dim": 32,
                "simplex_dim": 4,
                "hidden": [64],
                "camera_channels": [8, 8, 8],
                "camera_features": 16,
                "shift_pixels": 1,
            },
            "world_model": {"hidden": [64, 64]},
            "heads": {"hidden": [64, 64], "bins": 51},
        },
        "planner": {"search": {"samples": 24, "policy_samples": 8, "iterations": 2}},
    },
    "online": {"random_decisions": 20, "learner": {"batch_size": 16}},
}
GATE_PARAMETERS = {
    "joints": ["one", "two"],
    "lower": [-1.0, -1.0],
    "upper": [1.0, 1.0],
    "velocity": [3.0],
    "acceleration": [30.0],
    "jerk": [600.0],
    "tracking_error": 0.0,
}


class Graph:
    """A robot with its gate and its agent."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        os.environ.update(alone())
        rclpy.init()
        self.robot = ScriptedRobot(camera_rate=RATE, joint_rate=50.0, obeys=True)
        self.processes = Processes(folder)
        self.run = folder / "run"
        settings = folder / "settings.yaml"
        settings.write_text(yaml.safe_dump(SETTINGS))
        self.parameters = {
            "joints": ["one", "two"],
            "lower": [-1.0, -1.0],
            "upper": [1.0, 1.0],
            "control_rate": RATE,
            "image_size": [48, 64],
            "camera_size": [16, 16],
            "settings": str(settings),
            "run_folder": str(self.run),
            "learner_idle": False,  # a machine that is busy with other things would start no learner in time
            "reward": "topic",
            "goal_dim": 0,
            "episode_seconds": 2.0,
            "largest_camera_age": AGE,
            "largest_joint_age": AGE,
            "largest_command_age": 0.4,
            "checkpoint": str(folder / "nowhere"),
        }

    def start_gate(self) -> None:
        self.processes.start_node(GATE, GATE_PARAMETERS)

    def start_agent(self) -> None:
        script = Path(__file__).parents[1] / "slow_agent.py"
        slow = str(self.folder / "slow")
        self.processes.start(AGENT.name, [str(script), slow, *flags(self.parameters)])

    def flows(self) -> None:
        """Commands come, and the gate follows them."""
        began = time.monotonic()
        self.robot.next_command_after(began, patience=20)
        assert self.robot.flow(1.0) >= 2

    def holds(self, why: str, within: float, since: float) -> None:
        """Commands end within a bound, and the agent says why."""
        last = self.robot.last_command_after(since, quiet=0.4)
        bound = within + SLACK + self.robot.stood_still(since, since + last)
        assert last <= bound, f"the last command came {last:.3f} s later, expected {bound:.3f} s at most"
        self.robot.wait_report("agent", lambda message, values: message == f"holding: {why}", 3)

    def recovers(self) -> None:
        began = time.monotonic()
        took = self.robot.next_command_after(began)
        bound = 1.0 + SLACK + self.robot.stood_still(began, began + took)
        assert took <= bound, (
            f"{took:.3f} s, expected {bound:.3f} s at most; the agent says {self.robot.report('agent')}"
        )
        self.flows()
        self.robot.wait_report("agent", lambda message, values: message.startswith("acting"), 3)

    def acts(self) -> None:
        """Brings the agent to where it acts, from wherever a test left it."""
        robot = self.robot
        if robot.state_of("agent", patience=90) == "unconfigured":
            if robot.parameter("agent", "checkpoint"):
                robot.set_parameter("agent", "checkpoint", "")
            assert robot.transition("agent", "configure", patience=120), self.processes.log(AGENT.name)
        if robot.state_of("agent") == "inactive":
            assert robot.transition("agent", "activate")
        self.flows()

    def close(self) -> None:
        self.processes.__exit__(None, None, None)
        self.robot.close()


@contextmanager
def running(folder: Path) -> Iterator[Graph]:
    """A graph that has begun, and is gone at the end."""
    graph = Graph(folder)
    try:
        graph.start_gate()
        graph.start_agent()
        yield graph
    finally:
        graph.close()
        rclpy.try_shutdown()  # the next tests begin anew
        print(graph.processes.log(AGENT.name)[-4000:])
