"""`robot-agent replay-dump`: what a run kept, and the batches that its learner had to skip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from robot_agent.errors import RunError
from robot_agent.learning.batch_dump import PREFIX, describe_dump
from robot_agent.replay.replay import Replay
from robot_agent.run.folder import RunFolder


@dataclass(frozen=True)
class ReplayDumpCommand:
    """Shows a run's replay in numbers and each batch on which a loss was not finite.

    Given a dumped batch (`dumps/batch-*.npz`), shows only that one: the range of each array, and where it is not
    finite.
    """

    path: tyro.conf.Positional[Path]
    """A run folder, or a file of its `dumps` folder."""


def parse(argv: Sequence[str]) -> ReplayDumpCommand:
    """The command line as a config; raises SystemExit on flags that there are not."""
    return tyro.cli(ReplayDumpCommand, args=list(argv), prog="robot-agent replay-dump")


def run(argv: Sequence[str]) -> int:
    """Runs the command; returns the exit status."""
    path = parse(argv).path
    if path.is_file():
        print(f"{path}\n  " + "\n  ".join(describe_dump(path)))
        return 0
    if not path.exists():
        raise RunError(f"{path} does not exist: give a run folder or a file of its dumps folder")
    folder = RunFolder.open(path)
    replay = Replay(folder.replay)
    print(f"{path}: {replay.decisions} decisions in {replay.episodes} episodes, {replay.quarantined} quarantined")
    if replay.given:
        print(f"{replay.lived.decisions} were lived, {replay.given} given")
    dumps = sorted((folder.path / "dumps").glob(f"{PREFIX}*.npz"))
    if not dumps:
        print("no update was skipped")
    for dump in dumps:
        print(f"{dump}\n  " + "\n  ".join(describe_dump(dump)))
    return 0
