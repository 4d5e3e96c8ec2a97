"""Commands that would break a robot, to the gate without ROS: one JSON line a case, rows to `results/gate.csv`.

    python benchmarks/gate.py
    python benchmarks/gate.py --commands 10000 --case position

Each command is drawn to do harm: at and beyond the limits, as large as floats go, flipping sides at the worst moment, a
hair away from where the joint is, NaN, old, from the future, from somebody else, with joints missing; and between them
e-stops, resets, joint states that stop, pauses of the process and clocks that jump. The output is judged by what was
sent alone: divided differences of the positions up to the third order are means of velocity, acceleration and jerk, so
none may be beyond its limit, and a body that does what it is told stays between its ends.
"""

from __future__ import annotations

import json
import math
import random
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import tyro
from numpy.typing import NDArray
from robot_agent_bodies.gate.config import GateConfig
from robot_agent_bodies.gate.gate import Command, Gate, Now, Status
from table import cpu_name, write_row

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
SHARES = {"position": 0.6, "velocity": 0.2, "twist": 0.2}
TOLERANCE = 1e-6
"""Relative, beyond what rounding of the positions explains."""
CHUNK = 20_000
"""Outputs that are judged at once."""


@dataclass(frozen=True)
class Benchmark:
    """What is measured."""

    commands: int = 1_000_000
    """In all cases together."""

    case: Literal["all", "position", "velocity", "twist"] = "all"
    """One kind of output, or all."""

    seed: int = 0

    out: Path = Path(__file__).parent / "results" / "gate.csv"
    """The table; rows of cases that are not measured stay."""


@dataclass(frozen=True)
class Row:
    """What was sent, what came out, and how near the output came to each limit (1 is the limit)."""

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
    jerk: float
    overruled: int
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


def attack(case: str, commands: int, seed: int) -> Row:
    """Sends commands to a gate and judges what comes out."""
    config = CASES[case]
    gate = Gate(config)
    adversary, judge = Adversary(gate, seed), Judge(gate, int(config.moves_by_velocity))
    draw = random.Random(seed + 1)
    steady, moved, jump = 1000.0, 0.0, 0
    epoch = 1_800_000_000 * 10**9
    seen: Counter[Status] = Counter()
    outputs: list[list[float]] = []
    positions: list[list[float]] = []
    times: list[float] = []
    spent, sent, joints_lost_until, total = 0.0, 0, 0.0, 0
    while sent < commands:
        last = steady
        steady += adversary.pause()
        if draw.random() < 1e-4:
            jump += draw.choice((-(10**10), -(10**8), 10**10))
        if draw.random() < 1e-3:
            joints_lost_until = steady + 0.3
        ns = epoch + round(steady * 1e9) + jump
        now = Now(steady, ns, ns)
        began = time.perf_counter()
        if config.measures and steady >= joints_lost_until:
            here = [shaper.state.position for shaper in gate.shapers]
            gate.measure(config.joints, here, [], now.ros, now)
        event = draw.random()
        if event < 0.002:
            gate.stop()
        elif event < 0.01:
            gate.reset(now)
        if event > 0.2:
            gate.command(adversary.command(now), now)
            sent += 1
        states = gate.step(now)
        spent += time.perf_counter() - began
        seen[gate.status] += 1
        if states is None:
            continue
        moved += min(steady - last, 2 / config.rate)  # of the very floats that the gate subtracts
        total += 1
        times.append(moved)
        positions.append([state.position for state in states])
        outputs.append([state.velocity if config.moves_by_velocity else state.position for state in states])
        if len(outputs) == CHUNK or sent == commands:
            judge.judge(np.array(times), np.array(outputs), np.array(positions))
            del times[:-4], outputs[:-4], positions[:-4]
    used = {name: round(value, 6) for name, value in judge.used.items()}
    return Row(
        case,
        seed,
        sent,
        gate.accepted,
        sum(gate.refused.values()),
        total,
        judge.violations,
        **used,
        overruled=gate.overruled,
        microseconds_per_output=round(1e6 * spent / total, 1),
        device=cpu_name(),
    )


def main(config: Benchmark) -> None:
    """Measures and writes."""
    for case in CASES if config.case == "all" else (config.case,):
        line = attack(case, round(config.commands * SHARES[case]), config.seed)
        print(json.dumps(asdict(line)), flush=True)
        write_row(config.out, asdict(line), key=("case", "device"))


if __name__ == "__main__":
    main(tyro.cli(Benchmark))
