"""How long a plan takes, what work it is, and how long that work must take at least on this machine."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from robot_agent_kernels.latent import SimNormLatent
from robot_agent_kernels.mppi.types import PlanConfig
from robot_agent_kernels.params import MLPParams, RolloutParams
from robot_agent_kernels.rollout.native import BuildError, Precision, library


@dataclass(frozen=True)
class Timing:
    """Milliseconds of one call."""

    p50: float
    p99: float


def interleaved(calls: Mapping[str, Callable[[], object]], plans: int, warm_up: int = 10) -> dict[str, Timing]:
    """Times several calls turn by turn, so that what else the machine does meets all alike.

    Args:
        calls: by name; on a GPU each must wait for its own end.
        plans: calls of each that count.
        warm_up: calls of each before.
    """
    for call in calls.values():
        for _ in range(warm_up):
            call()
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    block = 10  # several in a row: a control loop's caches hold its own planner's weights
    for _ in range(-(-plans // block)):
        for name, call in calls.items():
            call()
            for _ in range(block):
                start = time.perf_counter()
                call()
                seconds[name].append(time.perf_counter() - start)
    return {
        name: Timing(*(float(q) for q in np.percentile(np.array(values) * 1e3, [50, 99])))
        for name, values in seconds.items()
    }


def plan_flops(params: RolloutParams, config: PlanConfig, proposals: int = 0) -> float:
    """Floating-point operations of the products of one robot's plan, without those that need not be done.

    Left out: Q functions that are not drawn, the part of a first layer that all trajectories of a robot share, and the
    returns of trajectories that have not changed since the last iteration.
    """
    latent = params.latent.width

    def products(network: MLPParams, shared_latent: bool = False) -> float:
        sizes = [weight.shape[1] * weight.shape[2] for weight in network.weights]
        first = network.weights[0]
        read = first.shape[1] - _shared_inputs(network, params) - (latent if shared_latent else 0)
        return 2.0 * (read * first.shape[2] + sum(sizes[1:]))

    heads, drawn = params.dynamics.ensemble, min(params.value.ensemble, config.value_members)
    step = heads * products(params.dynamics) + products(params.reward)
    first_step = heads * products(params.dynamics, True) + products(params.reward, True)
    end = products(params.policy) + drawn * products(params.value)
    ends = 0.0 if params.termination is None else config.horizon * products(params.termination)
    trajectory = first_step + (config.horizon - 1) * step + end + ends
    policy = config.horizon * products(params.policy) + (config.horizon - 1) * heads * products(params.dynamics)
    rolled = config.iterations * config.samples + config.policy_samples + proposals
    return rolled * trajectory + config.policy_samples * policy


def _shared_inputs(network: MLPParams, params: RolloutParams) -> int:
    """Inputs beyond latent and action: a goal or a context."""
    inputs = network.weights[0].shape[1]
    reads_action = network is not params.policy and network is not params.termination
    action_dim = params.policy.weights[-1].shape[2] // 2
    return inputs - params.latent.width - (action_dim if reads_action else 0)


def plan_bytes(params: RolloutParams, config: PlanConfig, operand_bytes: int = 4) -> float:
    """Bytes of one robot's plan that must come from memory at least: the weights, once an iteration."""
    networks = [params.dynamics, params.reward, params.policy]
    networks += [] if params.termination is None else [params.termination]
    drawn = min(params.value.ensemble, config.value_members) / params.value.ensemble
    weights: float = sum(weight.numel() for network in networks for weight in network.weights)
    weights += drawn * sum(weight.numel() for weight in params.value.weights)
    return float(operand_bytes * config.iterations * weights)


def matrix_rate(threads: int = 1, device: str = "cpu", precision: Precision = "float32") -> float:
    """Floating-point operations a second of large products, the best of several; on a CPU also the best library.

    torch's library is not the fastest on every CPU, and a rate that is too low would be a floor that is too high: so
    the products of `rollout.c` are timed as well, on operands that stay in the second-level cache.
    """
    size = 1024 if device == "cpu" else 8192
    a, b = (torch.randn(size, size, device=device).to(getattr(torch, precision)) for _ in range(2))
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:

        def multiply() -> None:
            a @ b
            if device != "cpu":
                torch.cuda.synchronize()

        rate = 2.0 * size**3 / _shortest(multiply)
    finally:
        torch.set_num_threads(before)
    if device == "cpu":
        with contextlib.suppress(BuildError):
            rate = max(rate, threads * _own_matrix_rate(precision))
    return rate


def _own_matrix_rate(precision: Precision) -> float:
    """Of one thread with `rollout.c`'s products."""
    rows, inputs, outputs, times = 120, 128, 256, 50
    dtype = getattr(torch, precision)
    a, b = torch.rand(rows, inputs).to(dtype), torch.rand(outputs, inputs).to(dtype)
    c = torch.zeros(rows, outputs)
    addresses = [tensor.data_ptr() for tensor in (a, b, c)]
    multiply = library(precision).repeat_product
    return 2.0 * times * rows * inputs * outputs / _shortest(lambda: multiply(times, rows, inputs, outputs, *addresses))


def copy_rate(device: str = "cpu") -> float:
    """Bytes a second that one reader gets from memory."""
    source = torch.zeros(2**26, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)

    def copy() -> None:
        target.copy_(source)
        if device != "cpu":
            torch.cuda.synchronize()

    return source.numel() / _shortest(copy)


def _shortest(call: Callable[[], object]) -> float:
    """Seconds of the fastest of some calls."""
    best = float("inf")
    for _ in range(12):
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return best


def published_params(action_dim: int = 6, seed: int = 0, device: str = "cpu") -> RolloutParams:
    """Random weights of TD-MPC2's published size: latent and width 512, Mish, 5 Q functions, 101 bins."""
    g = torch.Generator().manual_seed(seed)
    latent = width = 512

    def network(inputs: int, outputs: int, ensemble: int = 1) -> MLPParams:
        sizes = [(inputs, width), (width, width), (width, outputs)]
        return MLPParams(
            tuple((torch.randn(ensemble, a, b, generator=g) / a**0.5).to(device) for a, b in sizes),
            tuple((0.1 * torch.randn(ensemble, 1, b, generator=g)).to(device) for _, b in sizes),
            "mish",
        )

    return RolloutParams(
        dynamics=network(latent + action_dim, latent),
        reward=network(latent + action_dim, 101),
        value=network(latent + action_dim, 101, 5),
        policy=network(latent, 2 * action_dim),
        termination=None,
        bins=torch.linspace(-10, 10, 101, device=device),
        latent=SimNormLatent(latent, latent // 8),
        discount=0.99,
        log_std_bounds=(-10.0, 2.0),
    )


PUBLISHED = PlanConfig(
    horizon=3, samples=488, policy_samples=24, iterations=6, elites=64, temperature=0.5, max_std=2.0, min_std=0.05
)
"""TD-MPC2's search: 512 samples, 24 of them the policy's."""
