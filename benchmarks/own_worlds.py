"""Learns the worlds that are made here from nothing and measures how often the task is done.

    python benchmarks/own_worlds.py --rows all
    python benchmarks/own_worlds.py --rows so101/reach:camera+proprio:0 --steps 30000 --keep runs

Each row is a life from nothing with the default configuration of its streams, and 100 evaluation episodes of the agent
it leaves behind. A success is a task that is done when the episode ends. Rows go to `results/own_worlds.csv`; one that
is measured again replaces the old. A life that is found finished below `--keep` is evaluated, not lived again. How
often the task was done along the way, while exploring, goes to `own_worlds_curves.csv` beside it, and is drawn.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import tyro
from matplotlib.axes import Axes
from table import read_rows, write_row, write_rows

from robot_agent.cli.body import body_factory
from robot_agent.evaluation.evaluate import evaluate
from robot_agent.evaluation.statistics import rate_interval
from robot_agent.report.figures import PALETTE, drawn
from robot_agent.report.runs import RunRecord
from robot_agent.run.config import RunConfig, default_config
from robot_agent.run.folder import RunFolder
from robot_agent.run.life import Life
from robot_agent.run.load import load_agent
from robot_agent.types import BodySpec

KEY = ("world", "streams", "seed", "steps")
CURVE_KEY = ("world", "streams", "seed")
CURVE_STEPS = 3000  # of a point of a curve: 20 episodes of the arm's and the rover's tasks
ROWS = ("so101/reach:camera+proprio:0", "so101/reach-by-sight:camera+proprio:0", "rover/goal:camera+proprio:0")


@dataclass(frozen=True)
class Benchmark:
    """Which rows, how long, and where they go."""

    rows: tuple[str, ...]
    """`world:streams:seed`, such as so101/reach:camera+proprio:0; `all` for the table."""

    steps: int = 60_000
    """Control steps of a life."""

    beside: bool = False
    """Learn in a process beside acting, as a robot does, rather than between decisions: uses two cores."""

    episodes: int = 100
    """Evaluation episodes."""

    out: Path = Path(__file__).parent / "results" / "own_worlds.csv"
    """The table."""

    picture: Path = Path(__file__).parents[1] / "docs" / "pictures" / "own_worlds.svg"
    """Where the curves are drawn."""

    keep: Path | None = None
    """Keep the run folders below this one."""


def main(argv: Sequence[str] | None = None) -> None:
    """Measures each row and adds it to the table."""
    benchmark = tyro.cli(Benchmark, args=argv)
    for row in ROWS if benchmark.rows == ("all",) else benchmark.rows:
        world, streams, seed = row.split(":")
        config = replace(
            default_config(tuple(streams.split("+"))),
            world=world,
            frames=benchmark.steps,
            seed=int(seed),
            device="cpu",
            deterministic=not benchmark.beside,
        )
        with tempfile.TemporaryDirectory() as scratch:
            name = f"{world.replace('/', '-')}_{streams}_{seed}_{benchmark.steps}"
            folder = (benchmark.keep or Path(scratch)) / name
            measured = measure(folder, config, benchmark.episodes)
            write_row(benchmark.out, measured, KEY)
            curves = benchmark.out.with_name(f"{benchmark.out.stem}_curves.csv")
            write_rows(curves, curve(RunRecord.read(folder), config), CURVE_KEY)
            benchmark.picture.parent.mkdir(parents=True, exist_ok=True)
            benchmark.picture.write_text(picture(read_rows(curves)))
            print(",".join(map(str, measured.values())), flush=True)


def measure(folder: Path, config: RunConfig, episodes: int) -> dict[str, object]:
    """One life, unless it was lived already, and its evaluation.

    Raises:
        SystemExit: the life was interrupted.
    """
    if folder.exists():
        summary = RunFolder.open(folder).read_summary()
    else:
        summary = Life(folder, config, body_factory(config)).live()
    if summary.get("status") != "finished" or summary["frames"] != config.frames:
        raise SystemExit(f"{folder} has {summary.get('frames')} of {config.frames} steps: nothing was written")
    body = body_factory(config)()
    agent, _, _ = load_agent(folder, BodySpec.from_env(body))
    result = evaluate(agent, body, episodes, seed=config.seed, render=False, measure_latent=False)
    body.close()
    low, high = rate_interval(result.successes)
    return {
        "world": config.world,
        "streams": "+".join(sorted(config.streams)),
        "seed": config.seed,
        "steps": config.frames,
        "success_rate": round(float(np.mean(result.successes)), 3),
        "success_low": round(low, 3),
        "success_high": round(high, 3),
        "return_mean": round(float(np.mean(result.returns)), 1),
        "return_std": round(float(np.std(result.returns, ddof=1)), 1),
        "episodes": episodes,
        "seconds": round(float(summary["seconds"])),
        "device": "cpu",
    }


def curve(run: RunRecord, config: RunConfig) -> list[dict[str, object]]:
    """A row for each stretch of a life: how often its episodes ended with the task done, and their mean return."""
    ended = [record for record in run.episodes if record.get("success") is not None]
    ends, successes, returns = (
        np.array([record[name] for record in ended], float) for name in ("frames", "success", "episode_return")
    )
    stretches = np.ceil(ends / CURVE_STEPS).astype(int)
    return [
        {
            "world": config.world,
            "streams": run.streams,
            "seed": config.seed,
            "steps": stretch * CURVE_STEPS,
            "success_rate": round(float(successes[stretches == stretch].mean()), 3),
            "return_mean": round(float(returns[stretches == stretch].mean()), 1),
            "episodes": int((stretches == stretch).sum()),
        }
        for stretch in np.unique(stretches)
    ]


def picture(rows: Sequence[Mapping[str, str]]) -> str:
    """Success against control steps of all lives of the table, as an SVG."""

    def draw(axis: Axes) -> None:
        lives = sorted({(row["world"], row["streams"], row["seed"]) for row in rows})
        for life, color in zip(lives, itertools.cycle(PALETTE), strict=False):
            own = [row for row in rows if (row["world"], row["streams"], row["seed"]) == life]
            steps, done = ([float(row[name]) for row in own] for name in ("steps", "success_rate"))
            world, streams, seed = life
            label = f"{world} · {streams}" + (f" · seed {seed}" if seed != "0" else "")
            axis.plot(steps, 100 * np.array(done), color=color, lw=1.8, label=label)
        axis.set(xlabel="control steps", ylabel="episodes with the task done, %", ylim=(-3, 103))
        axis.xaxis.set_major_formatter(lambda value, _: f"{value / 1000:g}k" if value else "0")
        axis.legend(fontsize=8)

    return drawn(draw)


if __name__ == "__main__":
    main()
