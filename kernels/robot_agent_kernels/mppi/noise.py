"""All the randomness of a plan, drawn before it begins: with it given, a plan is a function without chance."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from robot_agent_kernels.mppi.types import PlanConfig


@dataclass(frozen=True)
class Seeds:
    """Where the randomness of a plan comes from: a robot's plan is the same whichever robots are planned for with it.

    Attributes:
        robots: of each robot's own draws.
        members: of the Q functions, which all robots share; None draws them with the first robot's seed.
    """

    robots: tuple[int, ...]
    members: int | None = None

    @classmethod
    def of(cls, seed: int | Seeds, robots: int) -> Seeds:
        """One number stands for as many robots as there are, each with draws of its own."""
        if isinstance(seed, Seeds):
            return seed
        return cls(tuple((seed + robot * _APART) % 2**63 for robot in range(robots)))


_APART = 0x9E3779B97F4A7C15
"""The golden ratio in 64 bits: neighbouring seeds of calls and of robots do not meet."""


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
        seed: int | Seeds,
        device: torch.device | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> PlanNoise:
        """All noise of a plan from its seeds."""
        seeds = Seeds.of(seed, robots)
        place = device or torch.device("cpu")
        generators = [torch.Generator(device=place).manual_seed(own) for own in seeds.robots]
        drawn = [cls._of_robot(config, action_dim, proposals, generator, dtype) for generator in generators]
        samples, policy, elite, action = (
            parts[0] if robots == 1 else torch.cat(parts, dim=int(index == 0))
            for index, parts in enumerate(zip(*drawn, strict=True))
        )
        if value_ensemble <= config.value_members:
            return cls(samples, policy, elite, action, torch.arange(value_ensemble, device=device))
        generator = generators[0] if seeds.members is None else torch.Generator(device=place).manual_seed(seeds.members)
        members = torch.randperm(value_ensemble, generator=generator, device=device)[: config.value_members]
        return cls(samples, policy, elite, action, members)

    @staticmethod
    def _of_robot(
        config: PlanConfig, action_dim: int, proposals: int, generator: torch.Generator, dtype: torch.dtype
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """`samples`, `policy`, `elite` and `action` of one robot."""
        device = generator.device
        sizes = (
            (config.iterations, 1, config.samples, config.horizon, action_dim),
            (1, config.policy_samples, config.horizon, action_dim),
            (1, action_dim),
        )
        white = torch.randn(
            sum(math.prod(size) for size in sizes), generator=generator, device=device, dtype=dtype
        )  # at once: a call for each would cost more than the numbers
        samples, policy, action = (
            part.view(size) for part, size in zip(white.split([math.prod(s) for s in sizes]), sizes, strict=True)
        )
        policy[:, :1] = 0
        candidates = config.samples + config.policy_samples + proposals
        uniform = torch.rand(1, candidates, generator=generator, device=device, dtype=dtype)
        gumbel = -torch.log(-torch.log(uniform.clamp(1e-20, 1 - 1e-7)))
        return samples, policy, gumbel, action


def correlated(noise: Tensor, correlation: float) -> Tensor:
    """Turns white noise `(..., horizon, action_dim)` into AR(1) noise of the same variance."""
    if correlation == 0.0:
        return noise
    steps = [noise[..., 0, :]]
    for step in range(1, noise.shape[-2]):
        steps.append(correlation * steps[-1] + math.sqrt(1 - correlation**2) * noise[..., step, :])
    return torch.stack(steps, dim=-2)
