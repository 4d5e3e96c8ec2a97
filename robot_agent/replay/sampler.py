"""Sub-sequences from replay: few episodes, many frames, and never across an episode, a gap or a quarantined row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robot_agent.replay.replay import Replay
from robot_agent.replay.segment import SegmentReader
from robot_agent.types import CAMERA_PREFIX


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


@dataclass(frozen=True)
class SequenceBatch:
    """Sub-sequences of `horizon` transitions, hence `horizon + 1` observations.

    Attributes:
        cameras: name to uint8 `(windows, frame_stack + horizon, height, width, 3)`: the first `frame_stack - 1` frames
            come before the window; before an episode's start its first frame is repeated.
        proprio: float32 `(windows, horizon + 1, proprio_dim)`.
        actions: float32 `(windows, horizon, action_dim)`.
        rewards: float32 `(windows, horizon)`, 0 where unknown.
        reward_known: bool `(windows, horizon)`.
        terminated: bool `(windows, horizon)`.
        desired_goal: float32 `(windows, horizon + 1, goal_dim)`.
        achieved_goal: float32 `(windows, horizon + 1, goal_dim)`.
        future_achieved_goal: float32 `(windows, goal_dim)`, drawn from the later observations of the same episode.
        segment: int64 `(windows,)` and `index` int64 `(windows,)`, the address of the first row.
    """

    cameras: dict[str, NDArray[np.uint8]]
    proprio: NDArray[np.float32]
    actions: NDArray[np.float32]
    rewards: NDArray[np.float32]
    reward_known: NDArray[np.bool_]
    terminated: NDArray[np.bool_]
    desired_goal: NDArray[np.float32]
    achieved_goal: NDArray[np.float32]
    future_achieved_goal: NDArray[np.float32]
    segment: NDArray[np.int64]
    index: NDArray[np.int64]


class SequenceSampler:
    """Draws a few episodes, then as many sub-sequences of each, uniformly within it.

    Episodes are drawn one after the other without replacement, each in proportion to the sub-sequences that it holds
    (one with a gap counts as several). Where there are many more than `episodes_per_batch`, all sub-sequences are about
    equally likely; where there are hardly more, all episodes are, be they long or short.

    What is drawn depends on the experience and the random numbers alone, not on how rows are cut into segments.

    Args:
        replay: to draw from.
        horizon: transitions of a sub-sequence.
        frame_stack: camera frames that the encoder sees at once.
        config: see `SamplerConfig`.
    """

    def __init__(self, replay: Replay, horizon: int, frame_stack: int = 1, config: SamplerConfig | None = None) -> None:
        self.replay = replay
        self.horizon = horizon
        self.frame_stack = frame_stack
        self.config = config or SamplerConfig()
        self._indexed: dict[int, int] = {}
        self._runs = np.zeros((0, 3), np.int64)
        """Segment, first row, and number of rows of each stretch without a gap."""

    @property
    def windows(self) -> int:
        """Sub-sequences that can be drawn."""
        return int(self._windows_of_runs().sum())

    def refresh(self) -> None:
        """Sees what was appended since."""
        self.replay.refresh()
        for number, segment in self.replay.segments.items():
            if len(segment.rows) > self._indexed.get(number, 0):
                self._index(number, segment)

    def sample(self, batch_size: int, rng: np.random.Generator) -> SequenceBatch:
        """Draws `batch_size` sub-sequences; call `refresh` before to see the newest.

        Raises:
            ValueError: there is no whole sub-sequence yet.
        """
        windows = self._windows_of_runs()
        total = windows.sum()
        if total == 0:
            raise ValueError(f"replay holds no stretch of {self.horizon} transitions yet: live on before learning")
        candidates = np.flatnonzero(windows)
        count = min(self.config.episodes_per_batch, len(candidates), batch_size)
        share = windows[candidates] / total
        episodes = rng.choice(candidates, size=count, replace=False, p=share)
        chosen = episodes[np.arange(batch_size) % count]
        segments, firsts, lengths = self._runs[chosen].T
        skipped = np.maximum(lengths - self.horizon, 0) - windows[chosen]  # older than the capacity
        starts = firsts + skipped + rng.integers(0, windows[chosen])
        future = starts + rng.integers(1, firsts + lengths - starts)
        return self._gather(segments, firsts, starts, future)

    def _windows_of_runs(self) -> NDArray[np.int64]:
        lengths = self._runs[:, 2]
        if self.config.capacity is not None:
            newer = np.cumsum(lengths[::-1])[::-1] - lengths  # rows of all later stretches
            lengths = np.minimum(lengths, np.maximum(self.config.capacity - newer, 0))
        return np.maximum(lengths - self.horizon, 0)

    def _index(self, number: int, segment: SegmentReader) -> None:
        """Cuts the rows of a segment that are new into stretches; the last stretch may still grow."""
        known = self._indexed.get(number, 0)
        rows = segment.rows
        since = max(known - 1, 0)
        episode, step, valid = (np.array(rows[name][since:]) for name in ("episode", "step", "valid"))
        follows = (episode[1:] == episode[:-1]) & (step[1:] == step[:-1] + 1) & valid[1:] & valid[:-1]
        begins = np.flatnonzero(~follows) + since + 1
        if known == 0:
            begins = np.concatenate([[0], begins])
        else:
            self._extend(number, int(begins[0]) if len(begins) else len(rows))
        ends = np.append(begins[1:], len(rows))
        keep = valid[begins - since]  # a quarantined row stands alone
        runs = np.stack([np.full(len(begins), number), begins, (ends - begins) * keep], axis=1)
        self._runs = np.concatenate([self._runs, runs])
        self._indexed[number] = len(rows)
        if len(begins):  # in the order of addresses: draws do not depend on when a reader looked at several writers
            self._runs = self._runs[np.lexsort((self._runs[:, 1], self._runs[:, 0]))]

    def _extend(self, number: int, end: int) -> None:
        run = np.flatnonzero(self._runs[:, 0] == number)[-1]  # the one that was last
        if self._runs[run, 2]:
            self._runs[run, 2] = end - self._runs[run, 1]

    def _gather(
        self,
        segments: NDArray[np.int64],
        firsts: NDArray[np.int64],
        starts: NDArray[np.int64],
        future: NDArray[np.int64],
    ) -> SequenceBatch:
        size, horizon = len(starts), self.horizon
        steps = starts[:, None] + np.arange(horizon + 1)
        frames = np.maximum(starts[:, None] + np.arange(1 - self.frame_stack, horizon + 1), firsts[:, None])
        spec = next(iter(self.replay.segments.values())).spec
        cameras = {
            name: np.empty((size, self.frame_stack + horizon, *shape, 3), np.uint8) for name, shape in spec.cameras
        }
        fields: dict[str, NDArray[Any]] = {
            "proprio": np.empty((size, horizon + 1, spec.proprio_dim), np.float32),
            "desired_goal": np.empty((size, horizon + 1, spec.goal_dim), np.float32),
            "achieved_goal": np.empty((size, horizon + 1, spec.goal_dim), np.float32),
            "action": np.empty((size, horizon, spec.action_dim), np.float32),
            "reward": np.empty((size, horizon), np.float32),
            "reward_known": np.empty((size, horizon), np.bool_),
            "terminated": np.empty((size, horizon), np.bool_),
        }
        future_goal = np.empty((size, spec.goal_dim), np.float32)
        for number in np.unique(segments):
            mine = np.flatnonzero(segments == number)
            rows = self.replay.segments[int(number)].rows
            for name, target in fields.items():
                if target.size:
                    target[mine] = rows[name][steps[mine, : target.shape[1]]]
            for name, target in cameras.items():
                target[mine] = rows[CAMERA_PREFIX + name][frames[mine]]
            if spec.goal_dim:
                future_goal[mine] = rows["achieved_goal"][future[mine]]
        return SequenceBatch(
            cameras=cameras,
            proprio=fields["proprio"],
            actions=fields["action"],
            rewards=fields["reward"],
            reward_known=fields["reward_known"],
            terminated=fields["terminated"],
            desired_goal=fields["desired_goal"],
            achieved_goal=fields["achieved_goal"],
            future_achieved_goal=future_goal,
            segment=segments,
            index=starts,
        )
