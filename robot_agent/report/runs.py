"""What the report reads: the records of runs, and the public curves of the same worlds."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robot_agent.errors import RunError
from robot_agent.run.folder import RunFolder


@dataclass(frozen=True)
class RunRecord:
    """One run, as its folder holds it; parts that are missing are empty."""

    folder: RunFolder
    config: Mapping[str, Any]
    episodes: Sequence[Mapping[str, Any]]
    """Also the records within an episode, which have no `episode_return`."""
    updates: Sequence[Mapping[str, Any]]
    summary: Mapping[str, Any]
    evaluation: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path) -> RunRecord:
        """Reads a run folder.

        Raises:
            RunError: it is none, or has no metrics yet: no episode has ended, nor has one lasted a minute.
        """
        folder = RunFolder.open(path)
        episodes = folder.read_progress()
        if not episodes:
            raise RunError(f"{path} has no episode in metrics.jsonl: let one end first, or leave the folder out")
        return cls(
            folder,
            folder.read_config(),
            episodes,
            folder.read_updates(),
            folder.read_summary(),
            folder.read_evaluation(),
        )

    @property
    def label(self) -> str:
        """World, streams and seed."""
        return f"{self.world} · {self.streams} · seed {self.config.get('seed', '?')}"

    @property
    def world(self) -> str:
        return str(self.config.get("world", "?"))

    @property
    def streams(self) -> str:
        return "+".join(sorted(self.config.get("streams", [])))

    def changes(self) -> list[tuple[float, str]]:
        """When the world changed, in frames, and into what, as far as its episodes tell."""
        found: list[tuple[float, str]] = []
        before: tuple[Any, ...] | None = None
        for last, episode in pairwise([{"frames": 0}, *self.episodes]):
            said = episode.get("drift")
            drift = said if isinstance(said, Mapping) else {}  # of other people's environments it may be anything
            now = (episode.get("chapter"), tuple(sorted(drift)))
            if before is not None and now != before:
                words = ", ".join(sorted(drift)) or "as made"
                found.append((float(last["frames"]), words))
            before = now
        return found

    def series(self, x: str, y: str, records: str = "episodes") -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Two columns of the records, where both are there."""
        pairs = [
            (record[x], record[y])
            for record in getattr(self, records)
            if record.get(x) is not None and record.get(y) is not None
        ]
        columns = np.array(pairs, np.float64).reshape(-1, 2)
        return columns[:, 0], columns[:, 1]


@dataclass
class Curve:
    """A public learning curve: frames and mean return."""

    method: str
    frames: list[float] = field(default_factory=list)
    returns: list[float] = field(default_factory=list)


def anchors(world: str, streams: str) -> list[Curve]:
    """Public curves for a world of dm_control's suite; empty where none is known."""
    curves: dict[str, Curve] = {}
    text = resources.files("robot_agent.report").joinpath("anchors_dmc.csv").read_text()
    for row in csv.DictReader(text.splitlines()):
        if world == f"dmc/{row['task']}" and streams == row["streams"]:
            curve = curves.setdefault(row["method"], Curve(row["method"]))
            curve.frames.append(float(row["frames"]))
            curve.returns.append(float(row["return_mean"]))
    return list(curves.values())


def groups(runs: Sequence[RunRecord]) -> dict[tuple[str, str], list[RunRecord]]:
    """Runs of the same world and streams together."""
    grouped: dict[tuple[str, str], list[RunRecord]] = {}
    for run in runs:
        grouped.setdefault((run.world, run.streams), []).append(run)
    return grouped
