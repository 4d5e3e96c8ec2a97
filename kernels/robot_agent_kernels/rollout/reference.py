"""`rollout`: what a sequence of actions leads to in the latent space, in plain torch, written to be read."""

from __future__ import annotations

import torch
from torch import Tensor

from robot_agent_kernels.mlp.reference import mlp
from robot_agent_kernels.params import RolloutParams
from robot_agent_kernels.two_hot.reference import two_hot_mean


def next_latents(params: RolloutParams, latent: Tensor, action: Tensor, context: Tensor) -> Tensor:
    """One step of each dynamics head: `(rows, ...)` inputs to `(ensemble, rows, latent)`."""
    return params.latent.from_prediction(mlp(params.dynamics, torch.cat([latent, action, context], dim=-1)))


def policy_mean(params: RolloutParams, latent: Tensor, goal: Tensor) -> Tensor:
    """The policy's most likely action, `(rows, action_dim)` in [-1, 1]."""
    return torch.tanh(policy_distribution(params, latent, goal)[0])


def policy_distribution(params: RolloutParams, latent: Tensor, goal: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and log standard deviation before squashing, each `(rows, action_dim)`.

    The log standard deviation is `low + (high - low) / 2 * (tanh(x) + 1)`, which keeps its gradient inside the bounds.
    """
    mean, log_std = mlp(params.policy, torch.cat([latent, goal], dim=-1))[0].chunk(2, dim=-1)
    low, high = params.log_std_bounds
    return mean, low + 0.5 * (high - low) * (torch.tanh(log_std) + 1)


def value_mean(params: RolloutParams, latent: Tensor, action: Tensor, goal: Tensor) -> Tensor:
    """Mean over the Q ensemble of `Q(latent, action, goal)`, `(rows,)`."""
    logits = mlp(params.value, torch.cat([latent, action, goal], dim=-1))
    return two_hot_mean(logits, params.bins).mean(0)


@torch.no_grad()
def rollout(
    params: RolloutParams, z0: Tensor, actions: Tensor, goal: Tensor, context: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Rolls action sequences out and closes them with the value of the policy's action.

    `return = sum_t discount^t c_t r(z_t, a_t, g) + discount^H c_H Q(z_H, pi(z_H, g), g)`, where `c_t` is the
    probability that the episode has not ended before step t, and the latent that goes on is the mean over the heads
    (a mean of simplices is a simplex, one of mean codes a mean code).

    Args:
        params: the networks.
        z0: `(robots, latent)`.
        actions: `(robots, samples, horizon, action_dim)` in [-1, 1].
        goal: `(robots, goal)` embedding; read by reward, value and policy, never by the dynamics.
        context: `(robots, context)`; read by the dynamics alone. Width 0 is allowed.

    Returns:
        returns `(robots, samples)`; uncertainty `(robots, samples)`, the mean over the horizon of the heads' squared
        distance to their mean; z_final `(robots, samples, latent)`.
    """
    robots, samples, horizon, action_dim = actions.shape
    latent, goals, contexts = (
        tensor.unsqueeze(1).expand(-1, samples, -1).reshape(robots * samples, -1) for tensor in (z0, goal, context)
    )
    steps = actions.reshape(robots * samples, horizon, action_dim).unbind(1)
    uncertainty = latent.new_zeros(robots * samples)
    weights = [torch.ones_like(uncertainty)]
    latents = []
    for action in steps:
        latents.append(latent)
        heads = next_latents(params, latent, action, contexts)
        latent = heads.mean(0)
        uncertainty = uncertainty + (heads - latent).square().sum(-1).mean(0) / horizon
        weights.append(weights[-1] * params.discount)
        if params.termination is not None:
            weights[-1] = weights[-1] * torch.sigmoid(-mlp(params.termination, latent)[0, :, 0])
    # The rewards of all steps at once: a few large products are faster than many small ones.
    rows = torch.cat([torch.cat(latents), torch.cat(steps), goals.repeat(horizon, 1)], dim=-1)
    rewards = two_hot_mean(mlp(params.reward, rows)[0], params.bins).view(horizon, robots * samples)
    returns = (torch.stack(weights[:-1]) * rewards).sum(0)
    returns = returns + weights[-1] * value_mean(params, latent, policy_mean(params, latent, goals), goals)
    return returns.view(robots, samples), uncertainty.view(robots, samples), latent.view(robots, samples, -1)
