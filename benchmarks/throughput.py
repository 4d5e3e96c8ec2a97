"""Decisions a second while learning, and how long one takes: learning beside acting against learning in between.

    python benchmarks/throughput.py
    python benchmarks/throughput.py --streams camera --decisions 500

Measures a life once the updates owed for its first, random decisions are paid. Rows go to `results/throughput.csv`; the
baseline of each is the same agent that learns between its decisions, in one thread, in the same run of this script.
"""

from __future__ import annotations

import csv
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import tyro

from robot_agent.agent import AgentState
from robot_agent.cli.body import body_factory
from robot_agent.drivers.driver import Driver, Listener
from robot_agent.loop import Loop
from robot_agent.run.config import RunConfig, default_config
from robot_agent.run.life import Life, Recorder
from robot_agent.types import Transition

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


def measure(config: RunConfig, decisions: int) -> dict[str, object]:
    """One life, timed after its start."""
    skip = config.online.random_decisions + 200
    with tempfile.TemporaryDirectory() as scratch:
        life = Life(Path(scratch) / "run", config, body_factory(config))
        watch = _Stopwatch(life, skip)
        driver = Driver(
            Loop(life.agent, life.learner.weights), {"agent": life.body}, [Recorder(life), watch], keep_transitions=True
        )
        driver.run(lambda _: life.decisions >= skip + decisions)
        seconds = time.perf_counter() - watch.start
        updates = life.learner.updates - watch.updates
        life.close()
    return {
        "world": config.world,
        "streams": "+".join(config.streams),
        "mode": "between" if config.deterministic else "beside",
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
    between = measure(replace(config, deterministic=True), benchmark.decisions)
    beside = measure(config, benchmark.decisions)
    for row in (between, beside):
        row["baseline"] = "between"
        row["ratio"] = round(row["decisions_per_second"] / between["decisions_per_second"], 2)  # type: ignore[operator]
    benchmark.out.parent.mkdir(parents=True, exist_ok=True)
    new = not benchmark.out.exists()
    with benchmark.out.open("a", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        if new:
            writer.writeheader()
        writer.writerows([between, beside])
    for row in (between, beside):
        print(",".join(str(row[name]) for name in COLUMNS))


if __name__ == "__main__":
    main()
