"""The records of a run: JSON lines for programs, TensorBoard events for people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from robot_agent.errors import RunError
from robot_agent.run.folder import RunFolder, plain, read_lines, write_whole


class MetricsWriter:
    """Appends to `metrics.jsonl` and `updates.jsonl`, and writes the same to TensorBoard.

    Args:
        folder: of the run. Lines that a crash tore are removed first.
    """

    def __init__(self, folder: RunFolder) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._episodes = _open(folder.metrics)
        self._updates = _open(folder.updates)
        self._events = SummaryWriter(str(folder.tensorboard))

    def episode(self, record: Mapping[str, Any]) -> None:
        """A line about an episode, with at least `frames`, and `episode_return` if it has ended.

        Raises:
            RunError: the disk is full or gone.
        """
        self._write(self._episodes, "episode", record, int(record["frames"]))

    def updates(self, record: Mapping[str, Any]) -> None:
        """A line about some updates, with at least `updates`.

        Raises:
            RunError: the disk is full or gone.
        """
        self._write(self._updates, "updates", record, int(record["updates"]))

    def close(self) -> None:
        """Writes what is still held back."""
        self._episodes.close()
        self._updates.close()
        self._events.close()

    def _write(self, file: TextIO, group: str, record: Mapping[str, Any], step: int) -> None:
        line = plain(record)
        try:
            file.write(json.dumps(line, allow_nan=False) + "\n")
            file.flush()
            for name, value in line.items():
                if isinstance(value, int | float):
                    self._events.add_scalar(f"{group}/{name}", value, step)
        except OSError as error:
            raise RunError(f"cannot write {file.name} ({error.strerror}): free some space and resume") from error


def _open(path: Path) -> TextIO:
    if path.exists():
        write_whole(path, "".join(json.dumps(record) + "\n" for record in read_lines(path)))
    return path.open("a")
