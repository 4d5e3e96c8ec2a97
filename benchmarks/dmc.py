"""Learns dm_control worlds from nothing and measures the return: the results table of the README.

    python benchmarks/dmc.py --rows all
    python benchmarks/dmc.py --rows cartpole-swingup:proprio:0 walker-walk:proprio:0
    python benchmarks/dmc.py --rows cartpole-swingup:proprio:0 --frames 50000 --beside

Each row is a life from nothing and 10 evaluation episodes (50 for reacher-easy) of the agent it leaves behind, with
the default configuration of its streams. Rows go to `results/dmc.csv`; one that is measured again replaces the old.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import tyro
from table import write_row

from robot_agent.cli.body import body_factory
from robot_agent.evaluation.evaluate import evaluate
from robot_agent.run.config import RunConfig, default_config
from robot_agent.run.life import Life, MakeBody, Progress
from robot_agent.run.load import load_agent
from robot_agent.types import BodySpec

KEY = ("world", "streams", "seed", "frames")
ROWS = (
    "cartpole-swingup:proprio:0",
    "cartpole-swingup:proprio:1",
    "cartpole-swingup:proprio:2",
    "walker-walk:proprio:0",
    "cartpole-swingup:camera:0",
    "cartpole-swingup:camera+proprio:0",
    "reacher-easy:proprio:0",
    "cheetah-run:proprio:0",
)


@dataclass(frozen=True)
class Benchmark:
    """Which rows, how long, and where they go."""

    rows: tuple[str, ...]
    """`task:streams:seed`, such as walker-walk:proprio:0 or cartpole-swingup:camera+proprio:1; `all` for the table."""

    frames: int = 100_000
    """Simulator frames of a life, action repeat included."""

    beside: bool = False
    """Learn in a process beside acting, as a robot does, rather than between decisions: uses two cores."""

    device: Literal["auto", "cpu", "cuda"] = "cpu"
    """Where the mind lives."""

    out: Path = Path(__file__).parent / "results" / "dmc.csv"
    """The table."""

    keep: Path | None = None
    """Keep the run folders below this one."""


def main(argv: Sequence[str] | None = None) -> None:
    """Measures each row and adds it to the table."""
    benchmark = tyro.cli(Benchmark, args=argv)
    for row in ROWS if benchmark.rows == ("all",) else benchmark.rows:
        task, streams, seed = row.split(":")
        config = replace(
            default_config(tuple(streams.split("+"))),
            world=f"dmc/{task}",
            frames=benchmark.frames,
            seed=int(seed),
            device=benchmark.device,
            deterministic=not benchmark.beside,
        )
        with tempfile.TemporaryDirectory() as scratch:
            folder = (benchmark.keep or Path(scratch)) / row.replace(":", "_")
            measured = measure(folder, config)
            write_row(benchmark.out, measured, KEY)
            print(",".join(map(str, measured.values())), flush=True)


def measure(folder: Path, config: RunConfig, make_body: MakeBody | None = None) -> dict[str, object]:
    """One life and its evaluation in the world of the configuration.

    Args:
        folder: of the run.
        config: of the run.
        make_body: builds the body of the life, if it is another one.

    Raises:
        SystemExit: the life was interrupted.
    """
    own = body_factory(config)
    start = time.perf_counter()
    life = Life(folder, config, make_body or own, on_progress=_Printer(config))
    if life.live()["status"] != "finished":  # Ctrl-C or a kill: a life cut short is no measurement
        raise SystemExit("interrupted: nothing was written for this row; what was measured before it is in the table")
    seconds = time.perf_counter() - start
    body = own()
    agent, _, _ = load_agent(folder, BodySpec.from_env(body), life.device)
    episodes = 50 if "reacher" in config.world else 10
    returns = evaluate(agent, body, episodes, seed=config.seed, render=False, measure_latent=False).returns
    return {
        "world": config.world,
        "streams": "+".join(sorted(config.streams)),
        "seed": config.seed,
        "frames": config.frames,
        "return_mean": round(float(np.mean(returns)), 1),
        "return_std": round(float(np.std(returns, ddof=1)), 1),
        "seconds": round(seconds),
        "device": life.device if life.device == "cpu" else torch.cuda.get_device_name(),
    }


class _Printer:
    """A line an episode on stderr."""

    def __init__(self, config: RunConfig) -> None:
        self.name = f"{config.world} {'+'.join(config.streams)} seed {config.seed}"
        self.episodes = 0

    def __call__(self, life: Progress) -> None:
        if life.episodes > self.episodes:
            self.episodes = life.episodes
            print(
                f"{self.name}: {life.frames} frames, return {life.last_return:.1f}, {life.seconds:.0f} s, "
                f"{life.decisions_per_second:.1f} decisions/s",
                file=sys.stderr,
                flush=True,
            )


if __name__ == "__main__":
    main()
