"""Random rollout parameters for tests."""

from __future__ import annotations

import itertools

import torch
from robot_agent_kernels import MLPParams, RolloutParams
from robot_agent_kernels.latent import LatentSpace, QuantisedLatent, SimNormLatent


def mlp_params(widths: tuple[int, ...], ensemble: int, generator: torch.Generator, dtype=torch.float64) -> MLPParams:
    """Weights of the scale that training starts from."""
    pairs = list(itertools.pairwise(widths))
    return MLPParams(
        tuple(torch.randn(ensemble, a, b, generator=generator, dtype=dtype) / a**0.5 for a, b in pairs),
        tuple(0.1 * torch.randn(ensemble, 1, b, generator=generator, dtype=dtype) for _, b in pairs),
    )


def rollout_params(
    latent: int = 8,
    action: int = 2,
    goal: int = 3,
    context: int = 1,
    hidden: int = 16,
    heads: int = 2,
    values: int = 3,
    bins: int = 11,
    termination: bool = False,
    quantised: bool = False,
    seed: int = 0,
    dtype: torch.dtype = torch.float64,
) -> RolloutParams:
    """Small random networks."""
    g = torch.Generator().manual_seed(seed)
    space: LatentSpace = QuantisedLatent(latent, (5, 3)) if quantised else SimNormLatent(latent, latent // 4)
    return RolloutParams(
        dynamics=mlp_params((latent + action + context, hidden, space.prediction_width), heads, g, dtype),
        reward=mlp_params((latent + action + goal, hidden, bins), 1, g, dtype),
        value=mlp_params((latent + action + goal, hidden, bins), values, g, dtype),
        policy=mlp_params((latent + goal, hidden, 2 * action), 1, g, dtype),
        termination=mlp_params((latent, hidden, 1), 1, g, dtype) if termination else None,
        bins=torch.linspace(-3, 3, bins, dtype=dtype),
        latent=space,
        discount=0.9,
    )
