"""What is drawn from replay: shares of kinds of experience, each from few episodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from robot_agent.replay.index import StretchIndex

Filter = Callable[[NDArray[np.void]], NDArray[np.bool_]]
"""Which of some stretches (`STRETCH`) are of a kind."""


@dataclass(frozen=True)
class SamplerConfig:
    """How sub-sequences are drawn.

    Attributes:
        episodes_per_batch: a batch comes from so many episodes. Many frames of few episodes stop self-prediction from
            telling episodes apart by what is constant within them.
        capacity: sub-sequences lie among so many newest rows; all of them if None.
    """

    episodes_per_batch: int = 16
    capacity: int | None = None


class Entry(NamedTuple):
    """A kind of experience and its share of each draw.

    Attributes:
        name: of the kind.
        filter: says which stretches are of it.
        share: weight beside the other entries; one that has nothing to draw leaves its share to them.
    """

    name: str
    filter: Filter
    share: float


def everything(stretches: NDArray[np.void]) -> NDArray[np.bool_]:
    """All that there is."""
    return np.ones(len(stretches), np.bool_)


def lived(stretches: NDArray[np.void]) -> NDArray[np.bool_]:
    """What lives of this replay took part in."""
    return ~stretches["given"]


def given(stretches: NDArray[np.void]) -> NDArray[np.bool_]:
    """Recordings and demonstrations."""
    return np.array(stretches["given"])


ALL = (Entry("all", everything, 1.0),)


class Drawn(NamedTuple):
    """Addresses of first rows, and the place of the entry that each is of; int64 `(draws,)` each."""

    segment: NDArray[np.int64]
    index: NDArray[np.int64]  # type: ignore[assignment]  # the field's standard name; tuple.index is not used
    entry: NDArray[np.int64]


class Mixture:
    """Draws from each entry a few episodes, then as many sub-sequences of each, uniformly within it.

    Episodes are drawn one after the other without replacement, each in proportion to the sub-sequences that it holds
    (one with a gap counts as several). Where there are many more than `episodes_per_batch`, all sub-sequences are about
    equally likely; where there are hardly more, all episodes are, be they long or short. A sub-sequence is whole, but
    for two kinds of stretches, of which one begins at each step and is padded: those that are shorter than the horizon,
    and those that were terminated. Else what ends an episode would be seen from predictions alone, never from the
    observation before it, and from there no action would seem to end it. A batch holds as many different short
    stretches as it can.

    What is drawn depends on the experience and the random numbers alone, not on how rows are cut into segments.

    Args:
        index: of the replay.
        horizon: transitions of a sub-sequence.
        config: see `SamplerConfig`.
        entries: kinds of experience and their shares.
    """

    def __init__(
        self, index: StretchIndex, horizon: int, config: SamplerConfig | None = None, entries: Sequence[Entry] = ALL
    ) -> None:
        self.index = index
        self.horizon = horizon
        self.config = config or SamplerConfig()
        self.entries = tuple(entries)

    @property
    def windows(self) -> int:
        """Sub-sequences that can be drawn."""
        windows = self._windows()
        wanted = np.zeros(len(windows), np.bool_)
        for entry in self.entries:
            wanted |= entry.filter(self.index.table)
        return int(windows[wanted].sum())

    def draw(self, count: int, rng: np.random.Generator) -> Drawn:
        """Draws `count` sub-sequences, those of an entry beside each other.

        Raises:
            ValueError: there is none yet.
        """
        windows = self._windows()
        of_entries = [windows * entry.filter(self.index.table) for entry in self.entries]
        counts = self._counts(count, [bool(mine.any()) for mine in of_entries])
        parts = [self._draw(number, mine, rng) for number, mine in zip(counts, of_entries, strict=True) if number]
        segments, rows = (np.concatenate(part) for part in zip(*parts, strict=True))
        return Drawn(segments, rows, np.repeat(np.arange(len(counts)), counts))

    def _counts(self, count: int, there: list[bool]) -> list[int]:
        """Draws of each entry: shares of what has something to draw, rounded so that their sum is `count`."""
        shares = np.array([entry.share for entry in self.entries]) * there
        if not shares.sum():
            raise ValueError("replay holds no sub-sequence yet: learn once something was lived")
        ends = np.rint(np.cumsum(shares) / shares.sum() * count).astype(int)
        return np.diff(ends, prepend=0).tolist()

    def _draw(
        self, count: int, windows: NDArray[np.int64], rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        candidates = np.flatnonzero(windows)
        episodes = min(self.config.episodes_per_batch, len(candidates), count)
        share = windows[candidates] / windows.sum()
        chosen = rng.choice(candidates, size=episodes, replace=False, p=share)[np.arange(count) % episodes]
        chosen = self._without_copies(chosen, episodes, candidates, rng)
        stretches = self.index.table[chosen]
        skipped = stretches["steps"] + 1 - self._least(stretches) - windows[chosen]  # older than the capacity
        return np.array(stretches["segment"]), stretches["first"] + skipped + rng.integers(0, windows[chosen])

    def _without_copies(
        self, chosen: NDArray[np.int64], count: int, candidates: NDArray[np.int64], rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """A short stretch has few sub-sequences: where it was chosen again, others as short take its place."""
        short = self.index.table["steps"] < self.horizon
        copies = np.flatnonzero(short[chosen])
        copies = copies[copies >= count]
        if len(copies):
            chosen[copies] = np.resize(rng.permutation(candidates[short[candidates]]), len(copies))
        return chosen

    def _windows(self) -> NDArray[np.int64]:
        """Sub-sequences of each stretch."""
        table = self.index.table
        rows = np.where(table["observations"] > 0, table["steps"] + 1, 0)
        if self.config.capacity is not None:
            newer = np.cumsum(rows[::-1])[::-1] - rows  # rows of all later stretches
            rows = np.minimum(rows, np.maximum(self.config.capacity - newer, 0))
        # A short one that may still grow is left for later: a life draws the same whenever its learner looks.
        may_be_drawn = table["closed"] | (table["steps"] >= self.horizon)
        return np.maximum(rows - self._least(table), 0) * may_be_drawn

    def _least(self, stretches: NDArray[np.void]) -> NDArray[np.int64]:
        """Steps that a sub-sequence of each stretch has at least."""
        is_padded = stretches["terminated"] | (stretches["steps"] < self.horizon)
        return np.where(is_padded, 1, self.horizon)
