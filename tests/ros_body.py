"""A scripted robot for tests of nodes, and ears for what they say: rclpy in the test's own process, in one thread."""

from __future__ import annotations

import array
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.srv import GetParameters, SetParameters
from rclpy.executors import SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.parameter import Parameter
from robot_agent_ros.endpoints import publisher, subscription
from robot_agent_ros.graph import COMMAND, DIAGNOSTICS, GATE_STATUS, GOAL, IMAGE, JOINT_STATES, POSITIONS
from robot_agent_ros.messages.stamps import to_seconds
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Float64MultiArray
from trajectory_msgs.msg import JointTrajectory

from tests.ros_graph import TRANSITIONS


class ScriptedRobot(Node):
    """Publishes a camera and joints at steady rates, each message through a hook that a test can set.

    Args:
        joints: names; they stand still at 0.1, 0.2, ... rad unless `follow` is set.
        size: height and width of frames, None for no camera.
        camera_rate, joint_rate: Hz.
        gate: also say that a gate follows.
        obeys: the joints are where the gate's last output wants them.
        hears_gate: whether it listens to the gate's outputs.

    Attributes:
        on_image, on_joints: change a message before it goes, or return False to keep it back.
        commands: (monotonic s, message) of each command that came.
        outputs: (monotonic s, positions) of each output of a gate, and `sent`, s of the system's clock, when it left.
        statuses: (monotonic s, name) of each status of a gate.
        reports: of `/diagnostics`, newest of each node.
        beat: s between two joint states.
        beats: when (monotonic s) joint states were due lately, whether a hook kept them back or not.
        stranger: another node, for publishers that come and go.
    """

    def __init__(
        self,
        joints: tuple[str, ...] = ("one", "two"),
        size: tuple[int, int] | None = (48, 64),
        camera_rate: float = 20.0,
        joint_rate: float = 60.0,
        gate: bool = False,
        obeys: bool = False,
        hears_gate: bool = True,
    ) -> None:
        super().__init__("scripted_robot")
        self.joints, self.size = joints, size
        self.positions = [0.1 * (index + 1) for index in range(len(joints))]
        self.obeys = obeys
        self.outputs: list[tuple[float, list[float]]] = []
        self.sent: list[float] = []
        self.statuses: list[tuple[float, str]] = []
        self.on_image: Callable[[Image], Any] = lambda message: True
        self.on_joints: Callable[[JointState], Any] = lambda message: True
        self.gate_status: str | None = "following" if gate else None
        self.stamp_of: Callable[[], Any] = lambda: self.get_clock().now().to_msg()
        self.commands: list[tuple[float, JointTrajectory]] = []
        self.ages: list[float] = []
        self.beat = 1 / joint_rate
        self.beats: deque[float] = deque(maxlen=10_000)
        self.reports: dict[str, DiagnosticStatus] = {}
        self._images, self._states, self._gates, self.goals = (
            publisher(self, row) for row in (IMAGE, JOINT_STATES, GATE_STATUS, GOAL)
        )
        subscription(self, COMMAND, self._on_command)
        if hears_gate:
            subscription(self, POSITIONS, self._on_output)
            subscription(self, GATE_STATUS, self._on_status)
        subscription(self, DIAGNOSTICS, self._on_diagnostics)
        if size is not None:
            data = array.array("B")
            data.frombytes(np.random.default_rng(0).integers(0, 255, (*size, 3), np.uint8).tobytes())
            self._picture = data
            self.create_timer(1 / camera_rate, self._send_image)
        self.create_timer(1 / joint_rate, self._send_joints)
        if gate:
            self.create_timer(0.1, self._send_gate)
        self.stranger = rclpy.create_node("stranger")
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self)
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the robot."""
        self._ends.set()
        self._thread.join()
        self._executor.shutdown()
        self.stranger.destroy_node()
        self.destroy_node()

    def _spin(self) -> None:
        while not self._ends.is_set():
            with suppress(rclpy_implementation.InvalidHandle):  # a test took away a client that was being waited for
                self._executor.spin_once(timeout_sec=0.05)

    def image(self) -> Image:
        """A frame that is as it should be."""
        assert self.size is not None
        message = Image(height=self.size[0], width=self.size[1], encoding="rgb8", step=3 * self.size[1])
        message.header.stamp = self.stamp_of()
        message.data = self._picture
        return message

    def state(self) -> JointState:
        """A joint state that is as it should be."""
        message = JointState(name=list(self.joints), position=list(self.positions))
        message.header.stamp = self.stamp_of()
        return message

    def _send_image(self) -> None:
        message = self.image()
        if self.on_image(message) is not False:
            self._images.publish(message)

    def _send_joints(self) -> None:
        self.beats.append(time.monotonic())
        message = self.state()
        if self.on_joints(message) is not False:
            self._states.publish(message)

    def _send_gate(self) -> None:
        if self.gate_status is not None:
            self._gates.publish(DiagnosticStatus(name="/gate", message=self.gate_status))

    def _on_command(self, message: JointTrajectory) -> None:
        self.commands.append((time.monotonic(), message))
        self.ages.append(to_seconds(self.stamp_of()) - to_seconds(message.header.stamp))

    def _on_output(self, message: Float64MultiArray, info: Mapping[str, Any]) -> None:
        self.outputs.append((time.monotonic(), list(message.data)))
        self.sent.append(info["source_timestamp"] * 1e-9)
        if self.obeys:
            self.positions = list(message.data)

    def _on_status(self, message: DiagnosticStatus) -> None:
        self.statuses.append((time.monotonic(), message.message))

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            self.reports[status.name.rpartition("/")[2]] = status

    # ---- what a test asks ----

    def give_goal(self, values: list[float]) -> None:
        """Publishes a goal."""
        self.goals.publish(Float64MultiArray(data=values))

    def flow(self, seconds: float = 1.0) -> int:
        """Commands that come in so long."""
        before = len(self.commands)
        time.sleep(seconds)
        return len(self.commands) - before

    def last_command_after(self, since: float, quiet: float, patience: float = 10.0) -> float:
        """When, s after `since` (monotonic), the last command came, once none has come for `quiet` s."""
        until = time.monotonic() + patience
        while time.monotonic() < until:
            last = self.commands[-1][0] if self.commands else since
            if time.monotonic() - max(last, since) > quiet:
                return max(0.0, last - since)
            time.sleep(0.02)
        raise AssertionError(f"commands still come {patience} s later")

    def next_command_after(self, since: float, patience: float = 10.0) -> float:
        """When, s after `since` (monotonic), the next command came."""
        until = time.monotonic() + patience
        while time.monotonic() < until:
            later = [when for when, _ in self.commands[-200:] if when > since]
            if later:
                return later[0] - since
            time.sleep(0.01)
        raise AssertionError(f"no command in {patience} s; the agent says {self.report('agent')}")

    def stood_still(self, since: float, until: float) -> float:
        """The longest time, s between then (monotonic), in which this machine did not even let the robot run."""
        beats = [when for when in list(self.beats) if since < when < until]
        return max(0.0, float(np.diff([since, *beats, until]).max()) - self.beat)

    def largest_gap(self, since: float) -> float:
        """The longest time without a command since then, s."""
        times = [since, *[when for when, _ in self.commands if when > since]]
        return float(max(np.diff(times), default=math.inf))

    def never_older_than(self, seconds: float) -> bool:
        """Whether every command came so soon after the decision that its stamp says."""
        return max(self.ages, default=0.0) <= seconds

    def rests(self, within: float) -> None:
        """The gate's outputs stand still after at most so long, for 0.2 s."""
        until = time.monotonic() + within + 0.2
        while time.monotonic() < until:
            recent = [values for when, values in self.outputs if when > time.monotonic() - 0.2]
            if not recent or np.ptp(np.array(recent), axis=0).max() < 1e-9:
                return
            time.sleep(0.02)
        raise AssertionError(f"the outputs still move {within} s later: {recent[-3:]}")

    def forget(self, node: str) -> None:
        """No diagnostics of before count."""
        self.reports.pop(node, None)

    def report(self, node: str) -> tuple[str, dict[str, str]]:
        """The newest diagnostics of a node: message and values; empty before the first."""
        status = self.reports.get(node)
        if status is None:
            return "", {}
        return status.message, {value.key: value.value for value in status.values}

    def wait_report(self, node: str, fits: Callable[[str, dict[str, str]], bool], patience: float = 10.0) -> None:
        """Waits until diagnostics fit."""
        until = time.monotonic() + patience
        while time.monotonic() < until:
            if fits(*self.report(node)):
                return
            time.sleep(0.05)
        raise AssertionError(f"{node} says {self.report(node)}")

    def transition(self, node: str, verb: str, patience: float = 60.0) -> bool:
        """Asks a managed node for a transition; whether it was made."""
        answer = self._call(ChangeState, f"{node}/change_state", patience, transition=TRANSITIONS[verb])
        return bool(answer.success)

    def state_of(self, node: str, patience: float = 30.0) -> str:
        """Of a managed node."""
        return str(self._call(GetState, f"{node}/get_state", patience).current_state.label)

    def parameter(self, node: str, name: str, patience: float = 30.0) -> str:
        """A text parameter of a node."""
        answer = self._call(GetParameters, f"{node}/get_parameters", patience, names=[name])
        return str(answer.values[0].string_value)

    def set_parameter(self, node: str, name: str, value: Any, patience: float = 30.0) -> str:
        """Sets a parameter of a node; why it was refused, empty if it was not."""
        parameters = [Parameter(name, value=value).to_parameter_msg()]
        answer = self._call(SetParameters, f"{node}/set_parameters", patience, parameters=parameters)
        return "" if answer.results[0].successful else str(answer.results[0].reason or "refused")

    def _call(self, kind: Any, name: str, patience: float, transition: int | None = None, **fields: Any) -> Any:
        client = self.create_client(kind, name)
        request = kind.Request(**fields)
        if transition is not None:
            request.transition.id = transition
        assert client.wait_for_service(patience), f"no service {name}"
        future = client.call_async(request)
        until = time.monotonic() + patience
        while not future.done() and time.monotonic() < until:
            time.sleep(0.02)
        assert future.done(), f"{name} did not answer in {patience} s"
        self.destroy_client(client)
        return future.result()


class SimulatedTime:
    """/clock at real speed, which a test can make jump.

    Args:
        robot: whose stamps follow it.
    """

    def __init__(self, robot: ScriptedRobot) -> None:
        self.offset = 0.0
        self._clocks = robot.create_publisher(Clock, "/clock", 1)
        robot.stamp_of = self.now
        robot.create_timer(0.005, self._tick)

    def now(self) -> Any:
        """The time as a stamp."""
        message = Clock()
        fraction, whole = math.modf(time.time() + self.offset)
        message.clock.sec, message.clock.nanosec = int(whole), int(fraction * 1e9)
        return message.clock

    def _tick(self) -> None:
        self._clocks.publish(Clock(clock=self.now()))
