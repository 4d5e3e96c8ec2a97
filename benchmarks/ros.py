"""How fast the agent answers on ROS 2, and how steadily: real processes, real DDS, a learner beside it.

    python benchmarks/ros.py
    python benchmarks/ros.py --priority 0

A camera (640x480 rgb8, 30 Hz), joints (200 Hz), the safety gate and the agent at its default size (camera and
proprioception of `servo-arm/reach`, from nothing), all on two cores with the learner. The clock starts once plans are
made with weights that were learned. The camera stamps a frame when it is taken, right before it is published.

- observation to command: from the stamp of the oldest thing that a decision is about until the command was handed to
  DDS; of every decision, by the agent's own clock.
- control period: between the DDS source stamps of two commands in a row, as another process receives them; the figures
  are how far it is off the period, in percent of it.
- decision period: the same between the beginnings of two decisions.
- gate output period: how far the gate's own outputs, every 5 ms, were off, as it says of the last seconds.

The column `priority` is what the system granted the agent, not what was asked for.
"""

from __future__ import annotations

import array
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from table import cpu_name, write_row

ROOT = Path(__file__).parents[1]
SOURCES = os.pathsep.join(
    str(ROOT / part) for part in (".", "kernels", "sim", "bodies", "ros_nodes", "calibration", "bags")
)
JOINTS = ("turn", "shoulder", "elbow")
PERIOD = 1 / 30
SETTINGS = "online: {random_decisions: 150}\n"
"""Fewer random decisions than by default, so that plans begin soon; nothing else differs from the defaults."""


@dataclass(frozen=True)
class Benchmark:
    """What is measured, and where it goes."""

    seconds: float = 60.0
    """How long, once plans are made with learned weights."""

    cores: int = 2
    """CPU cores that all processes share."""

    learner_idle: bool = True
    """Learn only while a core has nothing else to do, as by default."""

    pin: bool = False
    """Keep the control thread to the first core and the learner to the second."""

    priority: int = 10
    """Real-time priority of the control thread, as by default; 0 for none."""

    patience: float = 240.0
    """Seconds in which plans with learned weights must have begun."""

    out: Path = ROOT / "benchmarks" / "results" / "ros.csv"
    """The table."""


# ---- the processes: this file with a role as its first argument ----


def camera() -> None:
    """Frames at 30 Hz."""
    import rclpy
    from robot_agent_ros.endpoints import publisher
    from robot_agent_ros.graph import CAMERA_INFO, IMAGE
    from robot_agent_ros.sim_body.camera import camera_info
    from sensor_msgs.msg import Image

    rclpy.init()
    node = rclpy.create_node("camera")
    frames, infos = publisher(node, IMAGE), publisher(node, CAMERA_INFO)
    info = camera_info(640, 480, 433.0)
    rng = np.random.default_rng(0)
    pictures = [array.array("B", rng.integers(0, 255, 480 * 640 * 3, np.uint8).tobytes()) for _ in range(4)]
    message = Image(height=480, width=640, encoding="rgb8", step=1920)
    due = time.monotonic()
    index = 0
    while rclpy.ok():
        due += PERIOD
        time.sleep(max(0.0, due - time.monotonic()))
        message.data = pictures[index % 4]
        info.header.stamp = message.header.stamp = node.get_clock().now().to_msg()
        infos.publish(info)
        frames.publish(message)
        index += 1


def joints() -> None:
    """Joint states at 200 Hz of a robot that follows the gate."""
    import rclpy
    from robot_agent_ros.endpoints import publisher, subscription
    from robot_agent_ros.graph import JOINT_STATES, POSITIONS
    from sensor_msgs.msg import JointState

    rclpy.init()
    node = rclpy.create_node("joints")
    states = publisher(node, JOINT_STATES)
    message = JointState(name=list(JOINTS), position=[0.0, 0.4, 1.0], velocity=[0.0] * 3)

    def follow(output: Any) -> None:
        message.position = output.data

    subscription(node, POSITIONS, follow)

    def send() -> None:
        message.header.stamp = node.get_clock().now().to_msg()
        states.publish(message)

    node.create_timer(0.005, send)
    rclpy.spin(node)


def agent(record: str) -> int:
    """The agent's node as it is; at its end it writes down how long each decision took."""
    from robot_agent_ros.agent import control, node

    kept: list[control.Control] = []
    prepare = control.Control.__init__

    def keep(self: control.Control, *args: Any, **named: Any) -> None:
        prepare(self, *args, **named)
        self.latency, self.rate = control.Durations(10**6), control.Rate(10**6)
        kept.append(self)

    control.Control.__init__ = keep  # type: ignore[method-assign]
    status = node.main()
    lived = kept[-1]
    Path(record).write_text(json.dumps({"latency": list(lived.latency), "periods": list(lived.rate.periods)}))
    return status


def listener(record: str) -> None:
    """Configures the agent, waits for learned plans, then writes down when each command was sent."""
    import rclpy
    from robot_agent_ros.endpoints import message_class, subscription_profile
    from robot_agent_ros.graph import COMMAND

    from tests.ros_body import ScriptedRobot

    rclpy.init()
    robot = ScriptedRobot(size=None, joint_rate=1e-3, hears_gate=False)
    sent: list[float] = []
    profile = subscription_profile(COMMAND)
    profile.depth = 50
    robot.create_subscription(
        message_class(COMMAND), COMMAND.name, lambda _, info: sent.append(info["source_timestamp"] * 1e-9), profile
    )
    for verb in ("configure", "activate"):
        if not robot.transition("agent", verb, patience=180):
            raise SystemExit(f"the agent does not {verb}: {robot.report('agent')}")
    patience, seconds = float(sys.argv[3]), float(sys.argv[4])
    robot.wait_report("agent", lambda _, values: int(values.get("weights version", 0)) >= 3, patience)
    began, first = time.monotonic(), len(sent)
    _, before = robot.report("agent")
    time.sleep(seconds)
    message, after = robot.report("agent")
    _, gate = robot.report("gate")
    heard = {"sent": sent[first:], "seconds": time.monotonic() - began, "before": before, "after": after, "gate": gate}
    Path(record).write_text(json.dumps(heard))
    print(f"the agent says {message}: {json.dumps(after, indent=1)}", file=sys.stderr)
    robot.close()


# ---- the measurement ----


def measure(benchmark: Benchmark) -> list[dict[str, object]]:
    """All rows."""
    from robot_agent_ros.transport import whole_frames

    from tests.ros_graph import alone, flags

    cores = sorted(os.sched_getaffinity(0))[: benchmark.cores]
    os.sched_setaffinity(0, cores)
    environment = whole_frames({**os.environ, **alone(), "PYTHONPATH": SOURCES, "OMP_NUM_THREADS": "1"})
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "settings.yaml").write_text(SETTINGS)
        parameters = {
            "world": "servo-arm/reach",
            "streams": ["proprio", "camera"],
            "goal": [0.25, 0.0, 0.2],
            "settings": str(folder / "settings.yaml"),
            "run_folder": str(folder / "run"),
            "learner_idle": benchmark.learner_idle,
            "priority": benchmark.priority,
            **({"core": cores[0], "learner_core": cores[-1]} if benchmark.pin else {}),
        }
        gate = {
            "joints": list(JOINTS),
            "lower": [-3.0] * 3,
            "upper": [3.0] * 3,
            "velocity": [4.0],
            "acceleration": [40.0],
            "jerk": [800.0],
        }
        here = str(Path(__file__))
        commands = {
            "camera": [here, "camera"],
            "joints": [here, "joints"],
            "gate": ["-m", "robot_agent_ros.gate.node", *flags(gate)],
            "agent": [here, "agent", str(folder / "agent.json"), *flags(parameters)],
        }
        processes = {
            name: subprocess.Popen([sys.executable, *args], env=environment) for name, args in commands.items()
        }
        try:
            listening = [
                here,
                "listener",
                str(folder / "listener.json"),
                str(benchmark.patience),
                str(benchmark.seconds),
            ]
            subprocess.run([sys.executable, *listening], env=environment, check=True)
            processes["agent"].send_signal(signal.SIGINT)
            processes["agent"].wait(60)
            own = json.loads((folder / "agent.json").read_text())
            heard = json.loads((folder / "listener.json").read_text())
        finally:
            for process in processes.values():
                process.kill()
                process.wait()
    sent = np.array(heard["sent"])
    decisions = len(sent)
    latency = 1e3 * np.array(own["latency"])[-decisions:]
    off = 100 * np.abs(np.diff(sent) - PERIOD) / PERIOD
    began = 100 * np.abs(np.array(own["periods"])[-decisions:] - PERIOD) / PERIOD
    updates = int(heard["after"]["updates"]) - int(heard["before"]["updates"])
    seconds = float(heard["seconds"])
    print(f"{decisions} commands and {updates} updates in {seconds:.1f} s", file=sys.stderr)
    rows = (
        ("observation to command", "ms", latency, 40, 20),
        ("control period while learning", "% of the period", off, 20, 5),
        ("decision period while learning", "% of the period", began, 20, 5),
        ("updates beside acting", "updates/s", np.array([updates / seconds]), "", ""),
        ("gate output period, its p99", "ms", np.array([float(heard["gate"]["output jitter p99 [ms]"])]), "", ""),
    )
    granted = int(heard["after"]["real-time priority"])
    return [
        {
            "case": case,
            "unit": unit,
            "p50": round(float(np.percentile(values, 50)), 2),
            "p99": round(float(np.percentile(values, 99)), 2),
            "max": round(float(values.max()), 2),
            "floor_p99": floor,
            "goal_p99": goal,
            "samples": len(values),
            "seconds": round(seconds, 1),
            "priority": granted,
            "learner": "idle" if benchmark.learner_idle else "normal",
            "cores": len(cores),
            "device": cpu_name(),
        }
        for case, unit, values, floor, goal in rows
    ]


def main(argv: Sequence[str] | None = None) -> None:
    """Measures, and replaces the rows of the same cases."""
    benchmark = tyro.cli(Benchmark, args=argv)
    rows = measure(benchmark)
    for row in rows:
        write_row(benchmark.out, row, key=("case", "priority", "learner", "cores", "device"))
        print(",".join(map(str, row.values())), flush=True)


if __name__ == "__main__":
    roles = {"camera": camera, "joints": joints}
    role = sys.argv[1] if len(sys.argv) > 1 else ""
    if role in roles:
        roles[role]()
    elif role == "agent":
        record = sys.argv.pop(2)
        sys.argv.pop(1)
        sys.exit(agent(record))
    elif role == "listener":
        listener(sys.argv[2])
    else:
        main()
