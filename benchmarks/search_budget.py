"""How much search an agent needs: return against planning cost, for agents that were trained already.

    python benchmarks/search_budget.py runs/cartpole runs/walker
    python benchmarks/search_budget.py runs/cartpole --points full default --episodes 5

Each point is an evaluation of the same weights with another search. Rows go to `results/search_budget.csv`, a row for
each world and point; points that were measured before are replaced. Cost is counted in floating-point operations of
the products of one plan, and measured in milliseconds of a whole decision.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import tyro
from robot_agent_kernels import PlanConfig
from robot_agent_kernels.bench.measure import plan_flops

from robot_agent.agent import Agent
from robot_agent.cli.body import body_factory
from robot_agent.device import prepare_device
from robot_agent.evaluation.evaluate import evaluate
from robot_agent.run.folder import RunFolder
from robot_agent.run.load import load_agent, load_config
from robot_agent.types import BodySpec

COLUMNS = (
    *("world", "point", "samples", "policy_samples", "iterations", "horizon", "mflops", "of_full_mflops"),
    *("decision_ms_p50", "episodes", "return_mean", "return_std", "of_full_return"),
)
SMALL = PlanConfig(samples=24, policy_samples=8, iterations=2, elites=8)
POINTS: dict[str, PlanConfig] = {
    "full": PlanConfig(samples=488, policy_samples=24, iterations=6, elites=64),
    "eighth": PlanConfig(samples=56, policy_samples=8, iterations=6, elites=16),
    "default": PlanConfig(),
    "horizon 2": PlanConfig(horizon=2),
    "horizon 1": PlanConfig(horizon=1),
    "24 samples": PlanConfig(samples=24, elites=8),
    "small": SMALL,
    "small, one iteration": replace(SMALL, iterations=1),
    "small, spread carried": replace(SMALL, carry_spread=2.0),
    "small, correlated noise": replace(SMALL, noise_correlation=0.5),
    "small, ends when settled": replace(SMALL, iterations=4, settled_std=0.2),
    "small, policy seeds": replace(SMALL, samples=8, policy_samples=24),
    "policy alone": PlanConfig(samples=0, policy_samples=1, iterations=1, elites=1),
}
"""From TD-MPC2's published search down to none."""


@dataclass(frozen=True)
class Benchmark:
    """Which runs, and which searches."""

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Run folders, a world each."""

    points: tuple[str, ...] = tuple(POINTS)
    """Names of `POINTS`."""

    episodes: int = 20
    """Of each point."""

    out: Path = Path(__file__).parent / "results" / "search_budget.csv"
    """The table."""


def measure(run: Path, name: str, episodes: int) -> dict[str, object]:
    """A row, without what it is relative to."""
    config = load_config(RunFolder.open(run))
    body = body_factory(config)()
    trained, _, _ = load_agent(run, BodySpec.from_env(body), prepare_device("cpu"))
    search = POINTS[name]
    planner = replace(trained.config.planner, search=search)
    agent = Agent(trained.spec, replace(trained.config, planner=planner), config.seed)
    agent.load_weights(trained.mind.state_dict(), trained.weights_version)
    result = evaluate(agent, body, episodes, config.seed, render=False, measure_latent=False)
    body.close()
    return {
        "world": config.world,
        "point": name,
        "samples": search.samples,
        "policy_samples": search.policy_samples,
        "iterations": search.iterations,
        "horizon": search.horizon,
        "mflops": round(plan_flops(agent.mind.rollout_params(), search) / 1e6, 1),
        "decision_ms_p50": round(float(np.percentile(result.decision_ms, 50)), 2),
        "episodes": episodes,
        "return_mean": round(float(np.mean(result.returns)), 1),
        "return_std": round(float(np.std(result.returns)), 1),
    }


def add(rows: list[dict[str, object]], row: dict[str, object], out: Path) -> None:
    """Replaces the row of the same world and point, and what all rows of that world are relative to."""
    rows[:] = [old for old in rows if (old["world"], old["point"]) != (row["world"], row["point"])] + [row]
    full = {old["world"]: old for old in rows if old["point"] == "full"}
    for old in rows:
        best = full.get(old["world"])
        for column in ("mflops", "return_mean"):
            ratio = "" if best is None else round(float(str(old[column])) / float(str(best[column])), 3)
            old[f"of_full_{column.removesuffix('_mean')}"] = ratio
    rows.sort(key=lambda old: (str(old["world"]), list(POINTS).index(str(old["point"]))))
    temporary = out.with_suffix(".partial")
    with temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    os.replace(temporary, out)


def main(argv: Sequence[str] | None = None) -> None:
    """Measures each point of each run."""
    benchmark = tyro.cli(Benchmark, args=argv)
    unknown = [name for name in benchmark.points if name not in POINTS]
    if unknown:
        raise SystemExit(f"there is no point {unknown[0]!r}: choose from {', '.join(map(repr, POINTS))}")
    rows: list[dict[str, object]] = []
    if benchmark.out.exists():
        with benchmark.out.open(newline="") as file:
            rows = [dict(row) for row in csv.DictReader(file)]
    for name in benchmark.points:
        for run in benchmark.runs:
            row = measure(run, name, benchmark.episodes)
            add(rows, row, benchmark.out)
            print(*(f"{key}={row[key]}" for key in COLUMNS if key in row), flush=True)


if __name__ == "__main__":
    main()
