"""Learns worlds whose rewards are counted in other units, or with a constant added: rows G2 and G3.

    python benchmarks/reward_units.py
    python benchmarks/reward_units.py --worlds dmc/cartpole-swingup --seeds 0 --units 1 1e6 --offsets 0
    python benchmarks/reward_units.py --summary

Each row is a deterministic life from nothing and the evaluation of its agent, always in the world's own
units; the baseline is the row with unit 1 and offset 0 of the same seed. Neither world terminates an episode. Rows go
to `results/reward_units.csv`; one that is there already is not measured again.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import gymnasium
import numpy as np
import tyro
from dmc import measure
from summary import print_summary, write_rows
from table import read_rows, write_row

from robot_agent.cli.body import body_factory
from robot_agent.run.config import default_config
from robot_agent.run.life import MakeBody
from robot_agent.types import BodySpec

KEY = ("world", "unit", "offset", "seed", "frames")
RESULTS = Path(__file__).parent / "results"
FRAMES = {"dmc/cartpole-swingup": 30_000, "so101/reach": 20_000}
GROUND = RESULTS / "ground_summary.csv"


@dataclass(frozen=True)
class Benchmark:
    """Which worlds, units and offsets."""

    worlds: tuple[Literal["dmc/cartpole-swingup", "so101/reach"], ...] = ("dmc/cartpole-swingup", "so101/reach")
    """Where nothing terminates an episode."""

    units: tuple[float, ...] = (1.0, 1e-6, 1e6, 1e-3, 1e3)
    """Rewards are multiplied by each, with offset 0."""

    offsets: tuple[float, ...] = (0.0, 1e4, -1e4)
    """Added to the reward of each frame, with unit 1."""

    seeds: tuple[int, ...] = (0, 1, 2)
    """Of the lives."""

    summary: bool = False
    """Only print the summary of the rows that are there."""

    out: Path = RESULTS / "reward_units.csv"
    """The table."""


class InUnits(gymnasium.Wrapper[Any, Any, Any, Any]):
    """A world with rewards `unit * (reward + offset)` a frame."""

    def __init__(self, env: gymnasium.Env[Any, Any], unit: float, offset: float) -> None:
        super().__init__(env)
        self.unit = unit
        self.offset = offset
        self.frames = BodySpec.from_env(env).frames_per_step

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """A step with the reward in other units."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        return observation, self.unit * (float(reward) + self.frames * self.offset), terminated, truncated, info

    def compute_reward(self, achieved: Any, desired: Any, info: Any) -> Any:
        """The world's own, a frame, in other units."""
        reward = self.env.get_wrapper_attr("compute_reward")(achieved, desired, info)
        return self.unit * (np.asarray(reward, np.float64) + self.offset)


def make_in_units(make_body: MakeBody, unit: float, offset: float) -> gymnasium.Env[Any, Any]:
    """A body whose rewards are in other units."""
    return InUnits(make_body(), unit, offset)


def main(argv: Sequence[str] | None = None) -> None:
    """Measures what is not measured yet."""
    benchmark = tyro.cli(Benchmark, args=argv)
    conditions = [(unit, 0.0) for unit in benchmark.units]
    conditions += [(1.0, offset) for offset in benchmark.offsets if (1.0, offset) not in conditions]
    for seed in () if benchmark.summary else benchmark.seeds:
        for unit, offset in conditions:
            for world in benchmark.worlds:
                measure_row(benchmark, world, unit, offset, seed)
    write_rows(GROUND, summarise(benchmark.out))
    print_summary(GROUND)


def measure_row(benchmark: Benchmark, world: str, unit: float, offset: float, seed: int) -> None:
    """One life and its evaluation, unless the table has it."""
    frames = FRAMES[world]
    named = {"world": world, "unit": unit, "offset": offset, "seed": seed, "frames": frames}
    rows = read_rows(benchmark.out) if benchmark.out.exists() else []
    if any(all(row[name] == str(value) for name, value in named.items()) for row in rows):
        return
    config = replace(default_config(("proprio",)), world=world, frames=frames, seed=seed, device="cpu")
    config = replace(config, deterministic=True)
    own = body_factory(config)
    with tempfile.TemporaryDirectory() as scratch:
        measured = measure(Path(scratch) / "run", config, partial(make_in_units, own, unit, offset))
    row = {**named, **{name: measured[name] for name in ("return_mean", "return_std", "seconds", "device")}}
    write_row(benchmark.out, row, KEY)
    print(",".join(map(str, row.values())), flush=True)


def summarise(path: Path) -> list[dict[str, object]]:
    """Rows G2 and G3: the worst condition's mean return against that of the baseline, over worlds and paired seeds."""
    found = {tuple(row[name] for name in KEY[:4]): float(row["return_mean"]) for row in read_rows(path)}
    summary: list[dict[str, object]] = []
    for name, floor, goal in (("G2", 0.95, 0.99), ("G3", 0.95, 0.99)):
        ratios: dict[tuple[str, str, str], tuple[float, int]] = {}
        for world, unit, offset in sorted({key[:3] for key in found}):
            if (unit, offset) == ("1.0", "0.0") or (offset == "0.0") != (name == "G2"):
                continue
            pairs = [
                (value, found[world, "1.0", "0.0", seed])
                for (w, u, o, seed), value in found.items()
                if (w, u, o) == (world, unit, offset) and (world, "1.0", "0.0", seed) in found
            ]
            if pairs:
                own, base = np.mean(pairs, axis=0)
                # Returns of reach are costs: closer to 0 is better.
                ratios[world, unit, offset] = (float(own / base if base > 0 else base / own), len(pairs))
        if ratios:
            values = [ratio for ratio, _ in ratios.values()]
            worst = min(ratios.values())
            low, high = round(min(values), 4), round(max(values), 4)
            summary.append(
                {"row": name, "value": round(worst[0], 4), "low": low, "high": high, "n": worst[1], "better": "higher"}
                | {"floor": floor, "goal": goal}
            )
    return summary


if __name__ == "__main__":
    main()
