"""MPPI in plain torch (Williams et al. 2017; as in TD-MPC2, Hansen et al. 2024), for any back end that rolls out."""

from __future__ import annotations

import time
from typing import Protocol

import torch
from torch import Tensor

from robot_agent_kernels.mppi.noise import PlanNoise, Seeds, correlated
from robot_agent_kernels.mppi.refit import Refit
from robot_agent_kernels.mppi.types import PlanConfig, PlanResult, PlanState, PlanStatus


class Rollouts(Protocol):
    """What the search asks of a back end; see `rollout.reference.ReferenceRollout`."""

    @property
    def value_ensemble(self) -> int:
        """How many Q functions there are to draw from."""

    def rollout(
        self, z0: Tensor, actions: Tensor, goal: Tensor, context: Tensor, members: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Returns, uncertainty and final latents of action sequences."""

    def policy_trajectories(self, z0: Tensor, goal: Tensor, context: Tensor, noise: Tensor) -> Tensor:
        """Action sequences of the policy."""

    def refit(self, actions: Tensor, returns: Tensor, uncertainty: Tensor, config: PlanConfig) -> Refit:
        """A new mean and spread from scored trajectories."""


class SearchInTorch:
    """Gives a back end that rolls out and refits its `plan`."""

    def plan(
        self: Rollouts,
        z0: Tensor,
        goal: Tensor,
        context: Tensor,
        proposals: Tensor | None,
        state: PlanState,
        config: PlanConfig,
        seed: int | Seeds,
        deadline_ms: float | None = None,
        noise: PlanNoise | None = None,
    ) -> PlanResult:
        """As `mppi.plan.plan`."""
        if noise is None:
            robots, _, action_dim = state.mean.shape
            count = 0 if proposals is None else proposals.shape[1]
            noise = PlanNoise.draw(config, robots, action_dim, count, self.value_ensemble, seed, z0.device, z0.dtype)
        return search(self, z0, goal, context, proposals, state, config, noise, deadline_ms)


def beginning(state: PlanState, config: PlanConfig) -> tuple[Tensor, Tensor]:
    """Mean and spread that a search begins with: the last plan's, shifted by a step, where there is one."""
    fresh = state.fresh[:, None, None]
    shifted = torch.cat([state.mean[:, 1:], torch.zeros_like(state.mean[:, :1])], dim=1)
    mean = torch.where(fresh, torch.zeros_like(shifted), shifted)
    widest = torch.full_like(mean, config.max_std)
    if config.carry_spread is None:
        return mean, widest
    spread = torch.cat([config.carry_spread * state.std[:, 1:], widest[:, :1]], dim=1)
    return mean, torch.where(fresh, widest, spread.clamp(config.min_std, config.max_std))


def search(
    rollouts: Rollouts,
    z0: Tensor,
    goal: Tensor,
    context: Tensor,
    proposals: Tensor | None,
    state: PlanState,
    config: PlanConfig,
    noise: PlanNoise,
    deadline_ms: float | None,
) -> PlanResult:
    """As `plan`, with all noise given."""
    start = time.perf_counter()
    robots = state.mean.shape[0]
    fixed = [] if proposals is None else [proposals]
    if config.policy_samples:
        fixed.append(rollouts.policy_trajectories(z0, goal, context, noise.policy))
    count = sum(part.shape[1] for part in fixed)

    mean, std = beginning(state, config)
    white = correlated(noise.samples, config.noise_correlation)
    done, late = 0, False
    for iteration in range(config.iterations):
        sampled = torch.addcmul(mean.unsqueeze(1), std.unsqueeze(1), white[iteration]).clamp_(-1, 1)
        actions = torch.cat([*fixed, sampled], dim=1)
        if iteration == 0:
            returns, uncertainty, _ = rollouts.rollout(z0, actions, goal, context, noise.members)
        else:  # what was not sampled has not changed, nor have its returns
            new_returns, new_uncertainty, _ = rollouts.rollout(z0, sampled, goal, context, noise.members)
            returns = torch.cat([returns[:, :count], new_returns], dim=1)
            uncertainty = torch.cat([uncertainty[:, :count], new_uncertainty], dim=1)
        fitted = rollouts.refit(actions, returns, uncertainty, config)
        mean, std = fitted.mean, fitted.std
        done = iteration + 1
        if config.settled_std and float(std[:, 0].max()) <= config.settled_std:
            break
        late = deadline_ms is not None and (time.perf_counter() - start) * 1e3 > deadline_ms
        if late:
            break

    usable = fitted.weights.sum(1) > 0
    drawn = (fitted.weights.log() + noise.elite).argmax(1)
    first = actions[torch.arange(robots, device=z0.device), drawn, 0]
    action = torch.addcmul(first, std[:, 0], noise.action).clamp_(-1, 1)
    # Where no trajectory was finite, mean is zero already.
    ended = PlanStatus.DEADLINE if late and done < config.iterations else PlanStatus.OK
    return PlanResult(
        action=torch.where(usable[:, None], action, 0.0),
        mean=mean,
        std=std,
        value=fitted.value,
        uncertainty=fitted.uncertainty,
        weights=fitted.weights,
        status=torch.where(usable, int(ended), int(PlanStatus.NON_FINITE)),
        state=PlanState(mean, std, ~usable),
        iterations=done,
    )
