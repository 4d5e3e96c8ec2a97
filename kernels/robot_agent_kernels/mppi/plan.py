"""`plan`: MPPI over latent rollouts (Williams et al. 2017; as in TD-MPC2, Hansen et al. 2024)."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from enum import IntEnum

import torch
from torch import Tensor

from robot_agent_kernels.params import RolloutParams
from robot_agent_kernels.rollout.reference import next_latents, policy_distribution, rollout


class PlanStatus(IntEnum):
    """How a plan ended, for each robot."""

    OK = 0
    DEADLINE = 1
    """The time ran out between two iterations: the best plan so far is given."""
    NON_FINITE = 2
    """No trajectory had a finite return: the action is zero and the caller must fall back."""


@dataclass(frozen=True)
class PlanConfig:
    """How hard to search.

    Attributes:
        horizon: steps that a plan looks ahead; the value closes it.
        samples: action sequences a robot and iteration, those of the policy and the proposals not counted.
        policy_samples: sequences that the policy proposes by rolling itself out.
        iterations: of sampling and refitting.
        elites: sequences that refit the distribution.
        temperature: of the softmax over the elites' scores, in units of their standard deviation, so that it means the
            same in worlds of any reward scale.
        max_std: of the first iteration, in units of the action; a new plan starts that wide.
        min_std: exploration that always stays.
        noise_correlation: AR(1) coefficient of the noise between two steps of a sequence, 0 for white noise.
        uncertainty_coefficient: added to the return for each unit of disagreement, relative to the spread of returns;
            negative is pessimistic, positive is curious.
        value_members: Q functions drawn for a plan.
    """

    horizon: int = 3
    samples: int = 48
    policy_samples: int = 8
    iterations: int = 3
    elites: int = 16
    temperature: float = 0.5
    max_std: float = 1.0
    min_std: float = 0.05
    noise_correlation: float = 0.0
    uncertainty_coefficient: float = 0.0
    value_members: int = 2


@dataclass(frozen=True)
class PlanState:
    """What one plan leaves to the next.

    Attributes:
        mean: `(robots, horizon, action_dim)` of the last plan, not yet shifted.
        fresh: `(robots,)` bool, True where there is no last plan (an episode begins).
    """

    mean: Tensor
    fresh: Tensor

    @classmethod
    def initial(cls, robots: int, horizon: int, action_dim: int, device: torch.device | None = None) -> PlanState:
        return cls(
            torch.zeros(robots, horizon, action_dim, device=device), torch.ones(robots, dtype=torch.bool, device=device)
        )


@dataclass(frozen=True)
class PlanResult:
    """A plan for each robot.

    Attributes:
        action: `(robots, action_dim)` the first action of a sequence drawn among the elites; explores.
        mean: `(robots, horizon, action_dim)`; `mean[:, 0]` is the action that does not explore.
        std: `(robots, horizon, action_dim)`.
        value: `(robots,)` the elites' mean return.
        uncertainty: `(robots,)` of the elites.
        status: `(robots,)` of `PlanStatus`.
        state: hand it to the next plan.
        iterations: that were done.
    """

    action: Tensor
    mean: Tensor
    std: Tensor
    value: Tensor
    uncertainty: Tensor
    status: Tensor
    state: PlanState
    iterations: int


def correlated(noise: Tensor, correlation: float) -> Tensor:
    """Turns white noise `(..., horizon, action_dim)` into AR(1) noise of the same variance."""
    if correlation == 0.0:
        return noise
    steps = [noise[..., 0, :]]
    for step in range(1, noise.shape[-2]):
        steps.append(correlation * steps[-1] + math.sqrt(1 - correlation**2) * noise[..., step, :])
    return torch.stack(steps, dim=-2)


def policy_trajectories(params: RolloutParams, z0: Tensor, goal: Tensor, context: Tensor, noise: Tensor) -> Tensor:
    """Actions that the policy takes when it rolls itself out; `noise` and result `(robots, k, horizon, action_dim)`."""
    robots, count, horizon, _ = noise.shape
    latent, goals, contexts = (
        tensor.unsqueeze(1).expand(-1, count, -1).reshape(robots * count, -1) for tensor in (z0, goal, context)
    )
    steps = noise.reshape(robots * count, horizon, -1)
    actions = []
    for step in range(horizon):
        mean, log_std = policy_distribution(params, latent, goals)
        actions.append(torch.tanh(mean + log_std.exp() * steps[:, step]))
        if step + 1 < horizon:
            latent = next_latents(params, latent, actions[-1], contexts).mean(0)
    return torch.stack(actions, dim=1).view_as(noise)


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


@torch.no_grad()
def plan(
    params: RolloutParams,
    z0: Tensor,
    goal: Tensor,
    context: Tensor,
    proposals: Tensor | None,
    state: PlanState,
    config: PlanConfig,
    seed: int,
    deadline_ms: float | None = None,
) -> PlanResult:
    """Searches for the action sequence with the highest return.

    Each iteration samples around the mean, adds the policy's and the caller's proposals, rolls all out, and refits mean
    and spread to the elites, weighted by a softmax of their scores. The first mean is the last plan, shifted by a step.
    A plan is a pure function of its arguments unless the deadline cuts it short.

    Args:
        params: the networks.
        z0: `(robots, latent)`.
        goal: `(robots, goal)`.
        context: `(robots, context)`.
        proposals: `(robots, k, horizon, action_dim)` sequences from memory, skills or demonstrations, or None.
        state: from the last plan, or `PlanState.initial`.
        config: see `PlanConfig`.
        seed: of all noise.
        deadline_ms: read between two iterations; at least one is always done.

    Returns:
        `PlanResult`. A trajectory with a non-finite return never wins; where all are, the status says so.
    """
    start = time.perf_counter()
    robots, horizon, action_dim = state.mean.shape
    generator = torch.Generator(device=z0.device).manual_seed(seed)

    def white(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, device=z0.device, dtype=z0.dtype)

    if params.value.ensemble > config.value_members:
        drawn = torch.randperm(params.value.ensemble, generator=generator, device=z0.device)[: config.value_members]
        params = params.with_value_members(drawn)
    fixed = [] if proposals is None else [proposals]
    if config.policy_samples:
        noise = white(robots, config.policy_samples, horizon, action_dim)
        noise[:, 0] = 0  # one sequence is the policy's most likely one
        fixed.append(policy_trajectories(params, z0, goal, context, noise))

    shifted = torch.cat([state.mean[:, 1:], torch.zeros_like(state.mean[:, :1])], dim=1)
    mean = torch.where(state.fresh[:, None, None], torch.zeros_like(shifted), shifted)
    std = torch.full_like(mean, config.max_std)
    status = torch.full((robots,), int(PlanStatus.OK), device=z0.device)
    done = 0
    for iteration in range(config.iterations):
        noise = correlated(white(robots, config.samples, horizon, action_dim), config.noise_correlation)
        sampled = (mean.unsqueeze(1) + std.unsqueeze(1) * noise).clamp(-1, 1)
        actions = torch.cat([*fixed, sampled], dim=1)
        returns, uncertainty, _ = rollout(params, z0, actions, goal, context)
        finite = torch.isfinite(returns) & torch.isfinite(uncertainty)
        scores = torch.where(finite, returns, -torch.inf)
        if config.uncertainty_coefficient:
            spread = torch.where(finite, returns, 0.0).std(1, keepdim=True) / (uncertainty.mean(1, keepdim=True) + 1e-6)
            scores = scores + config.uncertainty_coefficient * spread * uncertainty
        elite_scores, elite = scores.topk(min(config.elites, scores.shape[1]), dim=1)
        elite_actions = actions.gather(1, elite[:, :, None, None].expand(-1, -1, horizon, action_dim))
        weights = elite_weights(elite_scores, config.temperature)
        column = weights[:, :, None, None]
        mean = (column * elite_actions).sum(1)
        std = (
            (column * (elite_actions - mean.unsqueeze(1)).square()).sum(1).sqrt().clamp(config.min_std, config.max_std)
        )
        done = iteration + 1
        if deadline_ms is not None and (time.perf_counter() - start) * 1e3 > deadline_ms and done < config.iterations:
            status = torch.full_like(status, int(PlanStatus.DEADLINE))
            break

    usable = torch.isfinite(elite_scores[:, 0])
    drawn_elite = torch.multinomial(
        torch.where(usable[:, None], weights, torch.ones_like(weights)), 1, generator=generator
    )
    first = elite_actions[torch.arange(robots, device=z0.device), drawn_elite[:, 0], 0]
    action = (first + std[:, 0] * white(robots, action_dim)).clamp(-1, 1)
    keep = usable[:, None]
    mean = torch.where(keep[:, None], mean, torch.zeros_like(mean))
    return PlanResult(
        action=torch.where(keep, action, torch.zeros_like(action)),
        mean=mean,
        std=std,
        value=(weights * torch.nan_to_num(elite_scores)).sum(1),
        uncertainty=(weights * uncertainty.gather(1, elite)).sum(1),
        status=torch.where(usable, status, torch.full_like(status, int(PlanStatus.NON_FINITE))),
        state=PlanState(mean, ~usable),
        iterations=done,
    )
