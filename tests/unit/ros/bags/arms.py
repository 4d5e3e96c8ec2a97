"""An arm of three joints that follows commands, recorded as graphs of others are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from diagnostic_msgs.msg import KeyValue
from robot_agent_ros.agent.config import AgentConfig
from robot_agent_ros.graph import COMMAND, GATE_STATUS, JOINT_STATES, POSITIONS, TRAJECTORY, Topic
from robot_agent_ros.recorder.bag import Bag
from trajectory_msgs.msg import JointTrajectoryPoint

from robot_agent.replay.replay import Replay
from tests.ros_wire import blank, put

START = 1_800_000_000.0
JOINTS = ("turn", "shoulder", "elbow")
RATE = 20.0
LARGEST = 0.1
CONFIG = AgentConfig(
    joints=JOINTS,
    lower=(-2.0, -2.0, -2.0),
    upper=(2.0, 2.0, 2.0),
    largest_change=LARGEST,
    control_rate=RATE,
    streams=("proprio",),
)
Said = Iterator[tuple[Topic, Any]]
TICK = 0.005


def agent(now: float, command: np.ndarray) -> Said:
    """As our agent commands."""
    message = blank(COMMAND, now)
    message.joint_names, message.points = list(JOINTS), [JointTrajectoryPoint(positions=command.tolist())]
    yield COMMAND, message


def forward_controller(now: float, command: np.ndarray) -> Said:
    message = blank(POSITIONS)
    message.data = command.tolist()
    yield POSITIONS, message


def trajectory_controller(now: float, command: np.ndarray) -> Said:
    message = blank(TRAJECTORY)
    point = JointTrajectoryPoint(positions=command.tolist(), velocities=[0.0] * 3)
    point.time_from_start.nanosec = 10_000_000
    message.joint_names, message.points = list(JOINTS), [point]
    yield TRAJECTORY, message


def joints_at_once(now: float, position: np.ndarray) -> Said:
    message = blank(JOINT_STATES, now)
    message.name, message.position = list(JOINTS), position.tolist()
    yield JOINT_STATES, message


class Arm:
    """Random commands that the arm follows.

    Attributes:
        times, commands: s and rad (n, 3) of each.
    """

    def __init__(
        self,
        folder: Path,
        seconds: float = 3.0,
        every: float = 1 / RATE,
        commands: Callable[[float, np.ndarray], Said] = agent,
        states: Callable[[float, np.ndarray], Said] = joints_at_once,
        stamps: float = 0.0,
        also: Callable[[Arm, float], Said] | None = None,
        obeys: Callable[[float], bool] = lambda now: True,
        step: float = LARGEST,
        namespace: str = "",
    ) -> None:
        """Records.

        Args:
            every: s between two commands.
            commands, states: what is said of each.
            stamps: s by which stamps are ahead of the recorder's clock.
            also: what else is said each 5 ms.
            obeys: whether the arm follows at a time, s after the start.
            step: rad that a command moves at most.
        """
        bag, rng = Bag(folder), np.random.default_rng(1)
        self.times: list[float] = []
        self.commands: list[np.ndarray] = []
        position, command, due = np.zeros(3), np.zeros(3), 0.1
        for tick in range(round(seconds / TICK)):
            now = START + tick * TICK
            if obeys(now - START):
                position = position + 0.2 * (command - position)
            for topic, message in states(now + stamps, position):
                put(bag, topic, message, now + 0.0002, namespace)
            if tick * TICK >= due - 1e-6:
                due += every
                command = np.clip(command + rng.uniform(-step, step, 3), -1.5, 1.5)
                self.times.append(now)
                self.commands.append(command)
                for topic, message in commands(now + 0.001 + stamps, command):
                    put(bag, topic, message, now + 0.0012, namespace)
            for topic, message in also(self, now) if also else ():
                put(bag, topic, message, now + 0.002, namespace)
        bag.close()


def gate_says(now: float, does: str, accepted: int) -> Said:
    """A word of the gate."""
    message = blank(GATE_STATUS)
    message.message, message.values = does, [KeyValue(key="accepted", value=str(accepted))]
    yield GATE_STATUS, message


def rows_of(folder: Path) -> np.ndarray:
    """What a run's replay holds, without the last observations of episodes."""
    rows = np.concatenate([segment.read() for segment in Replay(folder / "replay").segments.values()])
    return rows[~rows["is_final"]]
