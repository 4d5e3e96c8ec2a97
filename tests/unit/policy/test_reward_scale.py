"""The reward scale: the unit and the offset of rewards do not matter, unless they change what is best."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from robot_agent.agent import Agent
from robot_agent.learning.learner import Learner, LearnerConfig
from robot_agent.mind import Mind
from robot_agent.policy.reward_scale import RewardScale
from tests.small import AGENT, MIND
from tests.unit.learning.test_learner import SPEC, make_batch, shortened

DISCOUNT = MIND.discount


def fitted(rewards: torch.Tensor, terminates: bool = False, updates: int = 1) -> RewardScale:
    scale = RewardScale(DISCOUNT)
    for _ in range(updates):
        scale.fit(rewards, torch.ones_like(rewards), terminates)
    return scale


def some_rewards(seed: int = 0) -> torch.Tensor:
    return torch.rand(200, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("unit", [1e-6, 1e-3, 1.0, 1e3, 1e6])
@pytest.mark.parametrize("offset", [-1e4, 0.0, 1e4])
def test_rewards_in_other_units_are_the_same_numbers(unit: float, offset: float):
    rewards = some_rewards()
    shifted = unit * (rewards + offset)
    assert torch.equal(fitted(shifted).normalise(shifted), fitted(rewards).normalise(rewards))


def test_most_normalised_rewards_are_of_size_one():
    rewards = 1e3 * some_rewards()
    sizes = fitted(rewards).normalise(rewards).abs()
    assert 0.8 < sizes.quantile(0.9) < 1.2


def test_rare_rewards_set_the_unit():
    rewards = torch.zeros(1000, dtype=torch.float64)
    rewards[7] = 1e-3
    assert fitted(rewards).normalise(rewards).max() == 1


def test_where_episodes_are_terminated_the_offset_stays_in_the_rewards():
    for constant in (1.0, -1.0, 1e4):
        rewards = torch.full((100,), constant, dtype=torch.float64)
        scale = fitted(rewards, terminates=True)
        assert torch.equal(scale.normalise(rewards), torch.full((100,), np.sign(constant), dtype=torch.float32))


def test_a_large_penalty_at_an_end_stays_large():
    rewards = torch.ones(1000, dtype=torch.float64)
    rewards[:20] = -100
    scale = fitted(rewards, terminates=True)
    assert scale.normalise(rewards).min() == -100


def test_the_offset_returns_to_zero_at_the_first_termination():
    rewards = some_rewards() + 5
    scale = fitted(rewards)
    assert scale.offset > 5
    scale.fit(rewards, torch.ones_like(rewards), terminates=True)
    assert scale.offset == 0
    torch.testing.assert_close(scale.reward_in_world(scale.normalise(rewards)), rewards, atol=1e-3, rtol=0)


def test_the_scale_follows_slowly_and_another_world_sets_it_anew():
    scale = fitted(some_rewards())
    before = float(scale.scale)
    scale.fit(3 * some_rewards(), torch.ones(200), terminates=False)
    assert 1 < float(scale.scale) / before < 1.01
    scale.fit(1e6 * (1 + some_rewards()), torch.ones(200), terminates=False)
    assert float(scale.scale) > 1e5


def test_unknown_rewards_do_not_count():
    rewards = torch.cat([some_rewards(), torch.full((50,), 1e6, dtype=torch.float64)])
    known = (torch.arange(250) < 200).float()
    scale = RewardScale(DISCOUNT)
    scale.fit(rewards, torch.zeros(250), terminates=False)
    assert not scale.fitted
    scale.fit(rewards, known, terminates=False)
    assert torch.equal(scale.scale, fitted(some_rewards()).scale)


def test_values_return_to_the_units_of_the_world():
    rewards = 40 + 3 * some_rewards()
    scale = fitted(rewards)
    discounts = DISCOUNT ** torch.arange(2000, dtype=torch.float64)
    stream = rewards.repeat(10)
    value = (discounts * scale.normalise(stream)).sum()
    torch.testing.assert_close(scale.value_in_world(value), (discounts * stream).sum(), rtol=1e-4, atol=0)


def test_a_checkpoint_without_a_scale_has_its_values_in_the_units_of_the_world():
    agent = Agent(SPEC, AGENT)
    scale = agent.mind.reward_scale
    scale.fit(7 * some_rewards(), torch.ones(200), terminates=False)
    weights = agent.mind.state_dict()
    agent.load_weights({name: weights[name] for name in weights if not name.startswith("reward_scale.")}, version=1)
    assert scale.value_in_world(torch.tensor(3.0)) == 3
    assert scale.fitted


def learned(unit: float, offset: float, terminated: bool = False, enabled: bool = True) -> Learner:
    config = replace(MIND, heads=replace(MIND.heads, scale_rewards=enabled))
    learner = Learner(Mind(SPEC, config), LearnerConfig(batch_size=32))
    for seed in range(20):
        batch = make_batch(seed=seed)
        batch = replace(batch, rewards=unit * (batch.rewards + offset))
        learner.update(shortened(batch, 2, terminated=True) if terminated else batch)
    return learner


def actions_of(learner: Learner) -> np.ndarray:
    agent = Agent(SPEC, AGENT, seed=0)
    agent.load_weights(learner.mind.state_dict(), version=1)
    state = agent.initial_state(["a"])
    observation = {"proprio": np.array([0.3, -0.2, 0.1, 0.5], np.float32)}
    return agent.act({"a": observation}, state)[0]["a"]


@pytest.mark.parametrize(("unit", "offset"), [(1e-6, 0.0), (1e6, 0.0), (1.0, 1e4), (1.0, -1e4)])
def test_an_agent_decides_the_same_in_other_units(unit: float, offset: float):
    assert np.array_equal(actions_of(learned(unit, offset)), actions_of(learned(1.0, 0.0)))


def test_without_the_scale_the_unit_changes_what_is_learned():
    assert not np.array_equal(actions_of(learned(1e-6, 0.0, enabled=False)), actions_of(learned(1, 0, enabled=False)))


@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_an_agent_decides_the_same_in_other_units_where_episodes_are_terminated(unit: float):
    assert np.array_equal(actions_of(learned(unit, 0.0, True)), actions_of(learned(1.0, 0.0, True)))


@pytest.mark.parametrize(("constant", "wanted"), [(-1.0, "end"), (1.0, "life")])
def test_an_end_is_sought_at_a_cost_a_step_and_shunned_at_a_reward_a_step(constant: float, wanted: str):
    """The values of ending now and of living on, in the world's units, however large the unit is."""
    for unit in (1e-3, 1e3):
        learner = Learner(Mind(SPEC, MIND), LearnerConfig(batch_size=32, target_rate=0.1, learning_rate=3e-3))
        for seed in range(150):
            batch = make_batch(seed=seed)
            ends = (batch.proprio[:, 1:, 0] > 0.5).float()  # whoever drives the first number up ends the episode
            ends[:, :2] = 0
            rewards = torch.full_like(batch.rewards, constant * unit)
            metrics = learner.update(replace(batch, rewards=rewards, terminated=ends, ends=True))
        mind = learner.mind
        latents = mind.encoder({}, torch.tensor([[[0.4, 0.0, 0.0, 0.0]], [[-2.0, 0.0, 0.0, 0.0]]]))[:, 0]
        goal = mind.goal_encoder(torch.zeros(2, 0))
        value = mind.value.mean(mind.value(latents, torch.tensor([[1.0, 0.0], [-1.0, 0.0]]), goal)).mean(0)
        near_end, far = mind.reward_scale.value_in_world(value).tolist()
        assert (near_end > far) == (wanted == "end")
        assert np.sign(float(metrics["value"])) == np.sign(constant)
