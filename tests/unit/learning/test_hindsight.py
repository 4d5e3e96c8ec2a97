"""Hindsight: which goals are replaced, and what their rewards are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from robot_agent.learning.hindsight import HindsightConfig, relabel
from robot_agent.replay.sampler import SequenceBatch
from tests.worlds import Reach

WINDOWS = 400
ALL = HindsightConfig(share=1.0)


def drawn() -> SequenceBatch:
    """Sub-sequences whose last observation is the future goal; the goal they were lived with is out of reach."""
    achieved = np.random.default_rng(0).uniform(-1, 1, (WINDOWS, 4, 2)).astype(np.float32)
    return SequenceBatch(
        cameras={},
        proprio=np.zeros((WINDOWS, 4, 2), np.float32),
        actions=np.zeros((WINDOWS, 3, 2), np.float32),
        rewards=np.zeros((WINDOWS, 3), np.float32),
        reward_known=np.zeros((WINDOWS, 3), np.bool_),
        terminated=np.zeros((WINDOWS, 3), np.bool_),
        steps_known=np.ones((WINDOWS, 3), np.bool_),
        observations_known=np.ones((WINDOWS, 4), np.bool_),
        desired_goal=np.full((WINDOWS, 4, 2), 9, np.float32),
        achieved_goal=achieved,
        future_achieved_goal=achieved[:, 3],
        segment=np.zeros(WINDOWS, np.int64),
        index=np.zeros(WINDOWS, np.int64),
    )


def relabelled(batch: SequenceBatch, config: HindsightConfig = ALL, frames_per_step: int = 1) -> SequenceBatch:
    return relabel(batch, Reach().compute_reward, frames_per_step, config, np.random.default_rng(0))


def test_some_windows_get_a_goal_that_was_reached_and_its_rewards():
    batch = relabelled(drawn(), HindsightConfig(share=0.8))
    chosen = (batch.desired_goal == batch.future_achieved_goal[:, None]).all((1, 2))
    assert 0.7 < chosen.mean() < 0.9
    assert (batch.desired_goal[~chosen] == 9).all()
    assert (batch.rewards[chosen, 2] == 1).all()
    assert (batch.rewards[~chosen] == 0).all()


def test_a_reward_that_was_computed_is_known():
    batch = relabelled(drawn(), HindsightConfig(share=0.8))
    chosen = batch.desired_goal[:, 0, 0] != 9
    assert batch.reward_known[chosen].all()
    assert not batch.reward_known[~chosen].any()


def test_a_window_that_ended_its_episode_keeps_its_goal():
    """Else the return of another goal would end where the old one was reached."""
    terminated = np.zeros((WINDOWS, 3), np.bool_)
    terminated[::2, 2] = True
    batch = relabelled(replace(drawn(), terminated=terminated))
    assert (batch.desired_goal[::2] == 9).all()
    assert (batch.rewards[::2] == 0).all()
    assert (batch.desired_goal[1::2] != 9).all()
    assert (batch.terminated == terminated).all()


def test_a_new_reward_counts_the_frames_of_a_decision_as_a_lived_one_does():
    np.testing.assert_array_equal(relabelled(drawn(), frames_per_step=4).rewards, 4 * relabelled(drawn()).rewards)


def test_padding_gets_no_reward_and_a_window_without_a_later_observation_no_goal():
    """Windows of two steps, and of one step after which nothing finite was seen."""
    known = np.tile([True, True, True, False], (WINDOWS, 1))
    known[::2, 1:] = False
    batch = relabelled(replace(drawn(), observations_known=known))
    assert (batch.desired_goal[::2] == 9).all()
    assert (batch.desired_goal[1::2] != 9).all()
    assert batch.reward_known.tolist() == [[False] * 3, [True, True, False]] * (WINDOWS // 2)
    assert (batch.rewards[~batch.reward_known] == 0).all()


def test_a_reward_keeps_its_precision():
    def tiny(achieved: np.ndarray, desired: np.ndarray, info: object) -> np.ndarray:
        return np.full(len(achieved), 1e-300)

    batch = relabel(drawn(), tiny, 1, ALL, np.random.default_rng(0))
    assert (batch.rewards == 1e-300).all()
