"""What goes wrong around an agent that acts and learns: processes of a gate and an agent, a scripted robot, real DDS.

Each fault is named, answered within a bound, and over when its cause is. One graph serves all tests of this file, in
their order; the last ones end it.
"""

from __future__ import annotations

import array
import math
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rclpy
import yaml
from robot_agent_ros.endpoints import publisher
from robot_agent_ros.graph import AGENT, COMMAND, GATE, GATE_STATUS, GOAL, IMAGE, JOINT_STATES, REWARD, Topic
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Float64, Float64MultiArray
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from robot_agent.learning.checkpoint import CheckpointStore
from robot_agent.replay.replay import Replay
from tests.ros_body import ScriptedRobot, SimulatedTime
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

    def close(self) -> None:
        self.processes.__exit__(None, None, None)
        self.robot.close()


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Graph]:
    graph = Graph(tmp_path_factory.mktemp("graph"))
    try:
        graph.start_gate()
        graph.start_agent()
        yield graph
    finally:
        graph.close()
        rclpy.try_shutdown()  # the next module begins anew
        print(graph.processes.log(AGENT.name)[-4000:])


@pytest.fixture
def acting(graph: Graph) -> Graph:
    """The graph while all is well."""
    robot = graph.robot
    if robot.state_of("agent", patience=90) == "unconfigured":
        if robot.parameter("agent", "checkpoint"):
            robot.set_parameter("agent", "checkpoint", "")
        assert robot.transition("agent", "configure", patience=120), graph.processes.log(AGENT.name)
    if robot.state_of("agent") == "inactive":
        assert robot.transition("agent", "activate")
    graph.flows()
    return graph


def test_a_checkpoint_that_is_missing_leaves_the_agent_unconfigured_and_it_says_why(graph: Graph):
    robot = graph.robot
    assert robot.state_of("agent", patience=90) == "unconfigured"
    began = time.monotonic()
    assert not robot.transition("agent", "configure", patience=60)
    assert time.monotonic() - began < 5
    assert robot.state_of("agent") == "unconfigured"
    robot.wait_report("agent", lambda message, values: "is not a run folder" in message, 3)
    assert robot.flow(0.5) == 0


def hold_back(message: Any) -> bool:
    return False


def nan(message: JointState) -> None:
    message.position[1] = math.nan


def rename(message: JointState) -> None:
    message.name = ["one", "three"]


def drop(message: JointState) -> None:
    message.name, message.position = ["one"], message.position[:1]


def other_size(message: Image) -> None:
    message.width, message.step = 32, 96


def other_encoding(message: Image) -> None:
    message.encoding = "32FC1"


def torn(message: Image) -> None:
    message.data = message.data[:100]


def past(message: Any) -> None:
    message.header.stamp.sec -= 10


def future(message: Any) -> None:
    message.header.stamp.sec += 10


@pytest.mark.parametrize(
    ("sensor", "fault", "why"),
    [
        ("on_image", hold_back, "camera_stopped"),
        ("on_joints", hold_back, "joints_stopped"),
        ("on_joints", nan, "joints_not_finite"),
        ("on_joints", rename, "joint_missing"),
        ("on_joints", drop, "joint_missing"),
        ("on_image", other_size, "camera_size"),
        ("on_image", other_encoding, "camera_encoding"),
        ("on_image", torn, "camera_unreadable"),
        ("on_image", past, "camera_from_the_past"),
        ("on_image", future, "camera_from_the_future"),
        ("on_joints", future, "joints_from_the_future"),
    ],
    ids=lambda value: value.__name__ if callable(value) else str(value),
)
def test_what_is_wrong_with_a_sensor_is_not_acted_on(acting: Graph, sensor: str, fault: Callable[[Any], Any], why: str):
    robot = acting.robot
    good = getattr(robot, sensor)
    since = time.monotonic()
    setattr(robot, sensor, fault)
    try:
        acting.holds(why, AGE + PERIOD, since)
        robot.rests(within=1.0)
    finally:
        setattr(robot, sensor, good)
    acting.recovers()


def test_joints_in_another_order_are_the_same_joints(acting: Graph):
    robot = acting.robot

    def reorder(message: JointState) -> None:
        message.name, message.position = ["extra", "two", "one"], [9.0, message.position[1], message.position[0]]

    robot.on_joints = reorder
    try:
        assert robot.flow(1.0) >= 2
        _, command = robot.commands[-1]
        assert list(command.joint_names) == ["one", "two"]
        assert np.all(np.abs(np.array(command.points[0].positions) - robot.positions) < 0.5)
    finally:
        robot.on_joints = lambda message: True


def test_a_plan_that_takes_ten_times_its_time_is_not_sent_and_the_next_one_is(acting: Graph):
    robot = acting.robot
    since = time.monotonic()
    (acting.folder / "slow").write_text(str(10 * PERIOD))
    while (acting.folder / "slow").exists():
        time.sleep(0.005)
        assert time.monotonic() - since < 5
    slow_since = time.monotonic()
    assert 10 * PERIOD - SLACK < robot.next_command_after(slow_since + 0.02) < 12 * PERIOD + SLACK
    robot.wait_report("agent", lambda message, values: int(values.get("held: plan_late", 0)) >= 1, 3)
    assert robot.never_older_than(0.4 + SLACK)
    acting.recovers()


def test_how_old_a_command_may_be_is_set_while_it_acts(acting: Graph):
    robot = acting.robot
    before = int(robot.report("agent")[1].get("held: plan_late", 0))
    assert robot.set_parameter("agent", "largest_command_age", 0.15) == ""
    try:
        (acting.folder / "slow").write_text("0.25")  # as old as it might be before
        robot.wait_report("agent", lambda message, values: int(values.get("held: plan_late", 0)) > before, 5)
    finally:
        assert robot.set_parameter("agent", "largest_command_age", 0.4) == ""
    acting.recovers()


def test_a_learner_that_is_killed_is_started_again_and_acting_goes_on(acting: Graph):
    robot = acting.robot
    robot.wait_report("agent", lambda message, values: int(values.get("learner pid", 0)) > 0, 3)
    _, before = robot.report("agent")
    since = time.monotonic()
    os.kill(int(before["learner pid"]), signal.SIGKILL)
    robot.wait_report("agent", lambda message, values: message.startswith("acting: the learner has ended"), 3)
    assert robot.flow(2.0) >= 5
    robot.wait_report(
        "agent",
        lambda message, values: values.get("learner") == "runs" and values.get("learner restarts") != "0",
        120,
    )
    assert robot.largest_gap(since) < 1.0 + SLACK
    acting.recovers()


def test_another_publisher_of_commands_is_refused_and_the_first_goes_on(acting: Graph):
    robot = acting.robot
    commands = publisher(robot.stranger, COMMAND)
    until = time.monotonic() + 1.5
    while time.monotonic() < until:
        command = JointTrajectory(joint_names=["one", "two"], points=[JointTrajectoryPoint(positions=[0.9, 0.9])])
        command.header.stamp = robot.get_clock().now().to_msg()
        commands.publish(command)
        time.sleep(0.02)
    robot.wait_report("gate", lambda message, values: int(values.get("refused: foreign_publisher", 0)) >= 5, 3)
    robot.stranger.destroy_publisher(commands)
    acting.recovers()


def test_garbage_on_every_topic_is_refused_and_nothing_but_sound_commands_goes_out(acting: Graph):
    robot = acting.robot
    rng = np.random.default_rng(0)
    rows: tuple[Topic, ...] = (IMAGE, JOINT_STATES, GOAL, REWARD, GATE_STATUS)
    publishers = {row: publisher(robot.stranger, row) for row in rows}
    since = time.monotonic()
    while time.monotonic() - since < 2.0:
        stamp = robot.get_clock().now().to_msg()
        image = Image(height=int(rng.integers(2**32)), width=int(rng.integers(100)), encoding="rgb8", step=7)
        image.header.stamp = stamp
        image.data = array.array("B", rng.bytes(11))
        joints = JointState(name=["one", "two"], position=[float(rng.choice([np.nan, np.inf, -np.inf, 1e300]))])
        joints.header.stamp = stamp
        publishers[IMAGE].publish(image)
        publishers[JOINT_STATES].publish(joints)
        publishers[GOAL].publish(Float64MultiArray(data=[math.nan] * int(rng.integers(5))))
        publishers[REWARD].publish(Float64(data=float(rng.choice([np.nan, np.inf, 1.0]))))
        for one in publishers.values():  # not even messages of that type
            with suppress(RuntimeError):  # a type of a fixed size takes no more than that
                one.publish(b"\x00\x01\x00\x00" + rng.bytes(int(rng.integers(200))))
        time.sleep(0.02)
    for one in publishers.values():
        robot.stranger.destroy_publisher(one)
    acting.recovers()
    sent = np.array([message.points[0].positions for when, message in robot.commands if when > since])
    assert np.all(np.abs(sent) <= 1.0)
    outputs = np.array([values for when, values in robot.outputs if when > since])
    assert np.all(np.abs(outputs) <= 1.0)


def test_a_gate_that_is_gone_is_missed_and_a_new_one_is_obeyed_from_where_the_robot_is(acting: Graph):
    robot = acting.robot
    since = time.monotonic()
    acting.processes.stop("gate", signal.SIGKILL)
    acting.holds("gate_missing", 0.35 + PERIOD, since)
    before = list(robot.positions)
    acting.start_gate()
    robot.next_command_after(time.monotonic(), patience=30)
    first = np.array(robot.commands[-1][1].points[0].positions)
    assert np.all(np.abs(first - before) <= 0.5)
    acting.flows()


def test_a_deactivated_agent_holds_and_has_kept_what_it_learned(acting: Graph):
    robot = acting.robot
    since = time.monotonic()
    assert robot.transition("agent", "deactivate", patience=40)
    assert robot.last_command_after(since, quiet=0.4) <= PERIOD + SLACK
    robot.rests(within=1.0)
    checkpoint = CheckpointStore(acting.run / "checkpoints").load_latest()
    replay = Replay(acting.run / "replay")
    assert 0 < checkpoint.step == replay.decisions
    assert replay.quarantined <= replay.decisions // 4
    assert robot.transition("agent", "activate")
    acting.recovers()


def test_a_clock_that_jumps_stops_the_robot_for_a_moment_only(acting: Graph):
    robot = acting.robot
    assert robot.transition("agent", "deactivate", patience=40)
    assert robot.transition("agent", "cleanup", patience=40)
    clock = SimulatedTime(robot)
    for node in ("gate", "agent"):
        assert robot.set_parameter(node, "use_sim_time", True) == ""
    assert robot.set_parameter("agent", "checkpoint", str(acting.run)) == ""
    assert robot.transition("agent", "configure", patience=120), acting.processes.log(AGENT.name)
    assert robot.transition("agent", "activate")
    acting.flows()
    for jump in (100.0, -200.0):
        before = len(robot.sent)
        clock.offset += jump
        time.sleep(0.3)
        acting.recovers()
        heard = len(robot.sent)
        passed = np.diff(robot.sent[before:heard]) + 0.01  # a busy gate says late where it was
        moved = np.abs(np.diff([output for _, output in robot.outputs[before:heard]], axis=0)).max(axis=1)
        assert np.all(moved <= GATE_PARAMETERS["velocity"][0] * passed)


def test_an_interrupted_graph_ends_cleanly_with_a_checkpoint_and_the_robot_at_rest(acting: Graph):
    robot = acting.robot
    lived = Replay(acting.run / "replay").decisions
    running = [acting.processes.running[name] for name in ("agent", "gate")]
    for process in running:
        process.send_signal(signal.SIGINT)
    assert [process.wait(40) for process in running] == [0, 0]
    robot.rests(within=1.0)
    checkpoint = CheckpointStore(acting.run / "checkpoints").load_latest()
    assert checkpoint.step == Replay(acting.run / "replay").decisions
    assert checkpoint.step >= lived


def test_a_killed_agent_is_no_longer_followed_after_150_ms(graph: Graph):
    robot = graph.robot
    graph.parameters |= {"checkpoint": str(graph.run), "learn": False}
    robot.forget("agent")
    robot.stamp_of = lambda: robot.get_clock().now().to_msg()
    graph.start_gate()
    graph.start_agent()
    robot.wait_report("agent", lambda message, values: message.startswith("unconfigured"), 90)
    assert robot.transition("agent", "configure", patience=120), graph.processes.log(AGENT.name)
    assert robot.transition("agent", "activate")
    graph.flows()
    graph.processes.stop("agent", signal.SIGKILL)
    last = robot.commands[-1][0]
    robot.wait_report("gate", lambda message, values: message == "holding", 3)
    robot.rests(within=1.0)
    began = next(when for when, status in robot.statuses if when > last and status == "holding")
    assert began - last <= 0.15 + SLACK / 2
