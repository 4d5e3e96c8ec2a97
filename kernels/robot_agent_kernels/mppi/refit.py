"""`refit`: the end of an MPPI iteration: from scored trajectories to a new mean and spread, in plain torch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from robot_agent_kernels.mppi.types import PlanConfig


@dataclass(frozen=True)
class Refit:
    """What an iteration leaves, for each robot.

    Attributes:
        mean: `(robots, horizon, action_dim)`.
        std: `(robots, horizon, action_dim)`, inside the bounds.
        weights: `(robots, candidates)`; sum to 1 over the elites and are zero elsewhere, all zero where no trajectory
            was finite.
        value: `(robots,)` weighted mean of the scores.
        uncertainty: `(robots,)` weighted mean.
    """

    mean: Tensor
    std: Tensor
    weights: Tensor
    value: Tensor
    uncertainty: Tensor


def score(returns: Tensor, uncertainty: Tensor, coefficient: float) -> Tensor:
    """What elites are chosen by, `(robots, candidates)`: minus infinity where something is not finite."""
    finite = torch.isfinite(returns) & torch.isfinite(uncertainty)
    scores = torch.where(finite, returns, -torch.inf)
    if coefficient == 0.0:
        return scores
    level = torch.where(finite, uncertainty, 0.0).mean(1, keepdim=True)
    spread = torch.where(finite, returns, 0.0).std(1, keepdim=True, correction=0) / (level + 1e-6)
    return scores + torch.where(finite, coefficient * spread * uncertainty, 0.0)


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


def refit(actions: Tensor, returns: Tensor, uncertainty: Tensor, config: PlanConfig) -> Refit:
    """Weighs the best trajectories and fits a Gaussian to them.

    Args:
        actions: `(robots, candidates, horizon, action_dim)`.
        returns: `(robots, candidates)`.
        uncertainty: `(robots, candidates)`.
        config: elites, temperature, bounds of the spread, and what uncertainty counts.
    """
    scores = score(returns, uncertainty, config.uncertainty_coefficient)
    best, elite = scores.topk(min(config.elites, scores.shape[1]), dim=1)
    chosen = elite_weights(best, config.temperature)
    weights = torch.zeros_like(scores).scatter(1, elite, chosen)
    # What weighs nothing may be anything, and nothing times NaN is NaN.
    kept = torch.where(chosen > 0, uncertainty.gather(1, elite), 0.0)
    index = elite[:, :, None, None].expand(-1, -1, *actions.shape[2:])
    column = chosen[:, :, None, None]
    elite_actions = torch.where(column > 0, actions.gather(1, index), 0.0)
    mean = (column * elite_actions).sum(1)
    variance = (column * (elite_actions - mean.unsqueeze(1)).square()).sum(1)
    return Refit(
        mean,
        variance.sqrt().clamp(config.min_std, config.max_std),
        weights,
        (chosen * torch.where(chosen > 0, best, 0.0)).sum(1),
        (chosen * kept).sum(1),
    )
