"""Targets of the Q functions: multi-step returns, closed by the value of the last observation."""

from __future__ import annotations

from typing import NamedTuple

import torch
from robot_agent_kernels.mlp.reference import mlp
from robot_agent_kernels.params import MLPParams
from robot_agent_kernels.two_hot.reference import two_hot_mean
from torch import Tensor

from robot_agent.learning.batch import LearningBatch
from robot_agent.mind import Mind


def last_steps(batch: LearningBatch) -> tuple[Tensor, Tensor]:
    """The index of each sub-sequence and of its last step that happened, int64 `(windows,)` each."""
    last = (batch.steps_known.sum(1).long() - 1).clamp_min(0)
    return torch.arange(len(last), device=last.device), last


class Returns(NamedTuple):
    """Returns of each step of a batch, in units of the reward scale.

    Attributes:
        value: `(windows, horizon)`.
        known: `(windows, horizon)`, 1 where every reward up to the end of the return is known, and what closes it.
    """

    value: Tensor
    known: Tensor


@torch.no_grad()
def multi_step_returns(
    batch: LearningBatch,
    rewards: Tensor,
    later_latents: Tensor,
    goal: Tensor,
    mind: Mind,
    target_value: MLPParams,
    noise: Tensor,
) -> Returns:
    """`R_t = r_t + discount (1 - terminated_t) R_{t+1}`, where `R` of the last observation is `min_i Q_i(z, pi(z))`.

    Args:
        batch: sub-sequences of `horizon` transitions; those that did not happen lie at the end.
        rewards: `(windows, horizon)`, in units of the reward scale.
        later_latents: `(windows, horizon, latent)`, the target encoder's latent after each action.
        goal: `(windows, goal_embedding)`.
        mind: its policy acts at the end.
        target_value: the target Q functions whose minimum is taken.
        noise: standard normal `(windows, action_dim)` of the policy's action.
    """
    rows, last = last_steps(batch)
    latent = later_latents[rows, last]
    action, _ = mind.policy.sample(latent, goal, noise)
    logits = mlp(target_value, torch.cat([latent, action, goal], dim=-1))
    value = two_hot_mean(logits, mind.value.bins).amin(0)
    known = batch.observations_known[rows, last + 1]
    values, knowns = [], []
    for step in reversed(range(rewards.shape[1])):
        happened = batch.steps_known[:, step] > 0
        goes_on = 1 - batch.terminated[:, step]
        value = torch.where(happened, rewards[:, step] + mind.config.discount * goes_on * value, value)
        known = torch.where(happened, batch.reward_known[:, step] * torch.where(goes_on > 0, known, 1.0), known)
        values.append(value)
        knowns.append(known * happened)
    return Returns(torch.stack(values[::-1], dim=1), torch.stack(knowns[::-1], dim=1))
