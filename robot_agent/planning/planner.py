"""The planner: turns the mind, the goal and the last plan into what MPPI in the rollout core takes."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from robot_agent_kernels import Backend, BuildError, PlanConfig, PlanResult, PlanState, Precision, Seeds, pack, plan
from torch import Tensor

from robot_agent.errors import RobotAgentError
from robot_agent.mind import Mind


@dataclass(frozen=True)
class PlannerConfig:
    """How the agent decides.

    Attributes:
        search: samples, iterations, horizon, elites, temperature and noise of MPPI.
        deadline_ms: when it runs out between two iterations, the best plan so far is used; None for no deadline.
        backend: of the rollout core; auto takes the fastest that this machine has.
        precision: of the products; None for float32 on a CPU and bfloat16 on a GPU. float16 is faster on Intel CPUs
            since 2023.
    """

    search: PlanConfig = field(default_factory=PlanConfig)
    deadline_ms: float | None = None
    backend: Backend = "auto"
    precision: Precision | None = None


class Planner:
    """Plans for several robots at once; holds no state of an episode.

    Args:
        config: how hard to search, and with what.
        mind: world model, heads and policy; the planner packs their weights and does not see later changes until
            `refresh`.

    Raises:
        RobotAgentError: the back end that was asked for cannot be had here.
    """

    def __init__(self, config: PlannerConfig, mind: Mind) -> None:
        self.config = config
        self.mind = mind
        try:
            self.packed = pack(mind.rollout_params(), config.backend, config.precision)
        except (BuildError, ValueError) as error:
            raise RobotAgentError(f"the planner cannot search with back end {config.backend}: {error}") from error

    @property
    def backend(self) -> str:
        """Of the rollout core, as it was found."""
        return self.packed.name

    def refresh(self) -> None:
        """Takes the mind's weights as they are now; call it between two plans."""
        self.packed.refresh(self.mind.rollout_params())

    def initial_state(self, robots: int, action_dim: int, device: torch.device | None = None) -> PlanState:
        """No plan yet, for each robot."""
        return PlanState.initial(robots, self.config.search.horizon, action_dim, device)

    def plan(
        self,
        latent: Tensor,
        goal: Tensor,
        context: Tensor,
        state: PlanState,
        seeds: Seeds,
        proposals: Tensor | None = None,
    ) -> PlanResult:
        """A plan for each robot, all in one search.

        Args:
            latent: `(robots, latent_dim)`.
            goal: `(robots, goal_embedding)`.
            context: `(robots, context_dim)`.
            state: what the last plan left.
            seeds: of all noise of each robot's plan.
            proposals: `(robots, k, horizon, action_dim)` further candidates, or None.
        """
        return plan(
            self.packed,
            latent,
            goal,
            context,
            proposals,
            state,
            self.config.search,
            seeds,
            self.config.deadline_ms,
        )
