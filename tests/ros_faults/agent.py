"""Faults around the agent: what it keeps of commands that nobody obeyed, and whose robot it is."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import yaml
from robot_agent_ros.graph import AGENT, CLOCK, DIAGNOSTICS, GATE, RELEASE, RESET, STOP
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import JointState

from robot_agent.replay.replay import Replay
from tests.ros_ears import Ears
from tests.ros_faults.robot import JudgedRobot
from tests.ros_faults.scenario import Outcome, Scenario, Stage
from tests.ros_graph import flags
from tests.ros_robot import GATE_PARAMETERS, JOINTS

RATE = 20.0
_MARGIN = 0.3
"""s around a moment in which a command may be on its way."""
SETTINGS = {
    "device": "cpu",
    "agent": {
        "mind": {
            "encoder": {"latent_dim": 32, "simplex_dim": 4, "hidden": [64]},
            "world_model": {"hidden": [64, 64]},
            "heads": {"hidden": [64, 64], "bins": 51},
        },
        "planner": {"search": {"samples": 24, "policy_samples": 8, "iterations": 2}},
    },
    "online": {"random_decisions": 10_000},
}


class RunningAgent:
    """The agent's node as a process, which keeps what it lives in a folder of its own.

    Args:
        stage: where it plays.
        ears: that hear its diagnostics.
        name: of the node.
        parameters: more than, or instead of, those of a body of two joints.
    """

    def __init__(self, stage: Stage, ears: Ears, name: str = AGENT.name, **parameters: Any) -> None:
        self.name, self._ears, self._processes = name, ears, stage.processes
        self.folder = stage.folder / name
        settings = stage.folder / "settings.yaml"
        settings.write_text(yaml.safe_dump(SETTINGS))
        defaults = {
            "joints": list(JOINTS),
            "lower": [-2.0, -2.0],
            "upper": [2.0, 2.0],
            "control_rate": RATE,
            "streams": ["proprio"],
            "settings": str(settings),
            "run_folder": str(self.folder),
            "learner_idle": False,
            "reward": "topic",
            "largest_joint_age": 0.3,
            "largest_command_age": 0.4,
        }
        args = ["-m", AGENT.module, *flags(defaults | parameters, {"__node": name})]
        self._processes.start(name, args)

    def activate(self) -> None:
        """Configures and activates it."""
        for verb in ("configure", "activate"):
            self._ears.change(self.name, verb)

    @property
    def report(self) -> dict[str, str]:
        """What it says of itself; `message` is its status."""
        return self._ears.diagnosed(self.name)

    def says(self, message: str, seconds: float = 30.0) -> None:
        """Waits until its status is this."""
        self._ears.until(lambda: self.report.get("message", "") == message, seconds)

    @property
    def log(self) -> str:
        """What it printed."""
        return self._processes.log(self.name)

    def end(self) -> np.ndarray:
        """Ends it and returns the rows that it kept."""
        self._processes.stop(self.name, timeout=60)
        rows = [segment.read() for segment in Replay(self.folder / "replay").segments.values()]
        kept = np.concatenate(rows) if rows else np.zeros(0, [("is_final", np.bool_), ("stamp", np.float64)])
        return kept[~kept["is_final"]]


@contextmanager
def _played(stage: Stage, make: Callable[[], JudgedRobot] = JudgedRobot) -> Iterator[tuple[JudgedRobot, Ears]]:
    stage.processes.start_node(GATE, GATE_PARAMETERS)
    ears = Ears(DIAGNOSTICS)
    try:
        with make() as robot:
            yield robot, ears
    finally:
        ears.node.destroy_node()


def _outcome(robot: JudgedRobot, kept: np.ndarray, never: np.ndarray, one_gate: bool = True) -> Outcome:
    """Of what the agents kept, those of a time in which nobody obeyed (mask), or more than the gate accepted."""
    time.sleep(1.2)  # the gate says once a second how many commands it has accepted
    surplus = len(kept) - int(robot.diagnostics["commands accepted"]) if one_gate else 0
    return Outcome(len(robot.outputs), len(robot.beyond), len(kept), max(int(np.sum(never)), surplus))


def every_command_refused(stage: Stage) -> Outcome:
    """The gate has one joint more than the agent moves: nothing is accepted, nothing moves, nothing is kept."""
    with _played(stage) as (robot, ears):
        agent = RunningAgent(stage, ears, joints=list(JOINTS[:1]), lower=[-2.0], upper=[2.0])
        robot.wait_for("holding", 60)
        agent.activate()
        agent.says("holding: command_refused")
        ears.listen(3.0)
        assert "missing_joint" in agent.report["why"]
        assert int(agent.report["decisions refused by the gate"]) > 5
        assert robot.position == [0.1, -0.1]
        kept = agent.end()
        return _outcome(robot, kept, np.ones(len(kept), np.bool_))


def second_agent(stage: Stage) -> Outcome:
    """Two agents on one gate: the second keeps nothing, and moves the robot only after `gate/release`."""
    with _played(stage) as (robot, ears):
        first, second = RunningAgent(stage, ears), RunningAgent(stage, ears, "second")
        robot.wait_for("holding", 60)
        first.activate()
        first.says("acting")
        second.activate()
        second.says("holding: command_refused")
        assert second.report["owner of the gate"] == "/agent"
        began = time.time()
        ears.listen(2.0)
        firsts = first.end()
        assert np.sum(firsts["stamp"] > began) > RATE  # it went on beside the other one
        rested = list(robot.position)
        ears.listen(3.0)
        assert robot.position == rested
        assert second.report["message"] == "holding: command_refused"
        released = time.time()
        ears.call(RELEASE)
        second.says("acting")
        assert second.report["owner of the gate"] == "/second"
        ears.listen(2.0)
        seconds = second.end()
        assert np.sum(seconds["stamp"] > released) > RATE
        return _outcome(robot, np.concatenate((firsts, seconds)), seconds["stamp"] < released - _MARGIN)


def stopped_while_acting(stage: Stage) -> Outcome:
    """The gate is stopped while the agent acts, and reset: of the time between nothing is kept."""
    with _played(stage) as (robot, ears):
        agent = RunningAgent(stage, ears)
        robot.wait_for("holding", 60)
        agent.activate()
        agent.says("acting")
        ears.listen(1.0)
        ears.call(STOP)
        stopped = time.time()
        agent.says("holding: gate_stopped")
        ears.listen(3.0)
        (line,) = [one for one in agent.log.splitlines() if "holding: gate_stopped" in one]  # once, and why
        assert "until gate/reset is called" in line
        ears.call(RESET)
        reset = time.time()
        agent.says("acting")
        ears.listen(1.0)
        kept = agent.end()
        assert np.sum(kept["stamp"] > reset) > 0
        return _outcome(robot, kept, (kept["stamp"] > stopped + _MARGIN) & (kept["stamp"] < reset - _MARGIN))


def gate_killed_while_acting(stage: Stage) -> Outcome:
    """The gate dies while the agent acts, and another one comes: of the time between nothing is kept."""
    with _played(stage) as (robot, ears):
        agent = RunningAgent(stage, ears)
        robot.wait_for("holding", 60)
        agent.activate()
        agent.says("acting")
        ears.listen(1.0)
        stage.processes.stop(GATE.name, signal.SIGKILL)
        killed = time.time()
        agent.says("holding: gate_missing")
        ears.listen(1.0)
        started = time.time()
        stage.processes.start_node(GATE, GATE_PARAMETERS)
        agent.says("acting", 60)
        ears.listen(1.0)
        kept = agent.end()
        assert np.sum(kept["stamp"] > started) > 0
        return _outcome(robot, kept, (kept["stamp"] > killed + _MARGIN) & (kept["stamp"] < started), one_gate=False)


class _SplitRobot(JudgedRobot):
    """Publishes each joint in a message of its own, without velocities or efforts, as NaN."""

    def _publish_joints(self) -> None:
        for name, position in zip(JOINTS, self.position, strict=True):
            message = JointState(name=[name], position=[position], velocity=[math.nan], effort=[math.nan])
            message.header.stamp = self._stamp(0.0)
            self._joints.publish(message)


def joints_in_two_messages(stage: Stage) -> Outcome:
    """The agent acts on joints that come one by one, and keeps what it lives."""
    with _played(stage, _SplitRobot) as (robot, ears):
        agent = RunningAgent(stage, ears)
        robot.wait_for("holding", 60)
        agent.activate()
        agent.says("acting")
        ears.listen(2.0)
        kept = agent.end()
        assert len(kept) > RATE
        assert np.ptp(kept["proprio"][:, 0]) > 0.01
        return _outcome(robot, kept, np.zeros(len(kept), np.bool_))


def paused_clock(stage: Stage) -> Outcome:
    """Simulated time never comes, runs, and stands still: the agent says that it waits, and keeps nothing meanwhile."""
    with _played(stage) as (robot, ears):
        agent = RunningAgent(stage, ears, use_sim_time=True)
        robot.wait_for("holding", 60)
        agent.activate()
        agent.says("holding: waiting_for_clock")
        until = time.time() + 4.0
        while time.time() < until:  # the time of the robot's stamps
            ears.say(CLOCK, Clock(clock=robot._stamp(0.0)))
            ears.listen(0.01)
        assert int(agent.report["decisions"]) > RATE
        paused = time.time()
        agent.says("holding: waiting_for_clock")
        ears.listen(2.0)
        kept = agent.end()
        assert len(kept) > 0
        return _outcome(robot, kept, kept["stamp"] > paused)


SCENARIOS: dict[str, Scenario] = {
    "agent with joints in two messages": joints_in_two_messages,
    "agent with a paused clock": paused_clock,
    "every command refused": every_command_refused,
    "second agent on one gate": second_agent,
    "stopped while acting": stopped_while_acting,
    "gate killed while acting": gate_killed_while_acting,
}
