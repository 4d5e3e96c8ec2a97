"""What is wrong with what the agent senses is named, answered within a bound, and over when its cause is."""

from __future__ import annotations

import array
import math
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from robot_agent_ros.endpoints import publisher
from robot_agent_ros.graph import GATE_STATUS, GOAL, IMAGE, JOINT_STATES, REWARD, Topic
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Float64, Float64MultiArray

from tests.support.ros_agent import AGE, PERIOD, Graph


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
