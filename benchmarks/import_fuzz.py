"""Damaged recordings, read and imported: rows to `results/import_fuzz.csv`, one for each kind of recording and damage.

    python benchmarks/import_fuzz.py
    python benchmarks/import_fuzz.py --mutations 300 --seed 1
    python benchmarks/import_fuzz.py --summary

Recordings and damage are those of `tests/bag_fuzz`. Counted are imports that end in a traceback, and messages that were
whole before the damage and were not read. Row G5 of `results/ground_summary.csv` is the sum over the table.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import tyro
from summary import print_summary
from summary import write_rows as write_summary
from table import cpu_name, read_rows, write_rows

sys.path.append(str(Path(__file__).parents[1]))  # damage is that of the tests, too

from tests.bag_fuzz import Outcome, fuzz

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Benchmark:
    """How much is damaged, and where the counts go."""

    mutations: int = 3000
    seed: int = 0

    summary: bool = False
    """Print the summary, and damage nothing."""

    out: Path = RESULTS / "import_fuzz.csv"
    """The table; it is written anew."""

    ground: Path = RESULTS / "ground_summary.csv"


def main(config: Benchmark) -> None:
    """Damages, counts, writes."""
    if config.summary:
        print_summary(config.ground)
        return
    began, cpu = time.perf_counter(), time.process_time()
    memory = Path("/dev/shm")  # disks are not what is measured
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        outcomes = list(fuzz(Path(folder), config.mutations, config.seed))
    seconds = {"cpu_s": round(time.process_time() - cpu, 1), "wall_s": round(time.perf_counter() - began, 1)}
    for one in outcomes:
        if one.traceback or one.lost:
            print(json.dumps({"base": one.base, "kind": one.kind, "lost": one.lost, "traceback": one.traceback}))
    rows = [row(base, kind, outcomes, config.seed) for base, kind in sorted({(one.base, one.kind) for one in outcomes})]
    config.out.unlink(missing_ok=True)
    write_rows(config.out, rows, ("recording", "damage"))
    write_summary(config.ground, [ground(config.out)])
    print(json.dumps({"mutations": len(outcomes), **seconds, "cpu": cpu_name(), **ground(config.out)}))


def row(base: str, kind: str, outcomes: list[Outcome], seed: int) -> dict[str, object]:
    """The line of one kind of recording and of damage."""
    mine = [one for one in outcomes if (one.base, one.kind) == (base, kind)]
    return {
        "recording": base,
        "damage": kind,
        "mutations": len(mine),
        "tracebacks": sum(bool(one.traceback) for one in mine),
        "whole_messages": sum(one.whole for one in mine),
        "lost_messages": sum(one.lost for one in mine),
        "imported": sum(one.imported for one in mine),
        "seed": seed,
    }


def ground(table: Path) -> dict[str, object]:
    """Row G5: tracebacks and lost messages, of how many mutations."""
    rows = read_rows(table)
    value = sum(int(line["tracebacks"]) + int(line["lost_messages"]) for line in rows)
    return {
        "row": "G5",
        "value": value,
        "n": sum(int(line["mutations"]) for line in rows),
        "better": "lower",
        "floor": 0,
    }


if __name__ == "__main__":
    main(tyro.cli(Benchmark, description=__doc__))
