"""The gate's node: what it sends to each kind of controller."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator

import pytest
import rclpy
from robot_agent_bodies.gate.brake import State
from robot_agent_bodies.gate.trajectory import Point, Trajectory
from robot_agent_ros.endpoints import message_class
from robot_agent_ros.gate.node import GateNode, trajectory_message
from robot_agent_ros.gate.speakers import publisher_of
from robot_agent_ros.graph import COMMAND, JOINT_STATES

from tests.ros_graph import alone, flags

STATES = (State(0.1, 0.2, 0.0), State(-0.3, 0.4, 0.0))


@pytest.fixture
def node(request: pytest.FixtureRequest) -> Iterator[GateNode]:
    os.environ.update(alone())
    output = request.param
    joints = ["linear.x", "angular.z"] if output == "twist" else ["a", "b"]
    ends = {} if output == "twist" else {"lower": [-1.0], "upper": [1.0]}
    limits = {"velocity": [1.0], "acceleration": [10.0], "jerk": [100.0]}
    interval = sys.getswitchinterval()
    remap = {"agent/command": "elsewhere/command"}
    rclpy.init(args=flags({"joints": joints, "output": output, "priority": 0, **ends, **limits}, remap))
    gate = GateNode()
    yield gate
    gate.end()
    gate.destroy_node()
    rclpy.try_shutdown()
    sys.setswitchinterval(interval)


@pytest.mark.parametrize("node", ["forward_position"], indirect=True)
def test_a_forward_position_controller_gets_positions_in_the_order_of_the_joints(node: GateNode):
    assert list(node._message(STATES, node.now()).data) == [0.1, -0.3]


@pytest.mark.parametrize("node", ["forward_velocity"], indirect=True)
def test_a_forward_velocity_controller_gets_velocities(node: GateNode):
    assert list(node._message(STATES, node.now()).data) == [0.2, 0.4]


@pytest.mark.parametrize("node", ["joint_trajectory"], indirect=True)
def test_a_trajectory_controller_gets_points_in_time(node: GateNode):
    points = (Point(1_000_000, (0.1, -0.3), (0.2, 0.4)), Point(2_000_000_000, (0.5, 0.5), (0.0, 0.0)))
    message = trajectory_message(node.config.joints, Trajectory(5_000_000_007, points))
    assert list(message.joint_names) == ["a", "b"]
    assert (message.header.stamp.sec, message.header.stamp.nanosec) == (5, 7)
    assert [list(point.positions) for point in message.points] == [[0.1, -0.3], [0.5, 0.5]]
    assert [list(point.velocities) for point in message.points] == [[0.2, 0.4], [0.0, 0.0]]
    times = [(point.time_from_start.sec, point.time_from_start.nanosec) for point in message.points]
    assert times == [(0, 1_000_000), (2, 0)]


@pytest.mark.parametrize("node", ["twist"], indirect=True)
def test_a_rover_gets_a_twist_in_its_frame(node: GateNode):
    now = node.now()
    message = node._message(STATES, now)
    assert message.header.frame_id == "base_link"
    assert message.header.stamp.sec == now.ros // 10**9
    assert (message.twist.linear.x, message.twist.linear.y, message.twist.angular.z) == (0.2, 0.0, 0.4)


@pytest.mark.parametrize("node", ["forward_position"], indirect=True)
def test_where_ros_does_not_tell_publishers_apart_there_may_be_one_only(node: GateNode):
    topic = "elsewhere/command"
    assert publisher_of(node, {"publisher_gid": {"data": b"id"}}, topic) == b"id"
    assert publisher_of(node, {}, topic) is None  # nobody publishes here, so who sent it?
    commands = message_class(COMMAND)
    node.create_publisher(commands, COMMAND.name, 1)  # remapped, as the gate's subscription is
    assert publisher_of(node, {}, topic) is not None
    node.create_publisher(commands, COMMAND.name, 1)
    assert publisher_of(node, {}, topic) is None


@pytest.mark.parametrize("node", ["forward_position"], indirect=True)
def test_where_ros_does_not_tell_publishers_apart_a_second_one_of_joint_states_stops_the_robot(node: GateNode):
    states = message_class(JOINT_STATES)
    publishers = [node.create_publisher(states, JOINT_STATES.name, 1) for _ in range(2)]
    with node._lock:
        node._on_joint_states(states(name=["a", "b"], position=[0.0, 0.0]), {})
        node._look_around(time.monotonic())
        assert node.gate.barred is not None
        assert "2 nodes publish /joint_states, and this ROS does not say who sent what" in node.gate.barred.why
        node.destroy_publisher(publishers.pop())
        node._on_joint_states(states(name=["a", "b"], position=[0.0, 0.0]), {})
        node._look_around(time.monotonic())
        assert node.gate.barred is None


@pytest.mark.parametrize("node", ["forward_position"], indirect=True)
def test_a_gate_that_cannot_send_ends_its_process(node: GateNode, monkeypatch: pytest.MonkeyPatch):
    ended: list[int] = []

    def fail() -> None:
        raise RuntimeError("no memory")

    monkeypatch.setattr("robot_agent_ros.gate.node.os._exit", ended.append)
    monkeypatch.setattr(node, "_send", fail)
    node._thread.join(10)
    assert ended == [1]
