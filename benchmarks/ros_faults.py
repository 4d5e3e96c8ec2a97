"""What ROS faults do to fake robots, over real DDS between processes: rows to `results/ros_faults.csv`.

    python benchmarks/ros_faults.py
    python benchmarks/ros_faults.py --scenarios "two gates" "nan effort and velocity" --turns 3
    python benchmarks/ros_faults.py --summary

The scenarios are those of `tests/ros_faults`. Counted are messages that move a robot beyond a limit, and transitions
that the agent keeps although they never happened. Row G8 of `results/ground_summary.csv` is the sum over the table; it
is not measured as long as a scenario is missing or did not end as it should.
"""

from __future__ import annotations

import json
import sys
import tempfile
import traceback
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import tyro
from summary import print_summary, write_rows
from table import read_rows, write_row

sys.path.append(str(Path(__file__).parents[1]))  # the scenarios are tests, too

from tests.ros_faults.scenario import Outcome, stage
from tests.ros_faults.table import SCENARIOS

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Benchmark:
    """Which scenarios are played, and where the counts go."""

    scenarios: tuple[str, ...] = ()
    """Names of some; all if none is given."""

    turns: int = 1
    """How often each is played; counts add up."""

    summary: bool = False
    """Print the summary, and play nothing."""

    out: Path = RESULTS / "ros_faults.csv"
    """The table; rows of scenarios that are not played stay."""

    ground: Path = RESULTS / "ground_summary.csv"
    """The summary that row G8 goes to."""


@dataclass(frozen=True)
class Row:
    """The counts of a scenario; `failure` says what else was not as it should be, and is empty otherwise."""

    scenario: str
    turns: int
    outputs: int
    beyond: int
    transitions: int
    never: int
    failure: str


def play(name: str, turns: int) -> Row:
    """Plays a scenario some times."""
    total, failure = Outcome(), ""
    for _ in range(turns):
        with tempfile.TemporaryDirectory() as folder, stage(Path(folder)) as here:
            try:
                outcome = SCENARIOS[name](here)
            except Exception as error:  # the other scenarios are still worth playing
                traceback.print_exc()
                failure = " ".join(f"{type(error).__name__}: {error}".split())[:200]
                continue
        total = Outcome(**{key: value + getattr(outcome, key) for key, value in asdict(total).items()})
    return Row(name, turns, **asdict(total), failure=failure)


def summarise(rows: Sequence[dict[str, str]], path: Path) -> None:
    """Writes row G8: what should be 0, over all scenarios, n messages and transitions."""
    line = {"row": "G8", "better": "lower", "floor": 0}
    if {row["scenario"] for row in rows} >= set(SCENARIOS) and not any(row["failure"] for row in rows):
        line |= {
            "value": sum(int(row["beyond"]) + int(row["never"]) for row in rows),
            "n": sum(int(row["outputs"]) + int(row["transitions"]) for row in rows),
        }
    write_rows(path, [line])


def main(config: Benchmark) -> int:
    """Plays and writes."""
    if config.summary:
        print_summary(config.ground)
        return 0
    unknown = sorted(set(config.scenarios) - set(SCENARIOS))
    if unknown:
        print(f"there is no scenario {unknown[0]!r}, expected some of {', '.join(SCENARIOS)}", file=sys.stderr)
        return 2
    for name in config.scenarios or SCENARIOS:
        row = play(name, config.turns)
        print(json.dumps(asdict(row)), flush=True)
        write_row(config.out, asdict(row), key=("scenario",))
    summarise([row for row in read_rows(config.out) if row["scenario"] in SCENARIOS], config.ground)
    return 0


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Benchmark)))
