"""Commands that would break a robot, to the gate without ROS: one JSON line a case, rows to `results/gate.csv`.

    python benchmarks/gate.py
    python benchmarks/gate.py --commands 10000 --case position
    python benchmarks/gate.py --summary

Each command is drawn to do harm: at and beyond the limits, as large as floats go, flipping sides at the worst moment, a
hair away from where the joint is, NaN, old, from the future, from somebody else, with joints missing; and between them
e-stops, resets, joint states that stop, pauses of the process and clocks that jump.

In the cases `position`, `velocity` and `twist` the output is judged by what was sent alone: divided differences of the
positions up to the third order are means of velocity, acceleration and jerk, so none may be beyond its limit, and a
body that does what it is sent stays between its ends. In `trajectory` and `keep_out` it goes through a fake
joint_trajectory_controller with the rules of a stock one, up to 6 ms late, and what that wants of the robot is judged:
its velocity and acceleration wherever they can be largest, its ends, and in `keep_out` the distance of points on its
links, computed here by hand, from a table and a pillar. ROS's clock does not jump there: it is the controller's, too.

Row G1 of `results/ground_summary.csv` is the violations of all cases together.
"""

from __future__ import annotations

import json
import math
import random
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import tyro
from numpy.typing import NDArray
from robot_agent_bodies.fake_controller import FakeJointTrajectoryController
from robot_agent_bodies.gate.brake import State
from robot_agent_bodies.gate.config import GateConfig
from robot_agent_bodies.gate.gate import Command, Gate, Now
from robot_agent_bodies.gate.trajectory import Trajectory
from scipy.stats import chi2
from summary import print_summary, write_rows
from table import cpu_name, read_rows, write_row

ARM = """<robot name="arm">
  <link name="base"/><link name="column"/><link name="upper"/><link name="lower"/><link name="tip"/>
  <joint name="slow" type="revolute"><parent link="base"/><child link="column"/>
    <axis xyz="0 0 1"/><limit lower="-3" upper="3" velocity="9" effort="1"/></joint>
  <joint name="arm" type="revolute"><parent link="column"/><child link="upper"/><origin xyz="0 0 0.3"/>
    <axis xyz="0 1 0"/><limit lower="-3" upper="3" velocity="9" effort="1"/></joint>
  <joint name="fast" type="revolute"><parent link="upper"/><child link="lower"/><origin xyz="0.3 0 0"/>
    <axis xyz="0 1 0"/><limit lower="-3" upper="3" velocity="9" effort="1"/></joint>
  <joint name="hand" type="fixed"><parent link="lower"/><child link="tip"/><origin xyz="0.2 0 0"/></joint>
</robot>"""
"""Turns on a column of 0.3 m, with links of 0.3 and 0.2 m."""
TABLE, PILLAR, MARGIN = 0.1, ((0.2, 0.2, 0.0), (0.4, 0.4, 0.6)), 0.03
"""m: the table's height, two corners of the pillar, and how far links stay away from both."""

CASES = {
    "position": GateConfig(
        joints=("slow", "arm", "fast"),
        lower=(-1.5, -0.2, -3.0),
        upper=(1.2, 2.0, 3.0),
        velocity=(0.5, 2.0, 8.0),
        acceleration=(2.0, 10.0, 100.0),
        jerk=(10.0, 100.0, 3000.0),
    ),
    "velocity": GateConfig(
        joints=("slow", "arm", "fast"),
        output="forward_velocity",
        lower=(-1.5, -0.2, -3.0),
        upper=(1.2, 2.0, 3.0),
        velocity=(0.5, 2.0, 8.0),
        acceleration=(2.0, 10.0, 100.0),
        jerk=(10.0, 100.0, 3000.0),
    ),
    "twist": GateConfig(
        joints=("linear.x", "angular.z"),
        output="twist",
        velocity=(1.0, 3.0),
        acceleration=(2.0, 8.0),
        jerk=(20.0, 80.0),
    ),
}
CASES["trajectory"] = replace(CASES["position"], output="joint_trajectory")
CASES["keep_out"] = replace(
    CASES["trajectory"],
    velocity=(2.0, 2.0, 8.0),
    acceleration=(10.0, 10.0, 100.0),
    jerk=(100.0, 100.0, 3000.0),
    robot_description=ARM,
    keep_out=(f"plane 0 0 1 {TABLE}", "box " + " ".join(str(one) for corner in PILLAR for one in corner)),
    keep_out_margin=MARGIN,
)
SHARES = {"position": 0.6, "velocity": 0.2, "twist": 0.2, "trajectory": 0.8, "keep_out": 0.2}
OFTEN = 2_000_000
"""ns between two looks at where the arm is."""
LATEST = 0.006
"""s that a trajectory takes to the controller, at most."""
TOLERANCE = 1e-6
"""Relative, beyond what rounding of the positions explains."""
EPOCH = 1_800_000_000 * 10**9
"""ns, when it begins."""
CHUNK = 20_000
"""Outputs that are judged at once."""


@dataclass(frozen=True)
class Benchmark:
    """What is measured."""

    commands: int = 1_000_000
    """In `position`, `velocity` and `twist` together, and again in `trajectory` and `keep_out` together."""

    case: Literal["all", "position", "velocity", "twist", "trajectory", "keep_out"] = "all"
    """One case, or all."""

    seed: int = 0

    out: Path = Path(__file__).parent / "results" / "gate.csv"
    """The table; rows of cases that are not measured stay."""

    ground: Path = Path(__file__).parent / "results" / "ground_summary.csv"
    """The summary with row G1."""

    summary: bool = False
    """Write and print the summary of what was measured before."""


@dataclass(frozen=True)
class Row:
    """What was sent, what came out, and how near that came to each limit (1 is the limit).

    Attributes:
        jerk: None where a controller makes its own.
        clearance: m between a link and the nearest zone, least; None without zones.
        held_back: outputs that would have led into a zone.
        microseconds_per_output: of the process's own time, measurements and commands included.
    """

    case: str
    seed: int
    commands: int
    accepted: int
    refused: int
    outputs: int
    violations: int
    position: float
    velocity: float
    acceleration: float
    jerk: float | None
    clearance: float | None
    overruled: int
    held_back: int
    microseconds_per_output: float
    device: str


class Judge:
    """Looks at the outputs alone, and finds every one that breaks a limit.

    Args:
        gate: whose limits count.
        order: of the outputs: 0 for positions, 1 for velocities.
    """

    def __init__(self, gate: Gate, order: int) -> None:
        self.order = order
        self.lower = np.array([limits.lower for limits in gate.limits])
        self.upper = np.array([limits.upper for limits in gate.limits])
        self.most = [
            np.array([getattr(limits, name) for limits in gate.limits]) for name in ("velocity", "acceleration", "jerk")
        ]
        self.violations = 0
        self.used = {"position": 0.0, "velocity": 0.0, "acceleration": 0.0, "jerk": 0.0}

    def judge(self, times: NDArray[np.float64], outputs: NDArray[np.float64], positions: NDArray[np.float64]) -> None:
        """Judges outputs (n, joints) at times (n,) and where the body was (n, joints)."""
        if np.isfinite(self.lower).all():
            middle, half = (self.upper + self.lower) / 2, (self.upper - self.lower) / 2
            self._count("position", np.abs(positions - middle) / half, 1e-9)
        differences, noise = outputs, np.abs(outputs) * np.finfo(float).eps
        for name, most, step in zip(
            ("velocity", "acceleration", "jerk"), self.most, range(3 + self.order), strict=False
        ):
            level = step + 1 - self.order
            if level > 0:
                span = times[level:] - times[:-level]
                differences = level * np.diff(differences, axis=0) / span[:, None]
                noise = level * (noise[1:] + noise[:-1]) / span[:, None]
            self._count(name, (np.abs(differences) - 4 * noise) / most, TOLERANCE)

    def _count(self, name: str, used: NDArray[np.float64], tolerance: float) -> None:
        if not len(used):
            return
        self.violations += int((used > 1 + tolerance).sum())
        self.used[name] = max(self.used[name], float(used.max()))


class RobotJudge:
    """Looks at what a joint_trajectory_controller wants of the robot, and finds every violation.

    Args:
        gate: whose limits count.
        has_zones: whether the arm has its table and its pillar.
    """

    def __init__(self, gate: Gate, has_zones: bool) -> None:
        self.limits, self.has_zones = gate.limits, has_zones
        self.violations, self.clearance = 0, math.inf
        self.used = {"position": 0.0, "velocity": 0.0, "acceleration": 0.0}
        self._configurations: list[list[float]] = []

    def watch(self, controller: FakeJointTrajectoryController, until: int) -> None:
        """Judges what a controller wants up to a time (ns): wherever it is most, and often in between."""
        if self.has_zones:
            for moment in range(controller.now, until, OFTEN):
                self._configurations.append([state.position for state in controller.at(moment)])
        for states in controller.corners(until):
            self.judge(states)

    def judge(self, states: Sequence[State]) -> None:
        """Judges the state of all joints at a moment."""
        for limits, state in zip(self.limits, states, strict=True):
            middle, half = (limits.upper + limits.lower) / 2, (limits.upper - limits.lower) / 2
            for name, used in (
                ("position", abs(state.position - middle) / half),
                ("velocity", abs(state.velocity) / limits.velocity),
                ("acceleration", abs(state.acceleration) / limits.acceleration),
            ):
                self.violations += used > 1 + TOLERANCE
                self.used[name] = max(self.used[name], used)
        if self.has_zones:
            self._configurations.append([state.position for state in states])
            if len(self._configurations) >= CHUNK:
                self.finish()

    def finish(self) -> None:
        """Judges distances from the zones, of many configurations at once."""
        if not self._configurations:
            return
        points = arm_points(np.array(self._configurations))
        self._configurations.clear()
        low, high = np.array(PILLAR[0]), np.array(PILLAR[1])
        beyond = np.abs(points - (low + high) / 2) - (high - low) / 2
        pillar = np.sqrt(np.square(np.maximum(beyond, 0)).sum(axis=-1)) + np.minimum(beyond.max(axis=-1), 0)
        nearest = np.minimum(pillar, points[..., 2] - TABLE).min(axis=1)
        self.violations += int((nearest < MARGIN - TOLERANCE).sum())
        self.clearance = min(self.clearance, float(nearest.min()))


def arm_points(positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points on the links of `ARM` (n, 40, 3), m, where its joints are at positions (n, 3)."""
    turn, lift, bend = positions.T
    shares = np.linspace(0, 1, 20)
    upper = 0.3 * np.stack([np.cos(lift), -np.sin(lift)], axis=-1)
    lower = 0.2 * np.stack([np.cos(lift + bend), -np.sin(lift + bend)], axis=-1)
    plane = np.concatenate(
        [shares[None, :, None] * upper[:, None], upper[:, None] + shares[None, :, None] * lower[:, None]], axis=1
    )
    radius, height = plane[..., 0], 0.3 + plane[..., 1]
    return np.stack([radius * np.cos(turn)[:, None], radius * np.sin(turn)[:, None], height], axis=-1)


class Adversary:
    """Draws commands and everything else that can go wrong."""

    def __init__(self, gate: Gate, seed: int) -> None:
        self.gate, self.random = gate, random.Random(seed)
        self.mood, self.until = "far", 0
        self.count = 0

    def command(self, now: Now) -> Command:
        """The next command."""
        draw, config = self.random, self.gate.config
        self.count += 1
        if self.count >= self.until:
            self.mood = draw.choice(("far", "edges", "flip", "near", "walk", "mixed"))
            self.until = self.count + draw.randrange(5, 200)
        joints = list(config.joints)
        values = [self._value(index) for index in range(len(joints))]
        stamp, source, publisher, unused = now.ros, now.system, b"agent", []
        fault = draw.random()
        if fault < 0.01:
            values[draw.randrange(len(values))] = draw.choice((math.nan, math.inf, -math.inf))
        elif fault < 0.02:
            stamp -= draw.choice((int(0.1e9) + 1, int(5e9), 10**18))
        elif fault < 0.03:
            stamp += draw.choice((int(0.06e9), int(5e9), 10**18))
        elif fault < 0.04:
            source -= draw.choice((int(0.1e9) + 1, int(5e9), source))
        elif fault < 0.05:
            publisher = draw.choice((b"other", b"", None))
        elif fault < 0.06:
            joints[draw.randrange(len(joints))] = draw.choice(("", "elbow", joints[0]))
        elif fault < 0.07:
            joints.pop()
        elif fault < 0.08:
            unused = [math.nan]
        elif fault < 0.2:
            stamp -= draw.randrange(int(0.1e9))
        return Command(joints, values, stamp, source, publisher, unused)

    def _value(self, index: int) -> float:
        draw, limits, state = self.random, self.gate.limits[index], self.gate.shapers[index].state
        if self.gate.config.moves_by_velocity:
            low, high, here = -limits.velocity, limits.velocity, state.velocity
        else:
            low, high, here = limits.lower, limits.upper, state.position
        mood = draw.choice(("far", "edges", "flip", "near", "walk")) if self.mood == "mixed" else self.mood
        if mood == "far":
            return draw.choice((-1, 1)) * 10 ** draw.uniform(-3, 308)
        if mood == "edges":
            return draw.choice((low, high, math.nextafter(low, -9e9), math.nextafter(high, 9e9)))
        if mood == "flip":
            return low if state.velocity > 0 else high
        if mood == "near":
            return here + draw.choice((0.0, 1e-300, 1e-12, -1e-9, 1e-6, -1e-3)) * draw.random()
        return here + draw.gauss(0, 0.2) * (high - low)

    def pause(self) -> float:
        """Seconds until the gate's next turn."""
        draw, period = self.random, 1 / self.gate.config.rate
        return period * draw.choice((1, 1, 1, 1, 1, 1, 0.2, draw.uniform(0.05, 2), draw.choice((1, 3, 40))))


class Rig:
    """Clocks that jump, joint states that stop, stops, resets and commands, in an order that a seed decides.

    Args:
        gate: that is attacked.
        seed: of what happens.
        jumps: whether ROS's clock jumps, too.
    """

    def __init__(self, gate: Gate, seed: int, jumps: bool) -> None:
        self.gate, self.jumps = gate, jumps
        self.adversary, self.draw = Adversary(gate, seed), random.Random(seed + 1)
        self.steady, self.jump, self.joints_lost_until = 1000.0, 0, 0.0
        self.sent, self.spent = 0, 0.0

    def pass_time(self) -> Now:
        """Until the gate's next turn."""
        self.steady += self.adversary.pause()
        if self.draw.random() < 1e-4:
            self.jump += self.draw.choice((-(10**10), -(10**8), 10**10))
        if self.draw.random() < 1e-3:
            self.joints_lost_until = self.steady + 0.3
        return self.now

    @property
    def now(self) -> Now:
        """The moment on all clocks."""
        ns = EPOCH + round(self.steady * 1e9)
        return Now(self.steady, ns + self.jump * self.jumps, ns + self.jump)

    def turn(self, now: Now, here: Sequence[float]) -> tuple[State, ...] | None:
        """One turn of the gate, with the robot measured where it is."""
        gate, began = self.gate, time.thread_time()
        if gate.config.measures and self.steady >= self.joints_lost_until:
            gate.measure(gate.config.joints, here, [], now.ros, now)
        event = self.draw.random()
        if event < 0.002:
            gate.stop()
        elif event < 0.01:
            gate.reset(now)
        if event > 0.2:
            gate.command(self.adversary.command(now), now)
            self.sent += 1
        states = gate.step(now)
        self.spent += time.thread_time() - began
        return states

    def row(self, case: str, seed: int, outputs: int, judge: Judge | RobotJudge) -> Row:
        """What was measured."""
        used = {name: round(value, 6) for name, value in judge.used.items()}
        clearance = judge.clearance if isinstance(judge, RobotJudge) and judge.has_zones else None
        return Row(
            case,
            seed,
            self.sent,
            self.gate.accepted,
            sum(self.gate.refused.values()),
            outputs,
            judge.violations,
            used["position"],
            used["velocity"],
            used["acceleration"],
            used.get("jerk"),
            None if clearance is None else round(clearance, 6),
            overruled=self.gate.overruled,
            held_back=self.gate.held_back,
            microseconds_per_output=round(1e6 * self.spent / outputs, 1),
            device=cpu_name(),
        )


def attack(case: str, commands: int, seed: int) -> Row:
    """Sends commands to a gate and judges what comes out."""
    config = CASES[case]
    gate = Gate(config)
    if config.output == "joint_trajectory":
        return attack_through_controller(case, commands, seed)
    rig, judge = Rig(gate, seed, jumps=True), Judge(gate, int(config.moves_by_velocity))
    moved, total = 0.0, 0
    outputs: list[list[float]] = []
    positions: list[list[float]] = []
    times: list[float] = []
    while rig.sent < commands:
        last = rig.steady
        now = rig.pass_time()
        states = rig.turn(now, [shaper.state.position for shaper in gate.shapers])
        if states is None:
            continue
        moved += min(now.steady - last, 2 / config.rate)  # of the very floats that the gate subtracts
        total += 1
        times.append(moved)
        positions.append([state.position for state in states])
        outputs.append([state.velocity if config.moves_by_velocity else state.position for state in states])
        if len(outputs) == CHUNK or rig.sent == commands:
            judge.judge(np.array(times), np.array(outputs), np.array(positions))
            del times[:-4], outputs[:-4], positions[:-4]
    return rig.row(case, seed, total, judge)


def attack_through_controller(case: str, commands: int, seed: int) -> Row:
    """Sends commands to a gate over a joint_trajectory_controller, and judges what that wants of the robot."""
    config = CASES[case]
    gate = Gate(config)
    rig, judge = Rig(gate, seed, jumps=False), RobotJudge(gate, bool(config.keep_out))
    controller = FakeJointTrajectoryController((0.0, 0.0, 0.0), rig.now.ros)
    late, total = random.Random(seed + 2), 0
    waiting: deque[tuple[int, Trajectory]] = deque()
    while rig.sent < commands:
        now = rig.pass_time()
        while waiting and waiting[0][0] <= now.ros:
            arrival, trajectory = waiting.popleft()
            judge.watch(controller, arrival)
            if controller.receive(*trajectory, arrival):
                raise RuntimeError(f"the controller refuses a trajectory: {controller.refused[-1]}")
        judge.watch(controller, now.ros)
        if rig.turn(now, [state.position for state in controller.at(now.ros)]) is None or gate.trajectory is None:
            continue
        total += 1
        arrival = now.ros + round(late.uniform(0, LATEST) * 1e9)
        waiting.append((max(arrival, waiting[-1][0] if waiting else 0), gate.trajectory))
    judge.finish()
    return rig.row(case, seed, total, judge)


def summarize(table: Path, ground: Path) -> None:
    """Writes row G1 from the rows that were lived, and prints the summary."""
    rows = read_rows(table)
    violations = sum(int(row["violations"]) for row in rows)
    line = {
        "row": "G1",
        "value": violations,
        "low": round(chi2.ppf(0.025, 2 * violations) / 2, 2) if violations else 0,
        "high": round(chi2.ppf(0.975, 2 * violations + 2) / 2, 2),
        "n": sum(int(row["commands"]) for row in rows),
        "better": "lower",
        "floor": 0,
    }
    write_rows(ground, [line])
    print_summary(ground)


def main(config: Benchmark) -> None:
    """Measures and writes."""
    if config.summary:
        summarize(config.out, config.ground)
        return
    for case in CASES if config.case == "all" else (config.case,):
        line = attack(case, round(config.commands * SHARES[case]), config.seed)
        print(json.dumps(asdict(line)), flush=True)
        write_row(config.out, asdict(line), key=("case",))
    summarize(config.out, config.ground)


if __name__ == "__main__":
    main(tyro.cli(Benchmark))
