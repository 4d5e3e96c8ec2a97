"""How fast the gate reacts, over real DDS between processes: one JSON line a case, rows to `results/ros_gate.csv`.

    python benchmarks/ros_gate.py
    python benchmarks/ros_gate.py --case stop --turns 50

- `kill`: from the stamp of an agent's last command to the gate's first word that it holds, when the agent, a process
  that decides 30 times a second, is killed with SIGKILL; the hold begins with the output just before that word.
- `stop`: from the call of gate/stop to the first output of the stop, as the robot receives it.
- `load`: what the gate's process takes of a core while it follows 6 joints at 200 Hz.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import rclpy
import tyro
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.executors import SingleThreadedExecutor
from robot_agent_ros.endpoints import publisher, service_class, subscription
from robot_agent_ros.graph import COMMAND, GATE_STATUS, JOINT_STATES, POSITIONS, RESET, STOP
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray
from table import cpu_name, write_row
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

CASES = ("kill", "stop", "load")
JOINTS = [f"joint{index}" for index in range(6)]
GATE = """/**/gate:
  ros__parameters:
    joints: [joint0, joint1, joint2, joint3, joint4, joint5]
    lower: [-2.0]
    upper: [2.0]
    velocity: [2.0]
    acceleration: [10.0]
    jerk: [100.0]
    tracking_error: 0.0
"""


@dataclass(frozen=True)
class Benchmark:
    """What is measured."""

    case: Literal["all", "kill", "stop", "load"] = "all"
    """One case, or all."""

    turns: int = 100
    """Kills, or stops."""

    seconds: float = 20.0
    """Of the case load."""

    out: Path = Path(__file__).parent / "results" / "ros_gate.csv"
    """The table; rows of cases that are not measured stay."""


@dataclass(frozen=True)
class Row:
    """Milliseconds, or per cent of a core."""

    case: str
    unit: str
    turns: int
    p50: float
    p99: float
    worst: float
    cores: int
    device: str


def agent() -> None:
    """What `kill` kills: an agent that swings all joints, 30 decisions a second."""
    rclpy.init()
    node = rclpy.create_node("agent")
    commands = publisher(node, COMMAND)
    began = due = time.monotonic()
    while True:
        side = 1.0 if int(time.monotonic() - began) % 2 else -1.0
        commands.publish(command(side, node.get_clock().now().to_msg()))
        due += 1 / 30
        time.sleep(max(0.0, due - time.monotonic()))


def command(position: float, stamp: Any) -> JointTrajectory:
    """All joints to one position."""
    message = JointTrajectory(joint_names=JOINTS, points=[JointTrajectoryPoint(positions=[position] * len(JOINTS))])
    message.header.stamp = stamp
    return message


class Robot:
    """Joints that obey at once, 200 times a second, and note what comes and when."""

    def __init__(self) -> None:
        self.node = rclpy.create_node("robot")
        self.position = [0.0] * len(JOINTS)
        self.outputs: list[tuple[float, list[float]]] = []
        self.statuses: list[tuple[float, str]] = []
        self.last_stamp = 0.0
        self.joints = publisher(self.node, JOINT_STATES)
        subscription(self.node, POSITIONS, self._on_output)
        subscription(self.node, GATE_STATUS, self._on_status)
        subscription(self.node, COMMAND, self._on_command)
        self.clients = {row.name: self.node.create_client(service_class(row), row.name) for row in (STOP, RESET)}
        self.node.create_timer(0.005, self._publish)
        executor = SingleThreadedExecutor()
        executor.add_node(self.node)
        self.ends = threading.Event()
        self.thread = threading.Thread(target=self._spin, args=(executor,), daemon=True)
        self.thread.start()

    def _spin(self, executor: SingleThreadedExecutor) -> None:
        while not self.ends.is_set():
            executor.spin_once(timeout_sec=0.1)

    def _publish(self) -> None:
        message = JointState(name=JOINTS, position=self.position, velocity=[0.0] * len(JOINTS))
        message.header.stamp = self.node.get_clock().now().to_msg()
        self.joints.publish(message)

    def _on_output(self, message: Float64MultiArray) -> None:
        self.position = list(message.data)
        self.outputs.append((time.monotonic(), self.position))

    def _on_status(self, message: DiagnosticStatus) -> None:
        self.statuses.append((time.monotonic(), message.message))

    def _on_command(self, message: JointTrajectory) -> None:
        stamp = message.header.stamp
        self.last_stamp = time.monotonic() - (time.time() - stamp.sec - stamp.nanosec * 1e-9)

    def call(self, name: str) -> float:
        """Calls a service, waits for the answer, and says when the call was made."""
        client, done = self.clients[name], threading.Event()
        client.wait_for_service(20)
        before = time.monotonic()
        client.call_async(client.srv_type.Request()).add_done_callback(lambda _: done.set())
        if not done.wait(20):
            raise RuntimeError(f"{name} did not answer in 20 s: is the gate up?")
        return before

    def wait_for(self, status: str, since: float = 0.0) -> float:
        """Waits until the gate says this, and says when that was."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            for at, said in reversed(self.statuses):
                if at <= since:
                    break
                if said == status:
                    return next(a for a, s in self.statuses if a > since and s == status)
            time.sleep(0.001)
        raise RuntimeError(f"the gate said {self.statuses[-1:]}, expected {status} within 60 s")


def kill(robot: Robot, config: Benchmark) -> list[float]:
    """See the module; ms."""
    took = []
    for _ in range(config.turns):
        process = subprocess.Popen([sys.executable, __file__, "--agent"])
        began = time.monotonic()
        robot.wait_for("following", began)
        while robot.last_stamp < began:  # the robot has found the agent too, and knows its last command
            time.sleep(0.01)
        time.sleep(0.5)
        process.send_signal(signal.SIGKILL)
        killed = time.monotonic()
        process.wait()
        took.append(1e3 * (robot.wait_for("holding", killed) - robot.last_stamp))
        time.sleep(1.2)  # until the gate listens to another
    return took


def stop(robot: Robot, config: Benchmark) -> list[float]:
    """See the module; ms. The first output after the call that is a stop's is the one that comes with its status."""
    took = []
    process = subprocess.Popen([sys.executable, __file__, "--agent"])
    try:
        for turn in range(config.turns):
            robot.wait_for("following", time.monotonic())
            time.sleep(0.3 + 0.0371 * (turn % 7))
            before = robot.call(STOP.name)
            said = robot.wait_for("stopped", before)
            # The gate sends the output before the status, on another topic: the nearest one is meant.
            nearest = min((at for at, _ in robot.outputs if at > before), key=lambda at: abs(at - said))
            took.append(1e3 * (max(nearest, said) - before))
            robot.call(RESET.name)
    finally:
        process.kill()
        process.wait()
    return took


def load(robot: Robot, config: Benchmark, gate: int) -> list[float]:
    """See the module; per cent of a core, of each second."""
    process = subprocess.Popen([sys.executable, __file__, "--agent"])
    shares = []
    try:
        robot.wait_for("following", time.monotonic())
        for _ in range(round(config.seconds)):
            before, at = _cpu_seconds(gate), time.monotonic()
            time.sleep(1.0)
            shares.append(100 * (_cpu_seconds(gate) - before) / (time.monotonic() - at))
    finally:
        process.kill()
        process.wait()
    return shares


def _cpu_seconds(pid: int) -> float:
    after = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(after[11]) + int(after[12])) / os.sysconf("SC_CLK_TCK")


def row(case: str, unit: str, values: Sequence[float]) -> Row:
    """Nearest-rank quantiles."""
    ranked = sorted(values)
    p50, p99 = (ranked[min(len(ranked) - 1, int(q * len(ranked)))] for q in (0.5, 0.99))
    rounded = [round(value, 2) for value in (p50, p99, ranked[-1])]
    return Row(case, unit, len(ranked), *rounded, cores=os.cpu_count() or 1, device=cpu_name())


def main(config: Benchmark) -> None:
    """Measures and writes."""
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    os.environ.setdefault("ROS_DOMAIN_ID", str(1 + os.getpid() % 99))
    rclpy.init()
    robot = Robot()
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(GATE)
        file.flush()
        arguments = ["-m", "robot_agent_ros.gate.node", "--ros-args", "--params-file", file.name]
        gate = subprocess.Popen([sys.executable, *arguments])
        try:
            robot.wait_for("holding")
            for case in CASES if config.case == "all" else (config.case,):
                if case == "load":
                    line = row(case, "% of a core", load(robot, config, gate.pid))
                else:
                    line = row(case, "ms", {"kill": kill, "stop": stop}[case](robot, config))
                print(json.dumps(asdict(line)), flush=True)
                write_row(config.out, asdict(line), key=("case", "device"))
        finally:
            gate.send_signal(signal.SIGINT)
            gate.wait(20)
    robot.ends.set()
    robot.thread.join()
    rclpy.try_shutdown()


if __name__ == "__main__":
    if sys.argv[1:] == ["--agent"]:
        agent()
    main(tyro.cli(Benchmark))
