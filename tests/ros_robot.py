"""A robot and an agent played by a test, for a gate that runs as a process of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.executors import SingleThreadedExecutor
from robot_agent_ros.endpoints import publisher, service_class, subscription
from robot_agent_ros.graph import COMMAND, DIAGNOSTICS, GATE_STATUS, JOINT_STATES, POSITIONS, Service
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

JOINTS = ("a", "b")
GATE_PARAMETERS: dict[str, Any] = {
    "joints": list(JOINTS),
    "lower": [-2.0],
    "upper": [2.0],
    "velocity": [2.0],
    "acceleration": [10.0],
    "jerk": [100.0],
    "listen_time": 0.3,
    "tracking_error": 0.0,  # a test that waits for its turn on the CPU is a robot that lags
}


class PlayedRobot:
    """Two joints that obey the gate at once, and publish where they are 100 times a second; needs the fixture `ros`.

    Args:
        hears_gate: whether it listens to the gate's outputs itself; if not, a controller of its own does.

    Attributes:
        outputs: (s of a steady clock, positions) that the gate sent.
        statuses: (s of a steady clock, status) of the gate, each time it said one.
        measures: whether joint states are published.
        fill: changes a joint state before it is published.
        clock: ns that stamps are taken from.
    """

    def __init__(self, hears_gate: bool = True) -> None:
        self.node = rclpy.create_node("played_robot")
        self.outputs: list[tuple[float, list[float]]] = []
        self.statuses: list[tuple[float, str]] = []
        self.heard: list[tuple[float, float]] = []
        self.diagnostics: dict[str, str] = {}
        self.position = [0.1, -0.1]
        self.measures = True
        self.clock: Callable[[], int] = time.time_ns
        self.fill: Callable[[JointState], Any] = lambda message: None
        self._joints = publisher(self.node, JOINT_STATES)
        self._commands = publisher(self.node, COMMAND)
        if hears_gate:
            subscription(self.node, POSITIONS, self._on_output)
        subscription(self.node, GATE_STATUS, self._on_status)
        subscription(self.node, DIAGNOSTICS, self._on_diagnostics)
        subscription(self.node, COMMAND, self._on_command)
        self.node.create_timer(0.01, self._publish_joints)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    # ---- the robot ----

    def _spin(self) -> None:
        while not self._ends.is_set():
            self._executor.spin_once(timeout_sec=0.05)

    def _publish_joints(self) -> None:
        if self.measures:
            self.publish_joints(JOINTS, self.position)

    def publish_joints(self, names: Sequence[str], positions: Sequence[float], age: float = 0.0) -> None:
        """Joint states as one likes, older than now by some seconds."""
        message = JointState(name=list(names), position=[float(one) for one in positions])
        message.header.stamp = self._stamp(age)
        self.fill(message)
        self._joints.publish(message)

    def _on_output(self, message: Float64MultiArray) -> None:
        self.position = list(message.data)
        self.outputs.append((time.monotonic(), self.position))

    def _on_status(self, message: DiagnosticStatus) -> None:
        self.statuses.append((time.monotonic(), message.message))

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name.endswith("gate"):
                self.diagnostics = {value.key: value.value for value in status.values}

    def _on_command(self, message: JointTrajectory) -> None:
        stamp = message.header.stamp
        age = time.time_ns() * 1e-9 - stamp.sec - stamp.nanosec * 1e-9
        self.heard.append((time.monotonic() - age, age))

    # ---- the agent ----

    def command(
        self,
        values: Sequence[float],
        age: float = 0.0,
        joints: Sequence[str] = JOINTS,
        points: int = 1,
        quantity: str = "positions",
    ) -> None:
        """One command, older than now by some seconds."""
        point = JointTrajectoryPoint(**{quantity: [float(one) for one in values]})
        message = JointTrajectory(joint_names=list(joints), points=[point] * points)
        message.header.stamp = self._stamp(age)
        self._commands.publish(message)

    def follow(self, seconds: float, positions: Sequence[float], age: float = 0.0) -> None:
        """Commands at 30 Hz for some seconds."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.command(positions, age)
            time.sleep(1 / 30)

    def _stamp(self, age: float) -> Any:
        stamp = JointState().header.stamp
        stamp.sec, stamp.nanosec = divmod(self.clock() - round(age * 1e9), 10**9)
        return stamp

    # ---- the person ----

    def call(self, service: Service, timeout: float = 10.0, **fields: Any) -> Any:
        """Calls a service and returns the answer."""
        client = self.node.create_client(service_class(service), service.name)
        assert client.wait_for_service(timeout), service.name
        done = threading.Event()
        future = client.call_async(service_class(service).Request(**fields))
        future.add_done_callback(lambda _: done.set())
        assert done.wait(timeout), service.name
        self.node.destroy_client(client)
        return future.result()

    def wait(self, condition: Callable[[], bool], timeout: float = 20.0) -> None:
        """Waits until something is so."""
        end = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < end, f"the gate says {self.statuses[-1:]}, {self.diagnostics}"
            time.sleep(0.002)

    def wait_for(self, status: str, timeout: float = 20.0) -> None:
        """Waits until the gate says this."""
        self.wait(lambda: self.status == status, timeout)

    @property
    def status(self) -> str:
        """What the gate said last."""
        return self.statuses[-1][1] if self.statuses else ""

    def __enter__(self) -> PlayedRobot:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ends.set()
        self._thread.join()
        self._executor.shutdown()
        self.node.destroy_node()
