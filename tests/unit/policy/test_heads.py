"""The goal-conditioned heads."""

from __future__ import annotations

import math

import pytest
import torch
from robot_agent_kernels.rollout.reference import policy_distribution

from robot_agent.mind import Mind
from robot_agent.policy.goal_encoder import GoalEncoder
from robot_agent.policy.heads import HeadsConfig, Policy
from robot_agent.types import BodySpec
from tests.small import MIND


def test_log_probability_is_that_of_the_squashed_gaussian():
    policy = Policy(6, 2, HeadsConfig(hidden=(8,)))
    torch.nn.init.normal_(policy.network.weights[-1])
    latent, goal, noise = torch.randn(5, 6), torch.randn(5, 8), torch.randn(5, 2)
    action, log_probability = policy.sample(latent, goal, noise)
    mean, log_std = policy.distribution(latent, goal)
    squashed = torch.distributions.TransformedDistribution(
        torch.distributions.Normal(mean, log_std.exp()), torch.distributions.TanhTransform(cache_size=1)
    )
    torch.testing.assert_close(log_probability, squashed.log_prob(action).sum(-1), rtol=1e-3, atol=1e-3)


def test_log_probability_is_finite_far_out():
    policy = Policy(6, 1, HeadsConfig(hidden=(8,)))
    _, log_probability = policy.sample(torch.randn(3, 6), torch.randn(3, 8), torch.full((3, 1), 40.0))
    assert torch.isfinite(log_probability).all()


def test_reward_and_value_have_no_opinion_before_evidence():
    mind = Mind(BodySpec((), 3, 2), MIND)
    logits = mind.value(torch.randn(4, 32), torch.randn(4, 2), torch.randn(4, 8))
    assert logits.shape == (3, 4, 51)
    torch.testing.assert_close(mind.value.mean(logits), torch.zeros(3, 4), atol=1e-4, rtol=0)


def test_the_goal_is_a_constant_in_a_world_with_one_reward_and_matters_in_a_goal_world():
    constant = GoalEncoder(0, 8)(torch.zeros(3, 0))
    assert torch.equal(constant[0], constant[2])
    goals = GoalEncoder(2, 8)(torch.tensor([[0.0, 1.0], [1.0, 0.0]]))
    assert not torch.allclose(goals[0], goals[1])


def test_the_rollout_core_reads_the_very_tensors_of_the_mind():
    mind = Mind(BodySpec((), 3, 2), MIND)
    params = mind.rollout_params()
    assert params.dynamics.weights[0] is mind.world_model.dynamics.weights[0]
    assert params.termination is None
    torch.nn.init.normal_(mind.policy.network.weights[-1])  # zeros would agree whatever became of them
    latent, goal = torch.randn(4, 32), torch.randn(4, 8)
    for ours, theirs in zip(
        mind.policy.distribution(latent, goal), policy_distribution(params, latent, goal), strict=True
    ):
        torch.testing.assert_close(ours, theirs)


def test_the_rollout_core_gets_the_termination_head_once_an_episode_was_terminated():
    mind = Mind(BodySpec((), 3, 2), MIND)
    mind.world_model.terminations_seen.fill_(True)
    assert mind.rollout_params().termination is not None


def test_entropy_of_a_wide_policy_is_that_of_its_gaussian_near_zero():
    policy = Policy(6, 1, HeadsConfig(hidden=(8,), log_std_bounds=(-5.0, -3.0)))
    _, log_probability = policy.sample(torch.zeros(20_000, 6), torch.zeros(20_000, 8), torch.randn(20_000, 1))
    expected = 0.5 * math.log(2 * math.pi * math.e) - 4  # the middle of the bounds
    assert -log_probability.mean().item() == pytest.approx(expected, abs=0.05)
