"""MPPI in plain torch (Williams et al. 2017; as in TD-MPC2, Hansen et al. 2024), for any back end that rolls out."""

from __future__ import annotations

import time
from typing import Protocol

import torch
from torch import Tensor

from robot_agent_kernels.mppi.noise import PlanNoise, correlated
from robot_agent_kernels.mppi.types import PlanConfig, PlanResult, PlanState, PlanStatus


class Rollouts(Protocol):
    """What the search asks of a back end; see `rollout.reference.ReferenceRollout`."""

    def rollout(
        self, z0: Tensor, actions: Tensor, goal: Tensor, context: Tensor, members: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Returns, uncertainty and final latents of action sequences."""

    def policy_trajectories(self, z0: Tensor, goal: Tensor, context: Tensor, noise: Tensor) -> Tensor:
        """Action sequences of the policy."""


def elite_weights(scores: Tensor, temperature: float) -> Tensor:
    """Softmax of `scores (robots, elites)`, best first, over `temperature` standard deviations of the finite ones.

    A score of minus infinity weighs nothing; where all are, all weights are zero.
    """
    finite = torch.isfinite(scores)
    count = finite.sum(1, keepdim=True).clamp_min(1)
    filled = torch.where(finite, scores, 0.0)
    center = filled.sum(1, keepdim=True) / count
    spread = (torch.where(finite, scores - center, 0.0).square().sum(1, keepdim=True) / count).sqrt()
    logits = (filled - filled[:, :1]) / (temperature * spread + 1e-6)
    weights = torch.softmax(torch.where(finite, logits, -torch.inf), dim=1)
    return torch.nan_to_num(weights)


def score(returns: Tensor, uncertainty: Tensor, coefficient: float) -> Tensor:
    """What elites are chosen by, `(robots, candidates)`: minus infinity where something is not finite."""
    finite = torch.isfinite(returns) & torch.isfinite(uncertainty)
    scores = torch.where(finite, returns, -torch.inf)
    if coefficient == 0.0:
        return scores
    level = torch.where(finite, uncertainty, 0.0).mean(1, keepdim=True)
    spread = torch.where(finite, returns, 0.0).std(1, keepdim=True, correction=0) / (level + 1e-6)
    return scores + torch.where(finite, coefficient * spread * uncertainty, 0.0)


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
    robots, horizon, action_dim = state.mean.shape
    fixed = [] if proposals is None else [proposals]
    if config.policy_samples:
        fixed.append(rollouts.policy_trajectories(z0, goal, context, noise.policy))
    count = sum(part.shape[1] for part in fixed)

    shifted = torch.cat([state.mean[:, 1:], torch.zeros_like(state.mean[:, :1])], dim=1)
    mean = torch.where(state.fresh[:, None, None], torch.zeros_like(shifted), shifted)
    std = torch.full_like(mean, config.max_std)
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
        scores = score(returns, uncertainty, config.uncertainty_coefficient)
        elite_scores, elite = scores.topk(min(config.elites, scores.shape[1]), dim=1)
        elite_actions = actions.gather(1, elite[:, :, None, None].expand(-1, -1, horizon, action_dim))
        weights = elite_weights(elite_scores, config.temperature)
        column = weights[:, :, None, None]
        # A sequence that is not finite weighs nothing, but nothing times NaN is NaN.
        elite_actions = torch.where(column > 0, elite_actions, 0.0)
        mean = (column * elite_actions).sum(1)
        variance = (column * (elite_actions - mean.unsqueeze(1)).square()).sum(1)
        std = variance.sqrt_().clamp_(config.min_std, config.max_std)
        done = iteration + 1
        late = deadline_ms is not None and (time.perf_counter() - start) * 1e3 > deadline_ms
        if late and done < config.iterations:
            break

    usable = torch.isfinite(elite_scores[:, 0])
    drawn = (weights.log() + noise.elite.gather(1, elite)).argmax(1)
    first = elite_actions[torch.arange(robots, device=z0.device), drawn, 0]
    action = torch.addcmul(first, std[:, 0], noise.action).clamp_(-1, 1)
    keep = usable[:, None]
    mean = torch.where(keep[:, None], mean, torch.zeros_like(mean))
    ended = PlanStatus.DEADLINE if done < config.iterations else PlanStatus.OK
    elite_uncertainty = torch.where(weights > 0, uncertainty.gather(1, elite), 0.0)
    return PlanResult(
        action=torch.where(keep, action, torch.zeros_like(action)),
        mean=mean,
        std=std,
        value=(weights * torch.where(weights > 0, elite_scores, 0.0)).sum(1),
        uncertainty=(weights * elite_uncertainty).sum(1),
        status=torch.where(usable, int(ended), int(PlanStatus.NON_FINITE)),
        state=PlanState(mean, ~usable),
        iterations=done,
    )
