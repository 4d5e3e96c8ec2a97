"""Progress on stderr, only where a person looks."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from robot_agent.run.life import Progress as LifeState


class LifeProgress:
    """A bar for a life; silent where stderr is no terminal.

    Args:
        name: shown before the bar.
        frames: budget in frames.
        minutes: budget in minutes, or None.
    """

    def __init__(self, name: str, frames: int, minutes: float | None) -> None:
        self.frames = frames
        self.minutes = minutes
        self._bar = Progress(
            TextColumn(name),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[text]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
        )
        self._task = self._bar.add_task(name, total=1.0, text="starting")
        self._next = 0.0

    def __enter__(self) -> LifeProgress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def update(self, life: LifeState) -> None:
        """Called after each decision; draws at most 5 times a second."""
        now = time.perf_counter()
        if now < self._next:
            return
        self._next = now + 0.2
        done = life.frames / self.frames
        if self.minutes is not None:
            done = max(done, life.seconds / (60 * self.minutes))
        text = (
            f"{life.frames} frames · {life.decisions_per_second:.0f} decisions/s · {life.updates} updates"
            f" · return {life.last_return:.0f}"
        )
        self._bar.update(self._task, completed=min(done, 1.0), text=text)
