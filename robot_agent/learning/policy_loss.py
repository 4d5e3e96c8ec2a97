"""What the policy learns from: the Q functions."""

from __future__ import annotations

from typing import NamedTuple

import torch
from robot_agent_kernels.mlp.reference import mlp
from robot_agent_kernels.params import MLPParams
from robot_agent_kernels.two_hot.reference import two_hot_mean
from torch import Tensor

from robot_agent.mind import Mind


class PolicyLoss(NamedTuple):
    """The loss, the mean entropy, both scalars, and Q `(rows,)`; gradient in the loss alone."""

    loss: Tensor
    entropy: Tensor
    value: Tensor


def frozen(params: MLPParams) -> MLPParams:
    """The same weights, through which gradients pass but into which none flow."""
    return MLPParams(tuple(w.detach() for w in params.weights), tuple(b.detach() for b in params.biases))


def policy_loss(
    mind: Mind,
    latents: Tensor,
    goal: Tensor,
    value: MLPParams,
    value_spread: Tensor,
    noise: Tensor,
    entropy_weight: float,
) -> PolicyLoss:
    """The policy climbs the mean of some Q functions and keeps some entropy.

    Args:
        mind: its policy learns, nothing else.
        latents: `(rows, latent)`.
        goal: `(rows, goal_embedding)`.
        value: Q functions to climb, frozen.
        value_spread: running spread of Q, a scalar.
        noise: standard normal `(rows, action_dim)`.
        entropy_weight: in units of the spread of Q.
    """
    action, log_probability = mind.policy.sample(latents, goal, noise)
    q = two_hot_mean(mlp(value, torch.cat([latents, action, goal], dim=-1)), mind.value.bins).mean(0)
    loss = -(q / value_spread - entropy_weight * log_probability).mean()
    return PolicyLoss(loss, -log_probability.detach().mean(), q.detach())
