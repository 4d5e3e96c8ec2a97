"""What an update costs against another version of this project: rows A2 and A3.

    git worktree add ../before c500b94
    python benchmarks/update_cost.py --against ../before
    python benchmarks/update_cost.py --summary

Both versions learn from the same replay, turn by turn, each in a process of its own, at their default sizes. A row is
the median of the rounds' mean processor time of an update, drawing included. Rows go to `results/update_cost.csv`.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Literal

import numpy as np
import tyro
from summary import print_summary, write_rows
from table import cpu_name, write_row

RESULTS = Path(__file__).parent / "results"
SUMMARY = RESULTS / "seams_summary.csv"
ROWS = {"proprio": "A2", "camera": "A3"}
PACKAGES = (".", "kernels", "sim", "bodies", "ros_nodes", "calibration", "bags")


@dataclass(frozen=True)
class Benchmark:
    """Against what, and how often."""

    against: Path = Path("../before")
    """A checkout of the other version."""

    streams: tuple[Literal["proprio", "camera"], ...] = ("proprio", "camera")
    """proprio: 12 numbers; camera: them and one picture of 64 by 64."""

    rounds: int = 7
    """Turns of each version."""

    updates: int = 60
    """Of a turn."""

    summary: bool = False
    """Only print the summary."""

    of_child: Literal["", "proprio", "camera"] = ""
    """Of a process that this script starts: what it measures."""

    out: Path = RESULTS / "update_cost.csv"
    """The table."""


def main(argv: Sequence[str] | None = None) -> None:
    """Measures both versions by turns and writes the rows."""
    benchmark = tyro.cli(Benchmark, args=argv)
    if benchmark.of_child:
        print(milliseconds_of_an_update(benchmark.of_child, benchmark.updates))
        return
    here = Path(__file__).parents[1]
    for streams in () if benchmark.summary else benchmark.streams:
        pairs = [
            (measured_in(here, streams, benchmark.updates), measured_in(benchmark.against, streams, benchmark.updates))
            for _ in range(benchmark.rounds)
        ]
        now, before = (statistics.median(times) for times in zip(*pairs, strict=True))
        ratios = sorted(one / other for one, other in pairs)
        ratio = statistics.median(ratios)
        row = {"streams": streams, "now_ms": round(now, 2), "before_ms": round(before, 2), "ratio": round(ratio, 3)}
        row |= {"rounds": benchmark.rounds, "updates": benchmark.updates, "cpu": cpu_name()}
        write_row(benchmark.out, row, ("streams",))
        line = {
            "row": ROWS[streams],
            "value": round(ratio, 3),
            "low": round(ratios[0], 3),
            "high": round(ratios[-1], 3),
        }
        write_rows(SUMMARY, [{**line, "n": benchmark.rounds, "better": "lower", "floor": 0.9, "goal": 0.75}])
    print_summary(SUMMARY)


def measured_in(checkout: Path, streams: str, updates: int) -> float:
    """The same in a process that imports another checkout."""
    paths = os.pathsep.join(str((checkout / package).resolve()) for package in PACKAGES)
    command = [sys.executable, __file__, "--of-child", streams, "--updates", str(updates)]
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    return float(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)


def milliseconds_of_an_update(streams: str, updates: int) -> float:
    """Mean processor time, after a few updates to warm up."""
    import torch

    import robot_agent
    from robot_agent.learning.online import OnlineLearner
    from robot_agent.learning.weight_store import LocalWeightStore
    from robot_agent.run.config import default_config
    from robot_agent.types import BodySpec, Transition

    torch.set_num_threads(1)
    is_renamed = (Path(robot_agent.__file__).parent / "replay").is_dir()  # versions before had it in memory/
    replay = import_module("robot_agent.replay.replay" if is_renamed else "robot_agent.memory.replay")
    seeing = streams == "camera"
    config = default_config(("proprio", "camera") if seeing else ("proprio",))
    spec = BodySpec((("front", (64, 64)),) if seeing else (), 12, 4)
    rng = np.random.default_rng(0)

    def observation() -> dict[str, np.ndarray]:
        seen: dict[str, np.ndarray] = {"proprio": rng.normal(size=12).astype(np.float32)}
        return seen | ({"camera/front": rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)} if seeing else {})

    with tempfile.TemporaryDirectory() as folder:
        writer = replay.ReplayWriter(Path(folder), spec)
        for episode in range(16):
            for step in range(100):
                ends = step == 99
                action = rng.uniform(-1, 1, 4).astype(np.float32)
                final = observation() if ends else None
                writer.append(Transition(observation(), action, float(rng.random()), False, ends, episode, step, final))
        writer.close()
        learner = OnlineLearner(spec, config.agent.mind, config.online, replay.Replay(Path(folder)), LocalWeightStore())
        assert learner.owed(1600) > 0, "the replay holds nothing to learn from"
        for _ in range(5):
            learner.update()
        start = time.process_time()
        for _ in range(updates):
            learner.update()
        return (time.process_time() - start) / updates * 1e3


if __name__ == "__main__":
    main()
