"""Recordings of robots that know nothing of us: other topics, other commands, other joint states."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from robot_agent_bags.bag import Bag
from robot_agent_bags.errors import BagError
from robot_agent_ros.bags.importing import import_bag
from robot_agent_ros.graph import CAMERA_INFO, COMMAND, IMAGE, JOINT_STATES, POSITIONS, TRAJECTORY, Topic
from robot_agent_ros.messages.images import fill_image
from robot_agent_ros.recorder.bag import Bag as Recorder
from robot_agent_ros.recorder.bag import Channel as RecorderChannel
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectoryPoint

from robot_agent.cli.main import main
from tests.ros_wire import blank
from tests.unit.ros.bags.arms import (
    CONFIG,
    JOINTS,
    LARGEST,
    RATE,
    START,
    Arm,
    agent,
    forward_controller,
    joints_at_once,
    rows_of,
    trajectory_controller,
)
from tests.unit.ros.bags.recordings import fill_lens


def check(folder: Path, lived: Arm, rows: np.ndarray) -> None:
    """The actions are those by which the commands moved."""
    moved = np.diff(np.array(lived.commands), axis=0) / LARGEST
    assert len(rows) == len(lived.commands) - 1
    np.testing.assert_allclose(rows["action"][1:], moved[: len(rows) - 1], atol=1e-5)
    np.testing.assert_allclose(rows["dt"], 1 / RATE, rtol=1e-3)


@pytest.mark.parametrize("commands", [forward_controller, trajectory_controller])
def test_the_commands_of_a_controller_are_decisions_where_no_agent_was(tmp_path: Path, commands):
    lived = Arm(tmp_path / "bag", commands=commands)
    done = import_bag(tmp_path / "bag", tmp_path / "run", CONFIG)
    assert not done.report.refused
    check(tmp_path, lived, rows_of(tmp_path / "run"))


@pytest.mark.parametrize("ahead", [-1_799_999_900.0, 0.03])
def test_stamps_of_a_clock_of_their_own_are_taken_as_they_are(tmp_path: Path, ahead: float):
    config = replace(CONFIG, future_tolerance=0.05)
    for number, commands in enumerate((agent, forward_controller)):
        lived = Arm(tmp_path / f"bag{number}", commands=commands, stamps=ahead)
        done = import_bag(tmp_path / f"bag{number}", tmp_path / f"run{number}", config)
        assert not done.report.refused
        assert (done.survey.late > 1) == (ahead < -1)
        rows = rows_of(tmp_path / f"run{number}")
        check(tmp_path, lived, rows)
        assert rows["stamp"][0] == pytest.approx(START + 0.1 + ahead, abs=0.02)


def test_joint_states_without_stamps_are_as_of_when_they_were_sent(tmp_path: Path):
    def unstamped(now: float, position: np.ndarray):
        for topic, message in joints_at_once(now, position):
            message.header.stamp.sec = message.header.stamp.nanosec = 0
            yield topic, message

    lived = Arm(tmp_path / "bag", states=unstamped)
    done = import_bag(tmp_path / "bag", tmp_path / "run", CONFIG)
    assert not done.report.refused
    check(tmp_path, lived, rows_of(tmp_path / "run"))


def test_a_recording_that_was_logged_at_one_time_is_refused(tmp_path: Path):
    Arm(tmp_path / "bag")
    timeless = Recorder(tmp_path / "timeless")
    for raw in Bag(tmp_path / "bag").raw():
        channel = raw.channel
        timeless.write(RecorderChannel(channel.topic, channel.type, channel.definition), raw.data, 7, 7)
    timeless.close()
    with pytest.raises(BagError, match="was logged at one time"):
        import_bag(tmp_path / "timeless", tmp_path / "run", CONFIG)


def test_joint_states_in_two_messages_are_put_together(tmp_path: Path):
    def apart(now: float, position: np.ndarray):
        for names in ((0, 2), (1,)):
            message = blank(JOINT_STATES, now - 0.001 * names[0])
            message.name = [*(JOINTS[index] for index in names), f"finger{names[0]}"]
            message.position = [*position[list(names)].tolist(), float("nan")]
            message.velocity = message.effort = [float("nan")] * len(message.name)
            yield JOINT_STATES, message

    whole = Arm(tmp_path / "whole")
    import_bag(tmp_path / "whole", tmp_path / "run0", CONFIG)
    Arm(tmp_path / "bag", states=apart)
    done = import_bag(tmp_path / "bag", tmp_path / "run1", CONFIG)
    assert not done.report.refused
    one, other = rows_of(tmp_path / "run0"), rows_of(tmp_path / "run1")
    np.testing.assert_allclose(one["proprio"][:, :3], other["proprio"][:, :3])
    check(tmp_path, whole, other)


def test_a_joint_whose_messages_stop_is_missing_and_not_taken_as_it_was(tmp_path: Path):
    def apart(now: float, position: np.ndarray):
        for index, name in enumerate(JOINTS):
            if index or now - START < 1.5:
                message = blank(JOINT_STATES, now)
                message.name, message.position = [name], [float(position[index])]
                yield JOINT_STATES, message

    Arm(tmp_path / "bag", states=apart)
    done = import_bag(tmp_path / "bag", tmp_path / "run", CONFIG)
    assert done.report.refused["joints_stopped"] > 25
    assert rows_of(tmp_path / "run")["stamp"].max() < START + 1.6


def trajectory(times: list[float], points: list[list[float]]):
    """Says one trajectory, at the first command of an arm."""
    said = []

    def commands(now: float, command: np.ndarray):
        if not said:
            said.append(now)
            message = blank(TRAJECTORY)
            message.joint_names = list(JOINTS)
            for after, positions in zip(times, points, strict=True):
                point = JointTrajectoryPoint(positions=positions)
                point.time_from_start.sec, point.time_from_start.nanosec = divmod(round(after * 1e9), 10**9)
                message.points.append(point)
            yield TRAJECTORY, message

    return commands


def test_a_trajectory_of_several_points_is_a_decision_each_period(tmp_path: Path):
    points = [[0.0, 0.0, 0.0], [0.5, 0.0, -0.5], [0.5, 0.4, -0.5]]
    times = [0.0, 1.0, 1.5]

    def follows(now: float, position: np.ndarray):
        after = now - START - 0.1
        return joints_at_once(now, np.array([np.interp(after, times, column) for column in np.array(points).T]))

    Arm(tmp_path / "bag", commands=trajectory(times, points), states=follows)
    import_bag(tmp_path / "bag", tmp_path / "run", CONFIG)
    actions = rows_of(tmp_path / "run")["action"]
    assert len(actions) == 29
    np.testing.assert_allclose(actions[:20], [[0.25, 0.0, -0.25]] * 20, atol=1e-5)
    np.testing.assert_allclose(actions[20:], [[0.0, 0.4, 0.0]] * 9, atol=1e-5)


def test_trajectories_with_pauses_between_them_are_episodes(tmp_path: Path):
    """The commands are 2 s apart; what they ask is not."""
    points = {0.1: [[0.0, 0.0, 0.0], [0.5, 0.0, -0.5]], 2.1: [[0.5, 0.0, -0.5], [0.0, 0.0, 0.0]]}

    def follows(now: float, position: np.ndarray):
        times, places = [0.1, 1.1, 2.1, 3.1], np.array([*points[0.1], *points[2.1]])
        return joints_at_once(now, np.array([np.interp(now - START, times, column) for column in places.T]))

    def commands(now: float, command: np.ndarray):
        begins = min(points, key=lambda at: abs(at - (now - START)))
        if abs(begins - (now - START)) < 0.01:
            yield from trajectory([0.0, 1.0], points[begins])(now, command)

    Arm(tmp_path / "bag", 4.0, commands=commands, states=follows)
    done = import_bag(tmp_path / "bag", tmp_path / "run", CONFIG)
    actions = rows_of(tmp_path / "run")["action"]
    assert (done.episodes, done.report.pauses, len(actions)) == (2, 1, 38)
    np.testing.assert_allclose(actions[:19], [[0.25, 0.0, -0.25]] * 19, atol=1e-5)
    np.testing.assert_allclose(actions[19:], [[-0.25, 0.0, 0.25]] * 19, atol=1e-5)


def test_a_point_that_is_to_be_reached_later_is_gone_to_from_where_the_arm_is(tmp_path: Path):
    def follows(now: float, position: np.ndarray):
        return joints_at_once(now, np.array([0.2 + 0.3 * np.clip(now - START - 0.1, 0, 1), 0.0, 0.0]))

    Arm(tmp_path / "bag", commands=trajectory([1.0], [[0.5, 0.0, 0.0]]), states=follows)
    import_bag(tmp_path / "bag", tmp_path / "run", CONFIG)
    actions = rows_of(tmp_path / "run")["action"]
    assert len(actions) == 19
    np.testing.assert_allclose(actions, [[0.15, 0.0, 0.0]] * 19, atol=1e-5)


REALSENSE = Topic("camera/camera/color/image_raw", IMAGE.type, "sensor", "robot", (), "")
REALSENSE_INFO = Topic("camera/camera/color/camera_info", CAMERA_INFO.type, "sensor", "robot", (), "")
ARM_STATES = Topic("franka/joint_states", JOINT_STATES.type, "sensor", "robot", (), "")
ARM_COMMANDS = Topic("arm_controller/commands", POSITIONS.type, "command", "user", (), "")


def foreign(folder: Path) -> Arm:
    """A robot with a RealSense, and names of its own."""

    def states(now: float, position: np.ndarray):
        for _, message in joints_at_once(now, position):
            yield ARM_STATES, message

    def commands(now: float, command: np.ndarray):
        for _, message in forward_controller(now, command):
            yield ARM_COMMANDS, message

    def pictures(arm: Arm, now: float):
        tick = round((now - START) / 0.005)
        if tick % 6 == 0:
            image, info = blank(REALSENSE, now), blank(REALSENSE_INFO, now)
            fill_image(image, np.full((12, 16, 3), tick % 256, np.uint8))
            fill_lens(info, 12, 16)
            yield REALSENSE_INFO, info
            yield REALSENSE, image

    return Arm(folder, commands=commands, states=states, also=pictures)


PARAMETERS = """
/**/agent:
  ros__parameters:
    joints: [turn, shoulder, elbow]
    lower: [-2.0, -2.0, -2.0]
    upper: [2.0, 2.0, 2.0]
    largest_change: 0.1
    control_rate: 20.0
    camera_size: [12, 16]
"""
NAMED = {
    "joints": "/franka/joint_states",
    "camera": "/camera/camera/color/image_raw",
    "command": "/arm_controller/commands",
}


def test_topics_with_names_of_their_own_are_asked_for_one_by_one_and_then_imported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    lived = foreign(tmp_path / "bag")
    (tmp_path / "arm.yaml").write_text(PARAMETERS)
    args = ["import-bag", str(tmp_path / "bag"), "--out", str(tmp_path / "run")]
    args += ["--parameters", str(tmp_path / "arm.yaml"), "--reward", "none"]
    for role, topic in NAMED.items():
        assert main(args) == 2
        sentence = capsys.readouterr().err
        assert f"such as --topic {role}={topic}" in sentence
        assert not (tmp_path / "run").exists()
        args += ["--topic", f"{role}={topic}"]
    assert main(args) == 0
    assert f"{len(lived.commands) - 1} transitions" in capsys.readouterr().out
    rows = rows_of(tmp_path / "run")
    check(tmp_path, lived, rows)
    ticks = [round((now - START) / 0.005) for now in lived.times]
    np.testing.assert_array_equal(rows["camera/main"][:, 0, 0, 0], [(tick - 1) // 6 * 6 % 256 for tick in ticks[:-1]])


@pytest.mark.parametrize(
    ("topics", "sentence"),
    [
        (["kamera=/x"], "--topic kamera=/x is none of joints, camera, camera_info, command"),
        (["camera"], "--topic camera is none of"),
        (["joints=/nothing"], "has nothing on /nothing, only on /arm_controller/commands"),
        (["joints=/arm_controller/commands"], "carries std_msgs/msg/Float64MultiArray, expected joint states"),
    ],
)
def test_a_mapping_that_makes_no_sense_is_refused(tmp_path: Path, topics: list[str], sentence: str):
    foreign(tmp_path / "bag")
    with pytest.raises(BagError) as raised:
        import_bag(tmp_path / "bag", tmp_path / "run", CONFIG, topics=topics)
    assert sentence in str(raised.value)


def test_a_topic_of_our_name_with_messages_of_another_type_is_refused_or_left_out(tmp_path: Path):
    strings = Topic("agent/reward", "std_msgs/String", "event", "user", (), "")
    lived = Arm(tmp_path / "bag", also=lambda arm, now: iter([(strings, String(data="good"))]))
    with pytest.raises(BagError, match=r"/agent/reward of .* carries std_msgs/msg/String, expected rewards .*reward="):
        import_bag(tmp_path / "bag", tmp_path / "run", CONFIG)
    import_bag(tmp_path / "bag", tmp_path / "run", CONFIG, topics=["reward="])
    check(tmp_path, lived, rows_of(tmp_path / "run"))


def test_commands_of_another_type_are_refused_by_name(tmp_path: Path):
    strings = Topic(COMMAND.name, "std_msgs/String", "command", "user", (), "")
    Arm(tmp_path / "bag", commands=lambda now, command: iter([(strings, String(data="go"))]))
    with pytest.raises(BagError, match=r"/agent/command of .* carries std_msgs/msg/String, expected commands as traj"):
        import_bag(tmp_path / "bag", tmp_path / "run", CONFIG)
