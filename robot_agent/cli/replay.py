"""`robot-agent replay upgrade`: brings a run's replay to the current version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from robot_agent.replay.upgrade import upgrade
from robot_agent.run.folder import RunFolder


@dataclass(frozen=True)
class ReplayCommand:
    """Rewrites the segments of a run's replay that an older version wrote; addresses stay, and so does what is in them.

    Older segments can be learned from without it. It makes a run open faster, and needs free space for the largest
    segment.
    """

    action: tyro.conf.Positional[Literal["upgrade"]]

    run: tyro.conf.Positional[Path]
    """A run folder that no process writes into."""


def parse(argv: Sequence[str]) -> ReplayCommand:
    """The command line as a config; raises SystemExit on flags that there are not."""
    return tyro.cli(ReplayCommand, args=list(argv), prog="robot-agent replay")


def run(argv: Sequence[str]) -> int:
    """Runs the command; returns the exit status."""
    folder = RunFolder.open(parse(argv).run)
    with folder.lock():
        changed = upgrade(folder.replay)
    print(f"{folder.replay}: {changed} segments upgraded" if changed else f"{folder.replay} is of this version")
    return 0
