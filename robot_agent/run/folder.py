"""The run folder: what a run leaves behind, and where."""

from __future__ import annotations

import fcntl
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import yaml

from robot_agent.errors import RunError

LARGEST_ARRAY = 1_000
"""Numbers of an array that is written out as JSON."""
DEEPEST = 10
"""Levels of a tree that is; it may contain itself."""


class RunFolder:
    """Knows the layout of a run folder; use `create` or `open`.

    Attributes:
        path: the folder.
        replay: every transition.
        checkpoints: the last few.
        videos: mp4 files.
        tensorboard: events.
        metrics: `metrics.jsonl`, a line an episode, and lines within an episode that takes long.
        updates: `updates.jsonl`, a line for some updates.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self.replay = self.path / "replay"
        self.checkpoints = self.path / "checkpoints"
        self.videos = self.path / "videos"
        self.tensorboard = self.path / "tensorboard"
        self.metrics = self.path / "metrics.jsonl"
        self.updates = self.path / "updates.jsonl"
        self.imagination = self.path / "imagination.npz"
        self._config = self.path / "config.yaml"
        self._summary = self.path / "summary.json"
        self._evaluation = self.path / "evaluation.json"

    @classmethod
    def create(cls, path: Path) -> RunFolder:
        """A new run's folder; one that exists must be empty.

        Raises:
            RunError: it holds a run or other files already, or cannot be written.
        """
        folder = cls(path)
        if folder._config.exists():
            raise RunError(f"{path} already holds a run: continue it with --resume {path}, or choose another --out")
        if folder.path.is_dir() and any(folder.path.iterdir()):
            raise RunError(f"{path} holds other files: choose an --out that does not exist yet")
        try:
            for part in (folder.path, folder.replay, folder.checkpoints, folder.videos):
                part.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"cannot make the run folder {path} ({error.strerror}): choose another --out") from error
        return folder

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """The folder of a run that exists.

        Raises:
            RunError: it holds no run.
        """
        folder = cls(path)
        if not folder._config.is_file():
            raise RunError(f"{path} is not a run folder: expected a config.yaml: `robot-agent train --out` makes one")
        return folder

    def lock(self) -> TextIO:
        """Keeps the folder for one writer until the file that is returned is closed.

        Raises:
            RunError: another process writes into it.
        """
        file = (self.path / ".lock").open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.close()
            raise RunError(f"{self.path} is in use by another process: wait for it or choose another folder") from error
        return file

    def write_config(self, config: Mapping[str, Any]) -> None:
        write_whole(self._config, yaml.safe_dump(dict(config), sort_keys=False))

    def read_config(self) -> dict[str, Any]:
        return read_yaml(self._config)

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        write_json(self._summary, summary)

    def read_summary(self) -> dict[str, Any]:
        """Empty if the run has not ended yet."""
        return read_json(self._summary)

    def evaluation(self, world: str | None = None) -> Path:
        """Where an evaluation goes: in the run's own world, or in another."""
        return self._evaluation if world is None else self.path / f"evaluation-{world.replace('/', '-')}.json"

    def write_evaluation(self, evaluation: Mapping[str, Any], world: str | None = None) -> None:
        write_json(self.evaluation(world), evaluation)

    def read_evaluation(self) -> dict[str, Any]:
        """Empty if the run was not evaluated yet."""
        return read_json(self._evaluation)

    def read_metrics(self) -> list[dict[str, Any]]:
        """The records of episodes that ended."""
        return [record for record in read_lines(self.metrics) if "episode_return" in record]

    def read_progress(self) -> list[dict[str, Any]]:
        """All records, those within an episode included; these have `return_so_far` and `length_so_far`."""
        return read_lines(self.metrics)

    def read_updates(self) -> list[dict[str, Any]]:
        """The records of updates."""
        return read_lines(self.updates)


def write_whole(path: Path, text: str) -> None:
    """Writes a file whole or not at all.

    Raises:
        RunError: the disk is full or gone; an older file stays as it is.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise RunError(f"cannot write {path} ({error.strerror}): free some space and try again") from error


def write_json(path: Path, tree: Mapping[str, Any]) -> None:
    """Writes a JSON file whole or not at all, with null for numbers that are not finite.

    Raises:
        RunError: the disk is full or gone; an older file stays as it is.
    """
    write_whole(path, json.dumps(plain(tree), indent=2, allow_nan=False) + "\n")


def plain(tree: Any, depth: int = 0) -> Any:
    """The same in what JSON knows: None for numbers that are not finite, lists for arrays, texts for all else."""
    if isinstance(tree, np.ndarray | np.generic):
        tree = tree.tolist() if tree.size <= LARGEST_ARRAY else f"array of shape {tree.shape}"
    if depth > DEEPEST:
        return str(type(tree).__name__)
    if isinstance(tree, Mapping):
        return {str(name): plain(value, depth + 1) for name, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [plain(value, depth + 1) for value in tree]
    if isinstance(tree, float):
        return tree if math.isfinite(tree) else None
    return tree if tree is None or isinstance(tree, str | int) else str(tree)


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file as a mapping.

    Raises:
        RunError: there is no such file, or it is no YAML mapping.
    """
    if not path.is_file():
        raise RunError(f"there is no file {path}: give a YAML file of fields and values")
    try:
        content = yaml.safe_load(path.read_text()) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RunError(f"{path} cannot be read as YAML ({error}): give a file of fields and values") from error
    if not isinstance(content, dict):
        raise RunError(f"{path} holds {type(content).__name__}, expected a mapping of fields to values")
    return content


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file as a mapping; empty where there is none that can be read."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return {}


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a JSONL file; one that a crash tore is left out."""
    records = []
    if path.exists():
        for line in path.read_text().splitlines():
            try:
                records.append(json.loads(line))
            except ValueError:
                continue
    return records
