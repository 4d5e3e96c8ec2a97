"""What a plan is asked for, what it leaves, and what it finds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import torch
from torch import Tensor


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
        carry_spread: the first iteration's spread as a multiple of the last plan's, shifted like its mean and at most
            `max_std`; None starts at `max_std` every time.
        settled_std: ends the search when the spread of all robots' first action is at most this; 0 never does. It
            reads a number back from the device after each iteration.
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
    carry_spread: float | None = None
    settled_std: float = 0.0
    noise_correlation: float = 0.0
    uncertainty_coefficient: float = 0.0
    value_members: int = 2


@dataclass(frozen=True)
class PlanState:
    """What one plan leaves to the next.

    Attributes:
        mean: `(robots, horizon, action_dim)` of the last plan, not yet shifted.
        std: `(robots, horizon, action_dim)` likewise.
        fresh: `(robots,)` bool, True where there is no last plan (an episode begins).
    """

    mean: Tensor
    std: Tensor
    fresh: Tensor

    @classmethod
    def initial(cls, robots: int, horizon: int, action_dim: int, device: torch.device | None = None) -> PlanState:
        mean = torch.zeros(robots, horizon, action_dim, device=device)
        return cls(mean, torch.ones_like(mean), torch.ones(robots, dtype=torch.bool, device=device))


@dataclass(frozen=True)
class PlanResult:
    """A plan for each robot.

    Attributes:
        action: `(robots, action_dim)` the first action of a sequence drawn among the elites, plus noise; explores.
        mean: `(robots, horizon, action_dim)`; `mean[:, 0]` is the action that does not explore.
        std: `(robots, horizon, action_dim)`.
        value: `(robots,)` the elites' mean return.
        uncertainty: `(robots,)` of the elites.
        weights: `(robots, candidates)` of the last iteration: proposals, the policy's, sampled; 0 but for the elites.
        status: `(robots,)` of `PlanStatus`.
        state: hand it to the next plan.
        iterations: that were done.
    """

    action: Tensor
    mean: Tensor
    std: Tensor
    value: Tensor
    uncertainty: Tensor
    weights: Tensor
    status: Tensor
    state: PlanState
    iterations: int
