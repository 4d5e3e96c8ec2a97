"""How long a plan takes against other planners on the same weights: one JSON line a comparison.

    python benchmarks/planner.py
    python benchmarks/planner.py --case default-cpu

Rows go to `results/planner.csv`; those of cases that were not run stay. `robot-agent bench planner` runs the same.
"""

from __future__ import annotations

import sys
from pathlib import Path

from robot_agent.cli.bench import run

if __name__ == "__main__":
    sys.exit(run(["--out", str(Path(__file__).parent / "results" / "planner.csv"), *sys.argv[1:]]))
