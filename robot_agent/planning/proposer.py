"""Where candidates of a search come from besides the policy and chance: memory, skills, demonstrations."""

from __future__ import annotations

from typing import Protocol

from robot_agent_kernels import PlanState
from torch import Tensor


class Proposer(Protocol):
    """Proposes action sequences, which the search rolls out beside its own.

    Attributes:
        name: under which its share of the elites is recorded; not policy or samples.
        count: sequences a robot; always as many, so that plans keep their shape.
    """

    name: str
    count: int

    def propose(self, latent: Tensor, goal: Tensor, context: Tensor, state: PlanState) -> Tensor:
        """Action sequences in [-1, 1], `(robots, count, horizon, action_dim)`.

        Args:
            latent: `(robots, latent_dim)`.
            goal: `(robots, goal_embedding)`.
            context: `(robots, context_dim)`.
            state: the last plan, not yet shifted.
        """
