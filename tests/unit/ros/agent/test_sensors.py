"""When pictures came, in the clock that decisions follow; joints, in whatever messages they come."""

from __future__ import annotations

import math
import time
from types import SimpleNamespace

import numpy as np
import pytest
from robot_agent_ros.agent import sensors
from robot_agent_ros.agent.config import AgentConfig
from robot_agent_ros.agent.making_body import body_of_parameters
from robot_agent_ros.agent.pairing import Refused
from robot_agent_ros.agent.sensors import RosSenses
from robot_agent_ros.graph import IMAGE, JOINT_STATES
from sensor_msgs.msg import Image, JointState

CONFIG = AgentConfig(
    joints=("a",), lower=(-1.0,), upper=(1.0,), control_rate=10.0, image_size=(16, 16), camera_size=(16, 16),
)  # fmt: skip


@pytest.mark.parametrize("simulated", [False, True])
def test_pictures_arrive_in_the_time_that_decisions_follow(simulated: bool, monkeypatch: pytest.MonkeyPatch):
    ros = 5.0 if simulated else time.time()
    image = Image(height=16, width=16, encoding="rgb8", step=48, data=np.zeros(768, np.uint8).tobytes())
    image.header.stamp.sec, image.header.stamp.nanosec = int(ros), int(ros % 1 * 1e9)
    node = SimpleNamespace(
        create_subscription=lambda kind, topic, *_, **__: topic,
        get_clock=lambda: SimpleNamespace(now=lambda: SimpleNamespace(nanoseconds=ros * 1e9)),
    )
    came = [(image, {"received_timestamp": time.time_ns() - 20_000_000})]
    monkeypatch.setattr(sensors, "waiting", lambda topic: came if topic == IMAGE.name else [])
    senses = RosSenses(node, body_of_parameters(CONFIG), lambda: CONFIG, simulated)
    assert senses.poll()
    (arrival,) = senses.arrivals()
    assert arrival == pytest.approx((ros if simulated else time.monotonic()) - 0.02, abs=0.05)
    assert senses.arrivals() == []


class Joints:
    """Senses of two joints, and a clock that a test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        config = AgentConfig(
            joints=("a", "b"), lower=(-1.0, -1.0), upper=(1.0, 1.0), control_rate=10.0, streams=("proprio",)
        )
        self.ros = 100.0
        self.waiting: list[JointState] = []
        node = SimpleNamespace(
            create_subscription=lambda kind, topic, *_, **__: topic,
            get_clock=lambda: SimpleNamespace(now=lambda: SimpleNamespace(nanoseconds=self.ros * 1e9)),
        )
        monkeypatch.setattr(sensors, "waiting", self.take)
        self.senses = RosSenses(node, body_of_parameters(config), lambda: config)

    def take(self, topic: str) -> list[tuple[JointState, dict]]:
        came, self.waiting = (self.waiting, []) if topic == JOINT_STATES.name else ([], self.waiting)
        return [(message, {}) for message in came]

    def come(self, names: list[str], positions: list[float], age: float = 0.0, **more: list[float]) -> None:
        message = JointState(name=names, position=positions, **more)
        stamp = self.ros - age
        message.header.stamp.sec, message.header.stamp.nanosec = int(stamp), int(stamp % 1 * 1e9)
        self.waiting.append(message)

    def refusal(self) -> Refused:
        with pytest.raises(Refused) as caught:
            self.senses.look()
        return caught.value


@pytest.fixture
def joints(monkeypatch: pytest.MonkeyPatch) -> Joints:
    return Joints(monkeypatch)


@pytest.mark.parametrize("apart", [0.0, 0.004])
def test_joints_in_two_messages_are_one_observation_as_old_as_its_oldest_part(joints: Joints, apart: float):
    for step in range(20):
        joints.come(["a"], [0.01 * step])
        joints.ros += apart
        joints.come(["b", "other"], [-0.02 * step, math.nan], velocity=[math.nan, math.nan])
        sight = joints.senses.look()
        assert sight.position == pytest.approx([0.01 * step, -0.02 * step])
        assert sight.stamp == pytest.approx(joints.ros - apart, abs=1e-6)
        joints.ros += 0.02 - apart
    assert sight.velocity == pytest.approx([0.5, -1.0], rel=1e-3)


def test_what_a_robot_does_not_measure_is_missing_and_not_wrong(joints: Joints):
    joints.come(["a", "b", "wheel"], [0.1, 0.2, math.nan], velocity=[math.nan] * 3, effort=[math.nan] * 3)
    assert joints.senses.look().position == pytest.approx([0.1, 0.2])
    assert not joints.senses.refused()


def test_a_joint_that_comes_no_longer_is_missed_by_name(joints: Joints):
    joints.come(["b"], [0.2])
    assert (joints.refusal().name, str(joints.refusal())) == ("joint_missing", "joint 'a' is missing, there are b")
    joints.come(["a"], [0.1])
    joints.senses.look()
    for _ in range(5):
        joints.ros += 0.02
        joints.come(["a"], [0.1])
        joints.senses.poll()
    assert (joints.refusal().name, str(joints.refusal())) == ("joint_missing", "joint 'b' is missing, there are a")
    joints.come(["b"], [0.2])
    joints.senses.look()


def test_joints_of_another_robot_are_no_fault_of_this_one(joints: Joints):
    joints.come(["a", "b"], [0.1, 0.2])
    joints.come(["left_wheel"], [math.nan])
    joints.come(["left_wheel", "right_wheel"], [1.0])  # not even whole
    assert joints.senses.look().position == pytest.approx([0.1, 0.2])
    assert not joints.senses.refused()


@pytest.mark.parametrize(
    ("position", "name"),
    [(math.nan, "joints_not_finite"), (math.inf, "joints_not_finite"), (1e308, "joints_malformed")],
)
def test_a_position_that_no_joint_can_have_is_not_acted_on(joints: Joints, position: float, name: str):
    joints.come(["a", "b"], [0.1, position])
    assert joints.refusal().name == name
