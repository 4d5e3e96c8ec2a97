"""`rollout`: what a sequence of actions leads to in the latent space, in plain torch, written to be read."""

from __future__ import annotations

import torch
from torch import Tensor

from robot_agent_kernels.mlp.reference import mlp
from robot_agent_kernels.mppi.refit import Refit, refit
from robot_agent_kernels.mppi.search import SearchInTorch
from robot_agent_kernels.mppi.types import PlanConfig
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


class ReferenceRollout(SearchInTorch):
    """The networks and what can be done with them; every other back end is tested against it.

    Args:
        params: the networks; not copied, of any floating dtype.
    """

    name = "reference"

    def __init__(self, params: RolloutParams) -> None:
        self.params = params

    def refresh(self, params: RolloutParams) -> None:
        """Takes the learner's weights as they are now."""
        self.params = params

    @property
    def value_ensemble(self) -> int:
        """How many Q functions there are to draw from."""
        return self.params.value.ensemble

    def rollout(
        self, z0: Tensor, actions: Tensor, goal: Tensor, context: Tensor, members: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Rolls action sequences out and closes them with the value of the policy's action.

        `return = sum_t discount^t c_t r(z_t, a_t, g) + discount^H c_H Q(z_H, pi(z_H, g), g)`, where `c_t` is the
        probability that the episode has not ended before step t, and the latent that goes on is the mean over the
        heads (a mean of simplices is a simplex, one of mean codes a mean code).

        Args:
            z0: `(robots, latent)`.
            actions: `(robots, samples, horizon, action_dim)` in [-1, 1].
            goal: `(robots, goal)` embedding; read by reward, value and policy, never by the dynamics.
            context: `(robots, context)`; read by the dynamics alone. Width 0 is allowed.
            members: `(k,)` int64, the Q functions whose mean closes the return; None for all.

        Returns:
            returns `(robots, samples)`; uncertainty `(robots, samples)`, the mean over the horizon of the heads'
            squared distance to their mean; z_final `(robots, samples, latent)`.
        """
        params = self.params if members is None else self.params.with_value_members(members)
        robots, samples, horizon, action_dim = actions.shape
        latent, goals, contexts = (_per_row(tensor, samples) for tensor in (z0, goal, context))
        steps = actions.reshape(robots * samples, horizon, action_dim).unbind(1)
        returns = latent.new_zeros(robots * samples)
        uncertainty = torch.zeros_like(returns)
        weight = torch.ones_like(returns)
        for action in steps:
            reward = two_hot_mean(mlp(params.reward, torch.cat([latent, action, goals], dim=-1))[0], params.bins)
            returns = returns + weight * reward
            heads = next_latents(params, latent, action, contexts)
            latent = heads.mean(0)
            uncertainty = uncertainty + (heads - latent).square().sum(-1).mean(0) / horizon
            weight = weight * params.discount
            if params.termination is not None:
                weight = weight * torch.sigmoid(-mlp(params.termination, latent)[0, :, 0])
        returns = returns + weight * value_mean(params, latent, policy_mean(params, latent, goals), goals)
        return returns.view(robots, samples), uncertainty.view(robots, samples), latent.view(robots, samples, -1)

    def policy_trajectories(self, z0: Tensor, goal: Tensor, context: Tensor, noise: Tensor) -> Tensor:
        """What the policy does when it rolls itself out; `noise` and result `(robots, k, horizon, action_dim)`."""
        robots, count, horizon, _ = noise.shape
        latent, goals, contexts = (_per_row(tensor, count) for tensor in (z0, goal, context))
        steps = noise.reshape(robots * count, horizon, -1).unbind(1)
        actions = []
        for step in range(horizon):
            mean, log_std = policy_distribution(self.params, latent, goals)
            actions.append(torch.tanh(mean + log_std.exp() * steps[step]))
            if step + 1 < horizon:
                latent = next_latents(self.params, latent, actions[-1], contexts).mean(0)
        return torch.stack(actions, dim=1).view_as(noise)

    def refit(self, actions: Tensor, returns: Tensor, uncertainty: Tensor, config: PlanConfig) -> Refit:
        """As `mppi.refit.refit`."""
        return refit(actions, returns, uncertainty, config)


def _per_row(of_robots: Tensor, samples: int) -> Tensor:
    """One copy for each sample of a robot, `(robots, n)` to `(robots * samples, n)`."""
    return of_robots.repeat_interleave(samples, 0)
