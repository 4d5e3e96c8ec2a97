"""Lives in kinds of foreign environments: rows to `results/foreign.csv`.

    python benchmarks/foreign.py
    python benchmarks/foreign.py --summary

The kinds are those of `tests/foreign`, which knows what each world truly was at each frame. Counted are kinds that end
in a traceback, are refused without need or without a sentence, or whose rows in replay, metrics or video are not what
truly happened. Row G7 of `results/ground_summary.csv` is how many of them there are.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import tyro
from summary import print_summary
from summary import write_rows as write_summary
from table import read_rows

sys.path.append(str(Path(__file__).parents[1]))  # the kinds are tests, too

from table import write_rows

from tests.foreign.judge import judge
from tests.foreign.table import KINDS

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Benchmark:
    """Where the verdicts go."""

    summary: bool = False
    """Print the summary, and live nowhere."""

    out: Path = RESULTS / "foreign.csv"
    """The table, written anew."""

    ground: Path = RESULTS / "ground_summary.csv"
    """The summary that row G7 goes to."""


def main(benchmark: Benchmark) -> None:
    """Lives in all of them, and says what is wrong."""
    if not benchmark.summary:
        benchmark.out.unlink(missing_ok=True)
        for number, kind in enumerate(KINDS):
            with tempfile.TemporaryDirectory() as scratch:
                verdict = judge(kind, Path(scratch) / "run")
            write_rows(benchmark.out, [asdict(verdict)], ("group", "name"))
            print(f"{number + 1:>3}/{len(KINDS)}  {verdict.outcome:9}  {kind.group}: {kind.name}  {verdict.fault}")
        rows = read_rows(benchmark.out)
        faults = sum(bool(row["fault"]) for row in rows)
        line = {"row": "G7", "value": faults, "n": len(rows), "better": "lower", "floor": 0, "goal": ""}
        write_summary(benchmark.ground, [line])
    print_summary(benchmark.ground)


if __name__ == "__main__":
    main(tyro.cli(Benchmark))
