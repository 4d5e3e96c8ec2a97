"""Whether an agent learns not to fall where every fall ends its episode before a window of the horizon is full.

    python benchmarks/short_episodes.py
    python benchmarks/short_episodes.py --summary

Each row is a life from nothing in `Leaning`, a body that falls after one or two steps or not at all. Rows go to
`results/short_episodes.csv`; row G4 of `results/ground_summary.csv` is the share of the last 30 episodes that fell: the
mean over seeds, beside the best and the worst.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import tyro
from gymnasium import spaces
from summary import print_summary
from summary import write_rows as write_summary
from table import read_rows, write_row

from robot_agent.run.config import RunConfig, default_config
from robot_agent.run.folder import RunFolder
from robot_agent.run.life import Life

RESULTS = Path(__file__).parent / "results"
KEY = ("horizon", "seed", "decisions")
LAST = 30


@dataclass(frozen=True)
class Benchmark:
    """Which lives, and where their rows go."""

    seeds: tuple[int, ...] = (0, 1, 2)
    """Of the lives."""

    horizon: int = 3
    """Of the learner."""

    decisions: int = 1200
    """Of a life; the first 300 are random."""

    summary: bool = False
    """Print the summary of what was measured, and live nothing."""

    out: Path = RESULTS / "short_episodes.csv"
    """The table of lives."""

    ground: Path = RESULTS / "ground_summary.csv"
    """The summary that row G4 goes to."""


class Leaning(gymnasium.Env[dict[str, np.ndarray], np.ndarray]):
    """A body that leans to one side: an action towards that side in its first two steps is a fall.

    A fall is worth -1 and ends the episode, every other step is worth 0. One that stands after two steps stands for the
    other eight. Of episodes with uniformly random actions three quarters fall.
    """

    metadata = {"control_dt": 0.1, "frames_per_step": 1}  # noqa: RUF012
    length = 10

    def __init__(self) -> None:
        self.action_space = spaces.Box(-1, 1, (1,), np.float32)
        self.observation_space = spaces.Dict({"proprio": spaces.Box(-1, 1, (2,), np.float32)})

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        """Leans to either side."""
        super().reset(seed=seed)
        self.lean = float(self.np_random.choice([-1.0, 1.0]))
        self.steps = 0
        return self._observe(), {}

    def step(self, action: np.ndarray):
        """One step; see the class."""
        fallen = self.steps < 2 and float(action[0]) * self.lean > 0
        self.steps += 1
        return self._observe(), -1.0 if fallen else 0.0, fallen, self.steps == self.length, {}

    def _observe(self) -> dict[str, np.ndarray]:
        return {"proprio": np.array([self.lean, self.steps / self.length], np.float32)}


def configured(seed: int, horizon: int, decisions: int) -> RunConfig:
    """The defaults, for a short life."""
    config = default_config(("proprio",))
    learner = replace(config.online.learner, horizon=horizon)
    online = replace(config.online, learner=learner, random_decisions=300)
    return replace(config, frames=decisions, seed=seed, device="cpu", deterministic=True, online=online)


def measure(folder: Path, config: RunConfig) -> dict[str, Any]:
    """Lives a life; returns its row."""
    life = Life(folder, config, Leaning).live()
    if life["status"] != "finished":
        raise SystemExit("the life was interrupted: nothing was written")
    returns = [record["episode_return"] for record in RunFolder.open(folder).read_metrics()]
    fallen = np.array(returns) < 0
    return {
        "horizon": config.online.learner.horizon,
        "seed": config.seed,
        "decisions": life["decisions"],
        "updates": life["updates"],
        "episodes": len(fallen),
        "fallen_first": round(float(fallen[:LAST].mean()), 4),
        "fallen_last": round(float(fallen[-LAST:].mean()), 4),
        "seconds": round(float(life["seconds"])),
    }


def summarise(table: Path, ground: Path) -> None:
    """Row G4 from the lives of horizon 3."""
    shares = [float(row["fallen_last"]) for row in read_rows(table) if row["horizon"] == "3"]
    found = {"value": round(float(np.mean(shares)), 4), "low": min(shares), "high": max(shares), "n": len(shares)}
    write_summary(ground, [{"row": "G4", **found, "better": "lower", "floor": 0.1, "goal": 0}])


def main(argv: Sequence[str] | None = None) -> None:
    """Lives each life and adds its row to the table, then computes the summary."""
    benchmark = tyro.cli(Benchmark, args=argv)
    if not benchmark.summary:
        for seed in benchmark.seeds:
            with tempfile.TemporaryDirectory() as scratch:
                row = measure(Path(scratch) / "run", configured(seed, benchmark.horizon, benchmark.decisions))
            write_row(benchmark.out, row, KEY)
            print(",".join(map(str, row.values())), flush=True)
        summarise(benchmark.out, benchmark.ground)
    print_summary(benchmark.ground)


if __name__ == "__main__":
    main()
