"""A goal world's own functions: batched or not, corrected by a wrapper or not."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest

from robot_agent.learning.goal_functions import GoalFunctions, batched
from tests.worlds import PointMass, Reach

RNG = np.random.default_rng(0)
ACHIEVED, DESIRED = (RNG.normal(size=(20, 3)).astype(np.float32) for _ in range(2))
AWAY = np.linalg.norm(ACHIEVED.astype(np.float64) - DESIRED, axis=1)


def of_a_batch(achieved: np.ndarray, desired: np.ndarray, info: Any) -> np.ndarray:
    assert achieved.ndim == 2
    return -np.linalg.norm(achieved - desired, axis=1)


def of_a_column(achieved: np.ndarray, desired: np.ndarray, info: Any) -> np.ndarray:
    return -np.linalg.norm(achieved - desired, axis=-1, keepdims=True)


def of_one_pair(achieved: np.ndarray, desired: np.ndarray, info: Any) -> float:
    return -float(np.linalg.norm(achieved - desired))


def of_one_pair_in_a_shape_that_fits(achieved: np.ndarray, desired: np.ndarray, info: Any) -> np.ndarray:
    away = achieved - desired
    return np.full(len(achieved) if achieved.ndim == 2 else (), -np.sqrt(np.sum(away * away)))


def in_place(achieved: np.ndarray, desired: np.ndarray, info: Any) -> np.ndarray:
    achieved -= desired
    return -np.linalg.norm(achieved, axis=-1)


@pytest.mark.parametrize("function", [of_a_batch, of_a_column, of_one_pair, of_one_pair_in_a_shape_that_fits, in_place])
@pytest.mark.parametrize("lived", [1, 20])
def test_a_reward_is_that_of_each_pair_whether_or_not_the_function_takes_many(function: Any, lived: int):
    compute = batched(function, ACHIEVED[:lived], DESIRED[:lived])
    before = ACHIEVED.copy()
    computed = compute(ACHIEVED, DESIRED)
    assert computed.dtype == np.float64
    np.testing.assert_allclose(computed, -AWAY, rtol=1e-6)
    np.testing.assert_array_equal(ACHIEVED, before)
    assert compute(ACHIEVED[:0], DESIRED[:0]).shape == (0,)


def test_a_function_that_takes_many_is_called_once():
    calls = []
    compute = batched(lambda *goals: calls.append(0) or of_a_column(*goals), ACHIEVED, DESIRED)
    calls.clear()
    compute(ACHIEVED, DESIRED)
    assert len(calls) == 1


def test_what_needs_more_than_goals_raises_where_it_is_tried():
    with pytest.raises(KeyError, match="speed"):
        batched(lambda achieved, desired, info: info["speed"], ACHIEVED, DESIRED)
    with pytest.raises(ValueError, match="3 numbers for 1"):
        batched(lambda achieved, desired, info: np.zeros(3), ACHIEVED, DESIRED)


class Corrected(gymnasium.RewardWrapper):
    def reward(self, reward: float) -> float:
        return 10 * reward

    def compute_reward(self, achieved: np.ndarray, desired: np.ndarray, info: Any) -> np.ndarray:
        return 10 * self.env.get_wrapper_attr("compute_reward")(achieved, desired, info)


def test_the_outermost_layer_that_computes_rewards_is_asked():
    goal = np.zeros((1, 2), np.float32)
    for body, reward in ((gymnasium.wrappers.TimeLimit(Reach(), 5), 1), (Corrected(Reach()), 10)):
        functions = GoalFunctions.of_env(body)
        assert functions is not None
        assert functions.reward(goal, goal, {}) == [reward]
        assert functions.terminated is None
    assert GoalFunctions.of_env(PointMass()) is None
