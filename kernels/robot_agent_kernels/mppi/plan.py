"""`plan` and `rollout`: the calls of the rollout core, the same for every back end."""

from __future__ import annotations

import torch
from torch import Tensor

from robot_agent_kernels.backends import Backend, PackedParams, pack
from robot_agent_kernels.mppi.noise import PlanNoise, Seeds
from robot_agent_kernels.mppi.types import PlanConfig, PlanResult, PlanState
from robot_agent_kernels.params import RolloutParams


@torch.no_grad()
def rollout(
    params: RolloutParams | PackedParams,
    z0: Tensor,
    actions: Tensor,
    goal: Tensor,
    context: Tensor,
    backend: Backend = "auto",
) -> tuple[Tensor, Tensor, Tensor]:
    """What action sequences lead to; see `rollout.reference.ReferenceRollout.rollout`, the definition.

    Args:
        params: the networks, or what `pack` made of them.
        z0: `(robots, latent)`.
        actions: `(robots, samples, horizon, action_dim)` in [-1, 1].
        goal: `(robots, goal)`.
        context: `(robots, context)`.
        backend: where `params` are not packed yet; see `pack`.

    Returns:
        returns `(robots, samples)`, uncertainty `(robots, samples)`, z_final `(robots, samples, latent)`.
    """
    packed = pack(params, backend) if isinstance(params, RolloutParams) else params
    return packed.rollout(z0, actions, goal, context)


@torch.no_grad()
def plan(
    params: RolloutParams | PackedParams,
    z0: Tensor,
    goal: Tensor,
    context: Tensor,
    proposals: Tensor | None,
    state: PlanState,
    config: PlanConfig,
    seed: int | Seeds,
    deadline_ms: float | None = None,
    *,
    noise: PlanNoise | None = None,
    backend: Backend = "auto",
) -> PlanResult:
    """Searches for the action sequence with the highest return.

    Each iteration samples around the mean, adds the policy's and the caller's proposals, rolls all out, and refits mean
    and spread to the elites, weighted by a softmax of their scores. The first mean is the last plan, shifted by a step.
    A plan is a pure function of its arguments unless the deadline cuts it short.

    Args:
        params: the networks, or what `pack` made of them, which saves packing them for each plan.
        z0: `(robots, latent)`.
        goal: `(robots, goal)`.
        context: `(robots, context)`.
        proposals: `(robots, k, horizon, action_dim)` sequences from memory, skills or demonstrations, or None.
        state: from the last plan, or `PlanState.initial`.
        config: see `PlanConfig`.
        seed: of all noise; `Seeds` for each robot's own, so that its plan does not depend on the others.
        deadline_ms: read between two iterations; at least one is always done.
        noise: in place of the seed's, to compare back ends plan by plan.
        backend: where `params` are not packed yet; see `pack`.

    Returns:
        `PlanResult`. A trajectory with a non-finite return never wins; where all are, the status says so.
    """
    packed = pack(params, backend) if isinstance(params, RolloutParams) else params
    return packed.plan(z0, goal, context, proposals, state, config, seed, deadline_ms, noise)
