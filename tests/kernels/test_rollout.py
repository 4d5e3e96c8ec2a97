"""The rollout against sums written out by hand."""

from __future__ import annotations

import pytest
import torch
from robot_agent_kernels import rollout
from robot_agent_kernels.mlp.reference import mlp
from robot_agent_kernels.rollout.reference import next_latents, policy_distribution, policy_mean, value_mean
from robot_agent_kernels.two_hot.reference import two_hot_mean

from tests.kernels.builders import rollout_params


def inputs(robots: int = 2, samples: int = 3, horizon: int = 4, seed: int = 1):
    g = torch.Generator().manual_seed(seed)
    z0 = torch.softmax(torch.randn(robots, 4, 2, generator=g, dtype=torch.float64), 1).flatten(1)
    actions = 2 * torch.rand(robots, samples, horizon, 2, generator=g, dtype=torch.float64) - 1
    goal = torch.randn(robots, 3, generator=g, dtype=torch.float64)
    context = torch.randn(robots, 1, generator=g, dtype=torch.float64)
    return z0, actions, goal, context


@pytest.mark.parametrize(("termination", "quantised"), [(False, False), (True, False), (False, True)])
def test_return_is_the_discounted_sum_of_rewards_closed_by_the_value(termination: bool, quantised: bool):
    params = rollout_params(termination=termination, quantised=quantised)
    z0, actions, goal, context = inputs()
    returns, uncertainty, z_final = rollout(params, z0, actions, goal, context)
    for robot in range(2):
        for sample in range(3):
            latent, total, weight, spread = z0[robot : robot + 1], 0.0, 1.0, 0.0
            g, c = goal[robot : robot + 1], context[robot : robot + 1]
            for step in range(4):
                action = actions[robot, sample, step : step + 1]
                logits = mlp(params.reward, torch.cat([latent, action, g], 1))[0]
                total = total + weight * two_hot_mean(logits, params.bins)
                heads = next_latents(params, latent, action, c)
                latent = heads.mean(0)
                spread = spread + ((heads[0] - latent) ** 2).sum() / 2 + ((heads[1] - latent) ** 2).sum() / 2
                weight = weight * 0.9
                if termination:
                    weight = weight * (1 - torch.sigmoid(mlp(params.termination, latent)[0, 0, 0]))
            total = total + weight * value_mean(params, latent, policy_mean(params, latent, g), g)
            torch.testing.assert_close(returns[robot, sample], total[0])
            torch.testing.assert_close(uncertainty[robot, sample], spread / 4)
            torch.testing.assert_close(z_final[robot, sample], latent[0])


def test_robots_do_not_see_each_other():
    params = rollout_params()
    z0, actions, goal, context = inputs()
    both = rollout(params, z0, actions, goal, context)[0]
    alone = rollout(params, z0[1:], actions[1:], goal[1:], context[1:])[0]
    torch.testing.assert_close(both[1:], alone)


def test_latents_do_not_depend_on_the_goal():
    params = rollout_params()
    z0, actions, goal, context = inputs()
    torch.testing.assert_close(
        rollout(params, z0, actions, goal, context)[2], rollout(params, z0, actions, goal + 1, context)[2]
    )


def test_width_zero_of_goal_and_context_is_allowed():
    params = rollout_params(goal=0, context=0)
    z0, actions, _, _ = inputs()
    empty = torch.zeros(2, 0, dtype=torch.float64)
    assert rollout(params, z0, actions, empty, empty)[0].shape == (2, 3)


def test_the_log_standard_deviation_stays_in_its_bounds():
    params = rollout_params()
    _, log_std = policy_distribution(params, 100 * torch.randn(50, 8).double(), torch.randn(50, 3).double())
    assert (log_std >= -5).all()
    assert (log_std <= 1).all()
