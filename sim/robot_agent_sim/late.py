"""Observations on their way: what is delivered was observed some frames ago."""

from __future__ import annotations

from collections import deque
from typing import Any


class Late:
    """Keeps what was observed until it is old enough. Before anything is, the first observation of the episode is."""

    def __init__(self) -> None:
        self._seen: deque[Any] = deque()

    def begin(self, observation: Any) -> Any:
        """The first observation of an episode, which is delivered at once."""
        self._seen.clear()
        self._seen.append(observation)
        return observation

    def deliver(self, observation: Any, frames: int) -> Any:
        """Takes what is observed in a new frame; returns what was observed `frames` frames before, or the oldest."""
        self._seen.append(observation)
        while len(self._seen) > frames + 1:
            self._seen.popleft()
        return self._seen[0]
