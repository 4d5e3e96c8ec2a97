"""All the randomness of a plan, drawn before it begins: with it given, a plan is a function without chance."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from robot_agent_kernels.mppi.types import PlanConfig


@dataclass(frozen=True)
class PlanNoise:
    """The draws of one plan.

    Attributes:
        samples: `(iterations, robots, samples, horizon, action_dim)` white, of the sampled sequences.
        policy: `(robots, policy_samples, horizon, action_dim)` white, of the policy's own; the first is all zero, so
            that one sequence is the policy's most likely one.
        elite: `(robots, candidates)` Gumbel noise that draws the elite whose first action is taken.
        action: `(robots, action_dim)` white, added to that action.
        members: `(k,)` int64, the Q functions that close the returns.
    """

    samples: Tensor
    policy: Tensor
    elite: Tensor
    action: Tensor
    members: Tensor

    @classmethod
    def draw(
        cls,
        config: PlanConfig,
        robots: int,
        action_dim: int,
        proposals: int,
        value_ensemble: int,
        seed: int,
        device: torch.device | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> PlanNoise:
        """All noise of a plan from its seed."""
        generator = torch.Generator(device=device or "cpu").manual_seed(seed)
        sizes = (
            (config.iterations, robots, config.samples, config.horizon, action_dim),
            (robots, config.policy_samples, config.horizon, action_dim),
            (robots, action_dim),
        )
        white = torch.randn(
            sum(math.prod(size) for size in sizes), generator=generator, device=device, dtype=dtype
        )  # at once: a call for each would cost more than the numbers
        samples, policy, action = (
            part.view(size) for part, size in zip(white.split([math.prod(s) for s in sizes]), sizes, strict=True)
        )
        policy[:, :1] = 0
        candidates = config.samples + config.policy_samples + proposals
        uniform = torch.rand(robots, candidates, generator=generator, device=device, dtype=dtype)
        gumbel = -torch.log(-torch.log(uniform.clamp(1e-20, 1 - 1e-7)))
        if value_ensemble > config.value_members:
            members = torch.randperm(value_ensemble, generator=generator, device=device)[: config.value_members]
        else:
            members = torch.arange(value_ensemble, device=device)
        return cls(samples, policy, gumbel, action, members)


def correlated(noise: Tensor, correlation: float) -> Tensor:
    """Turns white noise `(..., horizon, action_dim)` into AR(1) noise of the same variance."""
    if correlation == 0.0:
        return noise
    steps = [noise[..., 0, :]]
    for step in range(1, noise.shape[-2]):
        steps.append(correlation * steps[-1] + math.sqrt(1 - correlation**2) * noise[..., step, :])
    return torch.stack(steps, dim=-2)
