"""Hindsight relabelling: what was reached is a goal that was reached (Andrychowicz et al. 2017)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robot_agent.replay.sampler import SequenceBatch

RewardFunction = Callable[[NDArray[np.float32], NDArray[np.float32], dict[str, Any]], Any]
"""A goal world's `compute_reward(achieved, desired, info)`, batched over the leading axis."""


@dataclass(frozen=True)
class HindsightConfig:
    """How often a goal is replaced.

    Attributes:
        share: of the sub-sequences that get a goal achieved later in their episode.
    """

    share: float = 0.8


def relabel(
    batch: SequenceBatch,
    reward_function: RewardFunction,
    frames_per_step: int,
    config: HindsightConfig,
    rng: np.random.Generator,
) -> SequenceBatch:
    """Replaces the goal of some sub-sequences by one achieved later, and their rewards by those that it gives.

    A sub-sequence in which the episode was terminated keeps its goal: whether the old goal ended the episode or
    something that ends it with any goal, such as a fall, nobody noted, and the return depends on it. So does one after
    whose first observation none is known.

    Args:
        batch: as it was drawn.
        reward_function: of the goal world, per frame.
        frames_per_step: frames that one decision lasts; like the rewards that were lived, a new reward counts each, as
            if what the decision achieved had held for all of them.
        config: see `HindsightConfig`.
        rng: chooses the sub-sequences.

    Returns:
        the batch with other `desired_goal`, `rewards` and `reward_known`.
    """
    windows, horizon = batch.rewards.shape
    chosen = rng.random(len(batch.rewards)) < config.share
    chosen[batch.terminated.any(1) | ~batch.observations_known[:, 1]] = False
    known = chosen[:, None] & batch.observations_known[:, 1:]
    goals = np.where(chosen[:, None, None], batch.future_achieved_goal[:, None], batch.desired_goal)
    # The reward of an action is that of the observation after it.
    reached = batch.achieved_goal[:, 1:].reshape(windows * horizon, -1)
    wanted = np.repeat(batch.future_achieved_goal, horizon, axis=0)
    computed = np.asarray(reward_function(reached, wanted, {}), np.float64).reshape(windows, horizon)
    return replace(
        batch,
        desired_goal=goals,
        rewards=np.where(known, frames_per_step * computed, batch.rewards),
        reward_known=batch.reward_known | known,
    )
