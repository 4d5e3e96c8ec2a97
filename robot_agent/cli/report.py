"""`robot-agent report`: one page about one run or several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from robot_agent.errors import RobotAgentError
from robot_agent.report import write_report


@dataclass(frozen=True)
class ReportCommand:
    """Writes one self-contained HTML page: learning curves, model error, plan times, latent rank, losses, a video."""

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Run folders or folders of seeds; those of the same world and streams are drawn with their mean and interval."""

    out: Path | None = None
    """Where the page goes; `report.html` in the first run folder if not given."""


def parse(argv: Sequence[str]) -> ReportCommand:
    """The command line as a config; raises SystemExit on flags that there are not."""
    return tyro.cli(ReportCommand, args=list(argv), prog="robot-agent report")


def run(argv: Sequence[str]) -> int:
    """Runs the command; returns the exit status."""
    command = parse(argv)
    if not command.runs:
        raise RobotAgentError("report needs the folder of a run, or several: robot-agent report FOLDER")
    runs = [run for named in command.runs for run in (sorted(named.glob("seed-*")) or [named])]
    print(write_report(runs, command.out or command.runs[0] / "report.html").resolve())
    return 0
