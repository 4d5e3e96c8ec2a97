"""Batches of sub-sequences: what a mixture draws, gathered, with goals that were achieved later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robot_agent.replay.gather import gather
from robot_agent.replay.index import StretchIndex
from robot_agent.replay.mixture import ALL, Drawn, Entry, Mixture, SamplerConfig
from robot_agent.replay.replay import Replay
from robot_agent.types import CAMERA_PREFIX, BodySpec

_OBSERVATIONS = ("proprio", "desired_goal", "achieved_goal")
_STEPS = ("action", "reward", "reward_known", "terminated", "dt", "source")


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
        source: uint8 `(windows, horizon)`, who chose each action, see `Source`.
        entry: int64 `(windows,)`, the place in the mixture of the entry that each is of.
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
    source: NDArray[np.uint8]
    entry: NDArray[np.int64]
    desired_goal: NDArray[np.float32]
    achieved_goal: NDArray[np.float32]
    future_achieved_goal: NDArray[np.float32]
    segment: NDArray[np.int64]
    index: NDArray[np.int64]


class SequenceSampler:
    """Draws sub-sequences of replay and copies them.

    Args:
        replay: to draw from.
        horizon: transitions of a sub-sequence.
        frame_stack: camera frames that the encoder sees at once.
        config: see `SamplerConfig`.
        entries: kinds of experience and their shares, see `Mixture`.
    """

    def __init__(
        self,
        replay: Replay,
        horizon: int,
        frame_stack: int = 1,
        config: SamplerConfig | None = None,
        entries: Sequence[Entry] = ALL,
    ) -> None:
        self.replay = replay
        self.horizon = horizon
        self.frame_stack = frame_stack
        self._index = StretchIndex(replay)
        self._mixture = Mixture(self._index, horizon, config, entries)

    @property
    def windows(self) -> int:
        """Sub-sequences that can be drawn."""
        return self._mixture.windows

    def refresh(self) -> None:
        """Sees what was appended since."""
        self._index.refresh()

    def sample(self, batch_size: int, rng: np.random.Generator) -> SequenceBatch:
        """Draws `batch_size` sub-sequences; call `refresh` before to see the newest.

        Raises:
            ValueError: there is no sub-sequence yet.
        """
        drawn = self._mixture.draw(batch_size, rng)
        before = self.frame_stack - 1
        cameras = [name for name, _ in self._spec.cameras]
        names = (*(CAMERA_PREFIX + name for name in cameras), *_OBSERVATIONS, *_STEPS)
        rows = gather(self._index, drawn.segment, drawn.index, before, self.horizon, names)
        columns = {name: np.ascontiguousarray(rows.columns[name][:, before:]) for name in (*_OBSERVATIONS, *_STEPS)}
        return SequenceBatch(
            cameras={name: rows.columns[CAMERA_PREFIX + name] for name in cameras},
            proprio=columns["proprio"],
            actions=columns["action"],
            rewards=columns["reward"],
            reward_known=columns["reward_known"],
            terminated=columns["terminated"],
            steps_known=rows.steps_known[:, before:],
            observations_known=rows.observations_known[:, before:],
            dt=columns["dt"],
            source=columns["source"],
            entry=drawn.entry,
            desired_goal=columns["desired_goal"],
            achieved_goal=columns["achieved_goal"],
            future_achieved_goal=self._future_goal(drawn, rng),
            segment=drawn.segment,
            index=drawn.index,
        )

    @property
    def _spec(self) -> BodySpec:
        return next(iter(self.replay.segments.values())).spec

    def _future_goal(self, drawn: Drawn, rng: np.random.Generator) -> NDArray[np.float32]:
        """What was achieved at a later known observation of the same stretch, drawn uniformly."""
        stretches = self._index.table[self._index.holding(drawn.segment, drawn.index)]
        ends = stretches["first"] + stretches["observations"]
        later = drawn.index + rng.integers(1, np.maximum(ends - drawn.index, 2))
        rows = np.minimum(later, ends - 1)
        return gather(self._index, drawn.segment, rows, 0, 0, ["achieved_goal"]).columns["achieved_goal"][:, 0]
