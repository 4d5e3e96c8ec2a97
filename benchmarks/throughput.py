"""Decisions a second while learning, and how long one takes: between decisions, in a thread, in a process of its own.

    python benchmarks/throughput.py
    python benchmarks/throughput.py --streams camera --decisions 500

Measures a life once the updates owed for its first, random decisions are paid. Rows go to `results/throughput.csv`; the
baseline of each is the same agent that learns between its decisions, in one thread, in the same run of this script.
"""

from __future__ import annotations

import csv
import os
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import tyro

from robot_agent.agent import AgentState
from robot_agent.cli.body import body_factory
from robot_agent.drivers.driver import Driver, Listener
from robot_agent.learning.service import InlineLearnerService
from robot_agent.loop import Loop
from robot_agent.run.config import RunConfig, default_config
from robot_agent.run.life import MOST_KEPT, Life, Recorder
from robot_agent.types import Transition

Mode = Literal["between", "thread", "process"]
MODES: tuple[Mode, ...] = get_args(Mode)
COLUMNS = (
    "world",
    "streams",
    "mode",
    "decisions_per_second",
    "updates_per_decision",
    "decision_ms_p50",
    "decision_ms_p99",
    "baseline",
    "ratio",
    "cores",
    "device",
)


@dataclass(frozen=True)
class Benchmark:
    """What is measured, and where it goes."""

    world: str = "dmc/cartpole-swingup"
    """A name that `robot-agent worlds` lists."""

    streams: tuple[Literal["proprio", "camera"], ...] = ("proprio",)
    """What the agent perceives."""

    decisions: int = 2000
    """How many are timed."""

    out: Path = Path(__file__).parent / "results" / "throughput.csv"
    """The table."""


class _Stopwatch(Listener):
    """Time of each decision of a life, and when it began to count."""

    def __init__(self, life: Life, skip: int) -> None:
        self.life = life
        self.skip = skip
        self.milliseconds: list[float] = []

    def on_step(self, transition: Transition, state: AgentState) -> None:
        if self.life.decisions == self.skip:
            self.start, self.updates = time.perf_counter(), self.life.learner.updates
        elif self.life.decisions > self.skip and state.decision:
            self.milliseconds.append(state.decision.milliseconds)


class _ThreadLearnerService:
    """Learns in a thread of the process that acts: what a process of its own is compared with."""

    largest_lag = 50

    def __init__(self, learner: InlineLearnerService, random_decisions: int) -> None:
        self.learner = learner
        self.random_decisions = random_decisions
        self.weights = learner.weights
        self.decisions = 0
        self.ended = False
        self.thread = threading.Thread(target=self._learn, name="learner", daemon=True)
        self.thread.start()

    @property
    def updates(self) -> int:
        return self.learner.updates

    def advance(self, decisions: int, hurry: object = None) -> None:
        self.decisions = decisions
        while decisions >= self.random_decisions and decisions - self.updates > self.largest_lag:
            time.sleep(0.001)

    def close(self) -> None:
        self.ended = True
        self.thread.join()
        self.learner.close()

    def _learn(self) -> None:
        while not self.ended:
            if self.decisions > self.updates:
                self.learner.advance(self.decisions, hurry=lambda: self.ended)
            time.sleep(0.0005)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.learner, name)


def measure(config: RunConfig, mode: Mode, decisions: int) -> dict[str, object]:
    """One life, timed after its start."""
    config = replace(config, deterministic=mode != "process")
    skip = config.online.random_decisions + 200
    with tempfile.TemporaryDirectory() as scratch:
        life = Life(Path(scratch) / "run", config, body_factory(config))
        if isinstance(life.learner, InlineLearnerService) and mode == "thread":
            life.learner = _ThreadLearnerService(life.learner, config.online.random_decisions)
        watch = _Stopwatch(life, skip)
        driver = Driver(
            Loop(life.agent, life.learner.weights),
            {"agent": life.body},
            [Recorder(life), watch],
            keep_transitions=MOST_KEPT,
        )
        driver.run(lambda _: life.decisions >= skip + decisions)
        seconds = time.perf_counter() - watch.start
        updates = life.learner.updates - watch.updates
        life.close()
    return {
        "world": config.world,
        "streams": "+".join(config.streams),
        "mode": mode,
        "decisions_per_second": round(decisions / seconds, 1),
        "updates_per_decision": round(updates / decisions, 2),
        "decision_ms_p50": round(float(np.percentile(watch.milliseconds, 50)), 2),
        "decision_ms_p99": round(float(np.percentile(watch.milliseconds, 99)), 2),
        "cores": os.cpu_count(),
        "device": life.device,
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Measures both ways and writes both rows."""
    benchmark = tyro.cli(Benchmark, args=argv)
    config = replace(default_config(benchmark.streams), world=benchmark.world, frames=10**9)
    rows = [measure(config, mode, benchmark.decisions) for mode in MODES]
    for row in rows:
        row["baseline"] = "between"
        row["ratio"] = round(row["decisions_per_second"] / rows[0]["decisions_per_second"], 2)  # type: ignore[operator]
    benchmark.out.parent.mkdir(parents=True, exist_ok=True)
    new = not benchmark.out.exists()
    with benchmark.out.open("a", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        if new:
            writer.writeheader()
        writer.writerows(rows)
    for row in rows:
        print(",".join(str(row[name]) for name in COLUMNS))


if __name__ == "__main__":
    main()
