"""Hindsight: which goals are replaced, and what their rewards and ends are."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from robot_agent.learning.goal_functions import GoalFunctions
from robot_agent.learning.hindsight import CHECK_EVERY, Hindsight, HindsightConfig
from robot_agent.replay.replay import Replay
from robot_agent.replay.sampler import SequenceBatch
from robot_agent.types import BodySpec
from tests.unit.learning.lived import live_in
from tests.worlds import Reach

WINDOWS = 400
HORIZON = 3
SPEC = BodySpec.from_env(Reach())
NEAR = 0.15


def drawn(spread: float = 1.0) -> SequenceBatch:
    """Sub-sequences whose last observation is the future goal; the goal they were lived with is out of reach."""
    achieved = np.random.default_rng(0).uniform(-spread, spread, (WINDOWS, HORIZON + 1, 2)).astype(np.float32)
    return SequenceBatch(
        cameras={},
        proprio=np.zeros((WINDOWS, HORIZON + 1, 2), np.float32),
        actions=np.zeros((WINDOWS, HORIZON, 2), np.float32),
        rewards=np.zeros((WINDOWS, HORIZON), np.float64),
        reward_known=np.zeros((WINDOWS, HORIZON), np.bool_),
        terminated=np.zeros((WINDOWS, HORIZON), np.bool_),
        steps_known=np.ones((WINDOWS, HORIZON), np.bool_),
        observations_known=np.ones((WINDOWS, HORIZON + 1), np.bool_),
        dt=np.full((WINDOWS, HORIZON), SPEC.control_dt, np.float32),
        source=np.zeros((WINDOWS, HORIZON), np.uint8),
        entry=np.zeros(WINDOWS, np.int64),
        desired_goal=np.full((WINDOWS, HORIZON + 1, 2), 9, np.float32),
        achieved_goal=achieved,
        future_achieved_goal=achieved[:, HORIZON],
        segment=np.zeros(WINDOWS, np.int64),
        index=np.zeros(WINDOWS, np.int64),
    )


def hindsight_of(
    run: Path,
    body: gymnasium.Env[Any, Any],
    functions: GoalFunctions | None = None,
    share: float = 1.0,
    spec: BodySpec = SPEC,
) -> Hindsight:
    """After 500 random steps in the body."""
    live_in(run, body, 500)
    functions = functions or GoalFunctions.of_env(body)
    assert functions is not None
    return Hindsight(functions, spec, Replay(run / "replay"), HindsightConfig(share))


def relabelled(hindsight: Hindsight, batch: SequenceBatch, updates: int = 0) -> SequenceBatch:
    return hindsight.relabel(batch, updates, np.random.default_rng(0))


def assert_same(one: SequenceBatch, other: SequenceBatch) -> None:
    for name, value in vars(one).items():
        np.testing.assert_array_equal(value, getattr(other, name))


def test_some_windows_get_a_goal_that_was_reached_and_its_rewards(tmp_path: Path):
    batch = relabelled(hindsight_of(tmp_path, Reach(), share=0.8), drawn())
    chosen = (batch.desired_goal == batch.future_achieved_goal[:, None]).all((1, 2))
    assert 0.7 < chosen.mean() < 0.9
    assert (batch.desired_goal[~chosen] == 9).all()
    assert (batch.rewards[chosen, 2] == 1).all()
    assert (batch.rewards[~chosen] == 0).all()
    assert not batch.terminated.any()


def test_a_reward_that_was_computed_is_known(tmp_path: Path):
    batch = relabelled(hindsight_of(tmp_path, Reach(), share=0.8), drawn())
    chosen = batch.desired_goal[:, 0, 0] != 9
    assert batch.reward_known[chosen].all()
    assert not batch.reward_known[~chosen].any()


def test_a_window_that_ended_its_episode_keeps_its_goal(tmp_path: Path):
    """Else the return of another goal would end where the old one was reached."""
    terminated = np.zeros((WINDOWS, HORIZON), np.bool_)
    terminated[::2, 2] = True
    batch = relabelled(hindsight_of(tmp_path, Reach()), replace(drawn(), terminated=terminated))
    assert (batch.desired_goal[::2] == 9).all()
    assert (batch.rewards[::2] == 0).all()
    assert (batch.desired_goal[1::2] != 9).all()
    assert (batch.terminated == terminated).all()


def test_padding_gets_no_reward_and_a_window_without_a_later_observation_no_goal(tmp_path: Path):
    """Windows of two steps, and of one step after which nothing finite was seen."""
    known = np.tile([True, True, True, False], (WINDOWS, 1))
    known[::2, 1:] = False
    batch = relabelled(hindsight_of(tmp_path, Reach()), replace(drawn(), observations_known=known))
    assert (batch.desired_goal[::2] == 9).all()
    assert (batch.desired_goal[1::2] != 9).all()
    assert batch.reward_known.tolist() == [[False] * 3, [True, True, False]] * (WINDOWS // 2)
    assert (batch.rewards[~batch.reward_known] == 0).all()


class Declared(Reach):
    """Says itself where an episode ends, of one pair of goals at a time."""

    def compute_terminated(self, achieved: np.ndarray, desired: np.ndarray, info: dict[str, Any]) -> bool:
        return bool(np.linalg.norm(achieved - desired) < NEAR)


@pytest.mark.parametrize("world", [Reach, Declared])
def test_where_success_ends_an_episode_a_new_goal_ends_the_window_that_reaches_it(tmp_path: Path, world: type[Reach]):
    hindsight = hindsight_of(tmp_path, world(success_ends=True))
    batch = relabelled(hindsight, drawn(spread=0.3))
    away = np.linalg.norm(batch.achieved_goal - batch.desired_goal, axis=-1)[:, 1:]
    there = away < NEAR
    first = there.argmax(1)
    assert len(np.unique(first)) == HORIZON
    step = np.arange(HORIZON)
    np.testing.assert_array_equal(batch.terminated, step == first[:, None])
    np.testing.assert_array_equal(batch.rewards, step == first[:, None])
    np.testing.assert_array_equal(batch.reward_known, step <= first[:, None])


def test_an_end_counts_its_last_frame_as_the_world_does(tmp_path: Path):
    spec = replace(SPEC, frames_per_step=4)
    batch = relabelled(hindsight_of(tmp_path, Reach(success_ends=True), spec=spec), drawn())
    assert (batch.rewards[batch.terminated] >= 1).all()
    far = np.linalg.norm(batch.achieved_goal[:, 2] - batch.desired_goal[:, 0], axis=-1) > NEAR
    assert (batch.rewards[batch.terminated & far[:, None] & (np.arange(HORIZON) == 2)] == 1).all()


def test_a_new_reward_counts_the_frames_that_the_decision_lasted(tmp_path: Path):
    spec = replace(SPEC, frames_per_step=4)
    batch = replace(drawn(), dt=np.tile(np.float32([0.1, 0.0, 0.025]), (WINDOWS, 1)))  # 0 is not known, hence whole
    np.testing.assert_array_equal(
        relabelled(hindsight_of(tmp_path / "four", Reach(), spec=spec), batch).rewards,
        [4, 4, 1] * relabelled(hindsight_of(tmp_path / "one", Reach()), batch).rewards,
    )


def scaled(reward: float) -> float:
    return 1e4 + 0.044 * reward


def test_rewards_that_a_wrapper_rescales_are_relabelled_in_its_scale(tmp_path: Path):
    hindsight = hindsight_of(tmp_path, gymnasium.wrappers.TransformReward(Reach(), scaled))
    with pytest.warns(UserWarning, match=r"hindsight is on: a lived reward is 0\.044 \* computed \+1e\+04"):
        batch = relabelled(hindsight, drawn())
    with warnings.catch_warnings(action="error"):  # it is said once
        assert_same(batch, relabelled(hindsight, drawn(), updates=CHECK_EVERY))
    np.testing.assert_allclose(batch.rewards[:, 2], scaled(1), atol=1e-7)
    np.testing.assert_allclose(batch.rewards, scaled(0) + (batch.rewards > 1e4 + 0.02) * 0.044, atol=1e-7)


def test_rewards_that_are_no_function_of_goals_switch_hindsight_off(tmp_path: Path):
    hindsight = hindsight_of(tmp_path, gymnasium.wrappers.TransformReward(Reach(), lambda reward: -reward))
    with pytest.warns(UserWarning, match="hindsight is off: compute_reward does not give the rewards"):
        assert_same(relabelled(hindsight, drawn()), drawn())
    with warnings.catch_warnings(action="error"):
        assert_same(relabelled(hindsight, drawn(), updates=CHECK_EVERY), drawn())


def test_a_reward_that_needs_more_than_goals_switches_hindsight_off(tmp_path: Path):
    functions = GoalFunctions(lambda achieved, desired, info: info["speed"])
    hindsight = hindsight_of(tmp_path, Reach(), functions)
    with pytest.warns(UserWarning, match=r"hindsight is off: compute_reward cannot be called .*KeyError: 'speed'"):
        assert_same(relabelled(hindsight, drawn()), drawn())


def test_a_reward_that_fails_later_switches_hindsight_off_until_it_works_again(tmp_path: Path):
    broken = [False]

    def reward(achieved: np.ndarray, desired: np.ndarray, info: dict[str, Any]) -> np.ndarray:
        if broken[0]:
            raise RuntimeError("no simulator")
        return Reach().compute_reward(achieved, desired, info)

    hindsight = hindsight_of(tmp_path, Reach(), GoalFunctions(reward))
    whole = relabelled(hindsight, drawn())
    broken[0] = True
    with pytest.warns(UserWarning, match=r"hindsight is off: .*RuntimeError: no simulator"):
        assert_same(relabelled(hindsight, drawn(), updates=1), drawn())
    broken[0] = False
    assert_same(relabelled(hindsight, drawn(), updates=2), drawn())
    with pytest.warns(UserWarning, match=r"hindsight is on: a lived reward is 1 \*"):
        assert_same(relabelled(hindsight, drawn(), updates=CHECK_EVERY), whole)


def test_windows_with_a_reward_that_is_not_finite_keep_their_goal(tmp_path: Path):
    def reward(achieved: np.ndarray, desired: np.ndarray, info: dict[str, Any]) -> np.ndarray:
        away = np.linalg.norm(achieved - desired, axis=-1)
        return np.where(away > 2, -np.inf, (away < NEAR).astype(np.float64))

    hindsight = hindsight_of(tmp_path, Reach(), GoalFunctions(reward))
    with pytest.warns(UserWarning, match="not finite for some goals"):
        batch = relabelled(hindsight, drawn())
    kept = (np.linalg.norm(drawn().achieved_goal[:, 1:] - drawn().achieved_goal[:, 3:], axis=-1) > 2).any(1)
    assert 0 < kept.sum() < WINDOWS / 2
    np.testing.assert_array_equal((batch.desired_goal == 9).all((1, 2)), kept)
    assert np.isfinite(batch.rewards).all()
    assert hindsight.not_finite == kept.sum()
    with warnings.catch_warnings(action="error"):
        relabelled(hindsight, drawn(), updates=1)
    assert hindsight.not_finite == 2 * kept.sum()


def test_what_was_not_reached_by_chance_is_found_out_later(tmp_path: Path):
    """Here nothing shows at first that success ends an episode."""
    functions = GoalFunctions.of_env(Reach())
    assert functions is not None
    live_in(tmp_path, Reach(length=1), 100)
    replay = Replay(tmp_path / "replay")
    hindsight = Hindsight(functions, SPEC, replay, HindsightConfig(1.0))
    assert not relabelled(hindsight, drawn()).terminated.any()
    live_in(tmp_path, Reach(success_ends=True), 1000, first_episode=100)
    replay.refresh()
    assert not relabelled(hindsight, drawn(), updates=CHECK_EVERY - 1).terminated.any()
    assert relabelled(hindsight, drawn(), updates=CHECK_EVERY).terminated.any(1).all()


def test_what_was_found_out_is_in_the_state_and_not_found_out_anew(tmp_path: Path):
    body = gymnasium.wrappers.TransformReward(Reach(success_ends=True), scaled)
    hindsight = hindsight_of(tmp_path, body)
    with pytest.warns(UserWarning, match="hindsight is on"):
        relabelled(hindsight, drawn())
    live_in(tmp_path, body, 500, first_episode=1000)
    functions = GoalFunctions.of_env(body)
    assert functions is not None
    resumed = Hindsight(functions, SPEC, Replay(tmp_path / "replay"), HindsightConfig(1.0))
    resumed.load_state_dict(json.loads(json.dumps(hindsight.state_dict())))
    assert_same(relabelled(resumed, drawn(), updates=7), relabelled(hindsight, drawn(), updates=7))


def test_whoever_opened_something_for_the_functions_closes_it(tmp_path: Path):
    closed = []
    functions = GoalFunctions(Reach().compute_reward, close=lambda: closed.append(True))
    hindsight_of(tmp_path, Reach(), functions).close()
    assert closed == [True]
