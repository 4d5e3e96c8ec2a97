"""A robot that obeys its gate at once, and judges each message by the limits that the gate was given."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from robot_agent_bodies.fake_controller import FakeJointTrajectoryController
from robot_agent_ros.endpoints import subscription
from robot_agent_ros.graph import POSITIONS, TRAJECTORY
from rosgraph_msgs.msg import Clock
from std_msgs.msg import Float64MultiArray
from trajectory_msgs.msg import JointTrajectory

from tests.ros_faults.scenario import Outcome
from tests.ros_robot import GATE_PARAMETERS, JOINTS, PlayedRobot

_LIMIT = GATE_PARAMETERS["upper"][0]
_VELOCITY = GATE_PARAMETERS["velocity"][0]
_PERIOD = 1 / 200
"""Seconds between two outputs of the gate, by default; it never moves by more than two of them at once."""


class JudgedRobot(PlayedRobot):
    """Counts messages that take it beyond its limits: what a stiff position controller would do with them.

    Args:
        hears_gate: whether it listens to the gate's outputs itself; if not, a controller of its own does.
        speed: seconds of simulated time in a real one.

    Attributes:
        beyond: (position before, position after) of each joint that went too far or too fast.
    """

    def __init__(self, hears_gate: bool = True, speed: float = 1.0) -> None:
        self.beyond: list[tuple[float, float]] = []
        self._sent, self._speed = 0, speed
        super().__init__(hears_gate)

    def _on_output(self, message: Float64MultiArray, info: Mapping[str, Any]) -> None:
        self.obey(dict(zip(JOINTS, message.data, strict=True)), info["source_timestamp"])

    def obey(self, wanted: Mapping[str, float], sent: int) -> None:
        """Goes to positions by joint, sent at a time in ns."""
        late = _PERIOD if self._speed == 1.0 else 4 * _PERIOD  # simulated time has ticks
        passed = max(2 * _PERIOD, (sent - self._sent) * 1e-9 + late) if self._sent else late
        self._sent = sent
        self.move_to([wanted[joint] for joint in JOINTS], passed * self._speed)

    def move_to(self, positions: Sequence[float], seconds: float) -> None:
        """Is at positions, some seconds after it was where it was."""
        for before, after in zip(self.position, positions, strict=True):
            if not (abs(after) <= _LIMIT + 1e-9 and abs(after - before) <= _VELOCITY * seconds + 1e-9):
                self.beyond.append((before, after))
        self.position = list(positions)
        self.outputs.append((time.monotonic(), self.position))

    @property
    def outcome(self) -> Outcome:
        """Of what it was sent so far."""
        return Outcome(outputs=len(self.outputs), beyond=len(self.beyond))


@contextmanager
def spinning(name: str, make: Callable[[Node], Any], **options: Any) -> Iterator[Node]:
    """A node of this process, set up by `make`, in a thread of its own."""
    node = rclpy.create_node(name, **options)
    make(node)
    executor, ends = SingleThreadedExecutor(), threading.Event()
    executor.add_node(node)

    def spin() -> None:
        while not ends.is_set():
            executor.spin_once(timeout_sec=0.05)

    thread = threading.Thread(target=spin, daemon=True)
    thread.start()
    try:
        yield node
    finally:
        ends.set()
        thread.join()
        executor.shutdown()
        node.destroy_node()


@contextmanager
def simulated_time(robot: PlayedRobot, speed: float) -> Iterator[list[float]]:
    """/clock, from which the robot takes its stamps; yields the speed, which may be changed."""
    now, speeds, tick = [1_000 * 10**9], [speed], 0.005

    def make(node: Node) -> None:
        sender = node.create_publisher(Clock, "/clock", 1)

        def send() -> None:
            if speeds[0]:
                now[0] += round(speeds[0] * tick * 1e9)
                message = Clock()
                message.clock.sec, message.clock.nanosec = divmod(now[0], 10**9)
                sender.publish(message)

        node.create_timer(tick, send)

    robot.clock = lambda: now[0]
    with spinning("simulator", make):
        yield speeds


@contextmanager
def controller(robot: JudgedRobot, joints: Sequence[str], interface: str = "position") -> Iterator[Node]:
    """A forward_command_controller that moves a robot: its parameters say which number is which joint's."""

    def make(node: Node) -> None:
        node.declare_parameter("joints", list(joints))
        node.declare_parameter("interface_name", interface)

        def obey(message: Float64MultiArray, info: Mapping[str, Any]) -> None:
            robot.obey(dict(zip(joints, message.data, strict=True)), info["source_timestamp"])

        subscription(node, POSITIONS, obey)

    with spinning("forward_position_controller", make) as node:
        yield node


@contextmanager
def trajectory_controller(robot: JudgedRobot, joints: Sequence[str] = JOINTS) -> Iterator[Node]:
    """A joint_trajectory_controller with ros2_control's defaults that moves a robot, 200 times a second."""
    last = [time.time_ns()]
    fake = FakeJointTrajectoryController(robot.position, last[0])

    def receive(message: JointTrajectory) -> None:
        points = [
            (one.time_from_start.sec * 10**9 + one.time_from_start.nanosec, list(one.positions), list(one.velocities))
            for one in message.points
        ]
        fake.receive(message.header.stamp.sec * 10**9 + message.header.stamp.nanosec, points, time.time_ns())

    def update() -> None:
        before, last[0] = last[0], time.time_ns()
        robot.move_to([state.position for state in fake.at(last[0])], (last[0] - before) * 1e-9)

    def make(node: Node) -> None:
        node.declare_parameter("joints", list(joints))
        subscription(node, TRAJECTORY, receive)
        node.create_timer(_PERIOD, update)

    with spinning("joint_trajectory_controller", make) as node:
        yield node


@contextmanager
def velocity_motors(robot: JudgedRobot) -> Iterator[Node]:
    """Motors that turn as they are told, whatever the encoders say."""
    velocity, last = [0.0] * len(JOINTS), [time.monotonic()]

    def update() -> None:
        before, last[0] = last[0], time.monotonic()
        passed = last[0] - before
        robot.move_to([p + v * passed for p, v in zip(robot.position, velocity, strict=True)], passed)

    def obey(message: Float64MultiArray) -> None:
        update()
        velocity[:] = message.data

    def make(node: Node) -> None:
        subscription(node, POSITIONS, obey)
        node.create_timer(_PERIOD, update)

    with spinning("motors", make) as node:
        yield node
