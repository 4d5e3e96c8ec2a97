"""Hindsight relabelling: what was reached is a goal that was reached (Andrychowicz et al. 2017)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
    desired: NDArray[np.float32],
    rewards: NDArray[np.float32],
    achieved: NDArray[np.float32],
    future: NDArray[np.float32],
    reward_function: RewardFunction,
    config: HindsightConfig,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Replaces the goal of some sub-sequences and computes their rewards again.

    Args:
        desired: `(windows, goal)` as they were.
        rewards: `(windows, horizon)` as they were.
        achieved: `(windows, horizon + 1, goal)`.
        future: `(windows, goal)`, achieved later in the same episode.
        reward_function: of the goal world.
        config: see `HindsightConfig`.
        rng: chooses the sub-sequences.

    Returns:
        goals `(windows, goal)` and rewards `(windows, horizon)`.
    """
    chosen = rng.random(len(desired)) < config.share
    goals = np.where(chosen[:, None], future, desired)
    windows, horizon = rewards.shape
    # The reward of an action is that of the observation after it.
    reached = achieved[:, 1:].reshape(windows * horizon, -1)
    computed = np.asarray(reward_function(reached, np.repeat(goals, horizon, axis=0), {}), np.float32)
    return goals, np.where(chosen[:, None], computed.reshape(windows, horizon), rewards)
