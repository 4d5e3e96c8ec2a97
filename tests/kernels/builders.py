"""Random rollout parameters for tests."""

from __future__ import annotations

import itertools
from dataclasses import replace

import torch
from robot_agent_kernels import MLPParams, RolloutParams
from robot_agent_kernels.activation.reference import Activation
from robot_agent_kernels.latent import LatentSpace, QuantisedLatent, SimNormLatent


def mlp_params(
    widths: tuple[int, ...],
    ensemble: int,
    generator: torch.Generator,
    dtype: torch.dtype = torch.float64,
    activation: Activation = "relu",
) -> MLPParams:
    """Weights of the scale that training starts from."""
    pairs = list(itertools.pairwise(widths))
    return MLPParams(
        tuple(torch.randn(ensemble, a, b, generator=generator, dtype=dtype) / a**0.5 for a, b in pairs),
        tuple(0.1 * torch.randn(ensemble, 1, b, generator=generator, dtype=dtype) for _, b in pairs),
        activation,
    )


def rollout_params(
    latent: int = 8,
    action: int = 2,
    goal: int = 3,
    context: int = 1,
    hidden: int = 16,
    depth: int = 1,
    heads: int = 2,
    values: int = 3,
    bins: int = 11,
    termination: bool = False,
    quantised: bool = False,
    activation: Activation = "relu",
    seed: int = 0,
    dtype: torch.dtype = torch.float64,
) -> RolloutParams:
    """Small random networks."""
    g = torch.Generator().manual_seed(seed)
    space: LatentSpace = QuantisedLatent(latent, (5, 3)) if quantised else SimNormLatent(latent, latent // 4)

    def network(inputs: int, outputs: int, ensemble: int = 1) -> MLPParams:
        return mlp_params((inputs, *[hidden] * depth, outputs), ensemble, g, dtype, activation)

    return RolloutParams(
        dynamics=network(latent + action + context, space.prediction_width, heads),
        reward=network(latent + action + goal, bins),
        value=network(latent + action + goal, bins, values),
        policy=network(latent + goal, 2 * action),
        termination=network(latent, 1) if termination else None,
        bins=torch.linspace(-3, 3, bins, dtype=dtype),
        latent=space,
        discount=0.9,
    )


def as_dtype(params: RolloutParams, dtype: torch.dtype, device: str = "cpu") -> RolloutParams:
    """A copy in another precision, or elsewhere."""

    def converted(network: MLPParams) -> MLPParams:
        return replace(
            network,
            weights=tuple(weight.to(device, dtype, copy=True) for weight in network.weights),
            biases=tuple(bias.to(device, dtype, copy=True) for bias in network.biases),
        )

    networks = {name: converted(getattr(params, name)) for name in ("dynamics", "reward", "value", "policy")}
    termination = None if params.termination is None else converted(params.termination)
    return replace(params, **networks, termination=termination, bins=params.bins.to(device, dtype))
