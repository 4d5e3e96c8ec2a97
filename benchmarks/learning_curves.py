"""Draws the README's picture from run folders that `dmc.py --keep` left.

python benchmarks/learning_curves.py runs/cartpole-swingup_proprio_0 runs/walker-walk_proprio_0
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from robot_agent.report.figures import learning_curves
from robot_agent.report.runs import RunRecord


@dataclass(frozen=True)
class Picture:
    """Return against frames of some runs, as an SVG."""

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Run folders."""

    out: Path = Path(__file__).parents[1] / "docs" / "pictures" / "learning_curves.svg"
    """Where the picture goes."""


if __name__ == "__main__":
    picture = tyro.cli(Picture)
    picture.out.parent.mkdir(parents=True, exist_ok=True)
    picture.out.write_text(learning_curves([RunRecord.read(path) for path in picture.runs], "frames"))
