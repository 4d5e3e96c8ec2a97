"""Sub-sequences from replay: few episodes, many frames, and never across an episode, a gap or a quarantined row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robot_agent.replay.replay import Replay
from robot_agent.replay.stretches import StretchIndex
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

    One that reaches beyond the end of its stretch is padded there: the last known observation is repeated, action,
    reward and all flags are 0. What of an array is known its mask says.

    Attributes:
        cameras: name to uint8 `(windows, frame_stack + horizon, height, width, 3)`: the first `frame_stack - 1` frames
            come before the window; before an episode's start its first frame is repeated.
        proprio: float32 `(windows, horizon + 1, proprio_dim)`.
        actions: float32 `(windows, horizon, action_dim)`.
        rewards: float64 `(windows, horizon)`, 0 where unknown.
        reward_known: bool `(windows, horizon)`.
        terminated: bool `(windows, horizon)`.
        steps_known: bool `(windows, horizon)`, whether the step was lived; False from some step on where padded.
        observations_known: bool `(windows, horizon + 1)`; the first always is. False where padded, and after a step
            that ended the episode with an observation that is not finite.
        dt: float32 `(windows, horizon)`, seconds that each decision lasted, 0 where unknown.
        desired_goal: float32 `(windows, horizon + 1, goal_dim)`.
        achieved_goal: float32 `(windows, horizon + 1, goal_dim)`.
        future_achieved_goal: float32 `(windows, goal_dim)`, drawn from the later known observations of the same
            episode; that of the window's first observation where there is none.
        segment: int64 `(windows,)` and `index` int64 `(windows,)`, the address of the first row.
    """

    cameras: dict[str, NDArray[np.uint8]]
    proprio: NDArray[np.float32]
    actions: NDArray[np.float32]
    rewards: NDArray[np.float64]
    reward_known: NDArray[np.bool_]
    terminated: NDArray[np.bool_]
    steps_known: NDArray[np.bool_]
    observations_known: NDArray[np.bool_]
    dt: NDArray[np.float32]
    desired_goal: NDArray[np.float32]
    achieved_goal: NDArray[np.float32]
    future_achieved_goal: NDArray[np.float32]
    segment: NDArray[np.int64]
    index: NDArray[np.int64]


class SequenceSampler:
    """Draws a few episodes, then as many sub-sequences of each, uniformly within it.

    Episodes are drawn one after the other without replacement, each in proportion to the sub-sequences that it holds
    (one with a gap counts as several). Where there are many more than `episodes_per_batch`, all sub-sequences are about
    equally likely; where there are hardly more, all episodes are, be they long or short. A sub-sequence is
    whole, but for two kinds of stretches, of which one begins at each step and is padded: those that are shorter than
    the horizon, and those that were terminated. Else what ends an episode would be seen from predictions alone, never
    from the observation before it, and from there no action would seem to end it. A batch holds as many different short
    stretches as it can.

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
        self._index = StretchIndex(replay)

    @property
    def windows(self) -> int:
        """Sub-sequences that can be drawn."""
        return int(self._windows().sum())

    def refresh(self) -> None:
        """Sees what was appended since."""
        self._index.refresh()

    def sample(self, batch_size: int, rng: np.random.Generator) -> SequenceBatch:
        """Draws `batch_size` sub-sequences; call `refresh` before to see the newest.

        Raises:
            ValueError: there is no sub-sequence yet.
        """
        windows = self._windows()
        total = windows.sum()
        if total == 0:
            raise ValueError("replay holds no sub-sequence yet: learn once something was lived")
        candidates = np.flatnonzero(windows)
        count = min(self.config.episodes_per_batch, len(candidates), batch_size)
        share = windows[candidates] / total
        episodes = rng.choice(candidates, size=count, replace=False, p=share)
        chosen = self._without_copies(episodes[np.arange(batch_size) % count], count, candidates, rng)
        stretches = self._index.table[chosen]
        skipped = stretches["steps"] + 1 - self._least(stretches) - windows[chosen]  # older than the capacity
        starts = stretches["first"] + skipped + rng.integers(0, windows[chosen])
        ends = stretches["first"] + stretches["observations"]
        future = np.minimum(starts + rng.integers(1, np.maximum(ends - starts, 2)), ends - 1)
        return self._gather(stretches, starts, future)

    def _without_copies(
        self, chosen: NDArray[np.int64], count: int, candidates: NDArray[np.int64], rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """A short stretch has few sub-sequences: where it was chosen again, others as short take its place."""
        short = self._index.table["steps"] < self.horizon
        copies = np.flatnonzero(short[chosen])
        copies = copies[copies >= count]
        if len(copies):
            chosen[copies] = np.resize(rng.permutation(candidates[short[candidates]]), len(copies))
        return chosen

    def _windows(self) -> NDArray[np.int64]:
        """Sub-sequences of each stretch."""
        table = self._index.table
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

    def _gather(
        self, stretches: NDArray[np.void], starts: NDArray[np.int64], future: NDArray[np.int64]
    ) -> SequenceBatch:
        size, horizon = len(starts), self.horizon
        segments, firsts = stretches["segment"], stretches["first"]
        last = (firsts + stretches["observations"] - 1)[:, None]
        wanted = starts[:, None] + np.arange(horizon + 1)
        steps_known = wanted[:, :-1] < firsts[:, None] + stretches["steps"][:, None]
        steps = np.minimum(wanted, last)
        frames = np.clip(starts[:, None] + np.arange(1 - self.frame_stack, horizon + 1), firsts[:, None], last)
        spec = next(iter(self.replay.segments.values())).spec
        cameras = {
            name: np.empty((size, self.frame_stack + horizon, *shape, 3), np.uint8) for name, shape in spec.cameras
        }
        fields: dict[str, NDArray[Any]] = {
            "proprio": np.empty((size, horizon + 1, spec.proprio_dim), np.float32),
            "desired_goal": np.empty((size, horizon + 1, spec.goal_dim), np.float32),
            "achieved_goal": np.empty((size, horizon + 1, spec.goal_dim), np.float32),
            "action": np.empty((size, horizon, spec.action_dim), np.float32),
            "reward": np.empty((size, horizon), np.float64),
            "reward_known": np.empty((size, horizon), np.bool_),
            "terminated": np.empty((size, horizon), np.bool_),
            "dt": np.empty((size, horizon), np.float32),
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
        for name in ("action", "reward", "reward_known", "terminated", "dt"):
            fields[name][~steps_known] = 0
        return SequenceBatch(
            cameras=cameras,
            proprio=fields["proprio"],
            actions=fields["action"],
            rewards=fields["reward"],
            reward_known=fields["reward_known"],
            terminated=fields["terminated"],
            steps_known=steps_known,
            observations_known=wanted <= last,
            dt=fields["dt"],
            desired_goal=fields["desired_goal"],
            achieved_goal=fields["achieved_goal"],
            future_achieved_goal=future_goal,
            segment=np.array(segments),
            index=starts,
        )
