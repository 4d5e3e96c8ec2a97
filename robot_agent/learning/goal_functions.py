"""What a goal world computes of a goal: the reward, and whether the episode ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

GoalFunction = Callable[[NDArray[np.float32], NDArray[np.float32], dict[str, Any]], Any]
"""`compute_reward(achieved, desired, info)` or `compute_terminated`, of one pair of goals or of a batch of them."""

BatchedGoalFunction = Callable[[NDArray[np.float32], NDArray[np.float32]], NDArray[np.float64]]
"""From goals `(rows, goal_dim)` to one number a row, float64 `(rows,)`."""

TRIED_ROWS = 16


def nothing() -> None:
    """What there is to close where nothing was opened."""


@dataclass(frozen=True)
class GoalFunctions:
    """A goal world's own functions of goals, as it declares them.

    Attributes:
        reward: its `compute_reward`.
        terminated: its `compute_terminated`, None where it has none.
        close: frees what was opened for them.
    """

    reward: GoalFunction
    terminated: GoalFunction | None = None
    close: Callable[[], None] = nothing

    @classmethod
    def of_env(cls, env: gymnasium.Env[Any, Any], close: Callable[[], None] = nothing) -> GoalFunctions | None:
        """Those of the outermost layer that has them, so that a wrapper may correct them; None without a reward."""
        if not env.has_wrapper_attr("compute_reward"):
            return None
        terminated = env.get_wrapper_attr("compute_terminated") if env.has_wrapper_attr("compute_terminated") else None
        return cls(env.get_wrapper_attr("compute_reward"), terminated, close)


def batched(function: GoalFunction, achieved: NDArray[np.float32], desired: NDArray[np.float32]) -> BatchedGoalFunction:
    """The function for many rows, called once for all of them if it can be, else row by row.

    Args:
        function: of a goal world; `info` is empty for it.
        achieved: `(rows, goal_dim)`, lived goals to try it on.
        desired: the same shape.

    Raises:
        Exception: whatever the function raises where neither way works.
    """

    def at_once(achieved: NDArray[np.float32], desired: NDArray[np.float32]) -> NDArray[np.float64]:
        with np.errstate(all="ignore"):  # what is not finite is the caller's to judge
            return _numbers(function(achieved.copy(), desired.copy(), {}), len(achieved))

    def one_by_one(achieved: NDArray[np.float32], desired: NDArray[np.float32]) -> NDArray[np.float64]:
        pairs = zip(achieved, desired, strict=True)
        with np.errstate(all="ignore"):
            rows = [_numbers(function(one.copy(), other.copy(), {}), 1) for one, other in pairs]
        return np.concatenate([np.zeros(0), *rows])

    tried = np.arange(TRIED_ROWS) % len(achieved)  # several rows even where one was lived: one is no batch
    goals = achieved[tried], desired[tried]
    try:
        expected = one_by_one(*goals)
    except Exception:
        at_once(*goals)
        return at_once
    try:
        is_batched = np.allclose(at_once(*goals), expected, equal_nan=True)
    except Exception:
        is_batched = False
    return at_once if is_batched else one_by_one


def _numbers(result: Any, rows: int) -> NDArray[np.float64]:
    numbers = np.asarray(result, np.float64).reshape(-1)
    if len(numbers) != rows:
        raise ValueError(f"it returned {len(numbers)} numbers for {rows} pairs of goals")
    return numbers
