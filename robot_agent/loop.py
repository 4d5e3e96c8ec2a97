"""The one loop that training, evaluation, sim-to-real and a robot share. It neither sleeps nor steps a body."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from robot_agent.agent import Agent, AgentState
from robot_agent.learning.weight_store import WeightStore
from robot_agent.types import AgentId, Observation


class Loop:
    """Swaps new weights in between two control steps, and decides.

    Args:
        agent: it acts.
        weights: where a learner publishes, None for an agent that stays as it is.
        explore: act to learn rather than to score.
    """

    def __init__(self, agent: Agent, weights: WeightStore | None = None, explore: bool = True) -> None:
        self.agent = agent
        self.weights = weights
        self.explore = explore

    def step(
        self, observations: Mapping[AgentId, Observation], state: AgentState
    ) -> tuple[dict[AgentId, NDArray[np.float32]], AgentState]:
        """One control step: an observation in and an action out for each agent of `state` (see `Agent.act`)."""
        self.swap_weights()
        return self.decide(observations, state)

    def swap_weights(self) -> None:
        """Takes the newest weights; a body in a hurry calls this after it has acted, and then `decide` alone."""
        if self.weights is None:
            return
        newer = self.weights.latest(newer_than=self.agent.weights_version)
        if newer is not None:
            version, weights = newer
            self.agent.load_weights(weights, version)

    def decide(
        self, observations: Mapping[AgentId, Observation], state: AgentState
    ) -> tuple[dict[AgentId, NDArray[np.float32]], AgentState]:
        """The same as `step` with the weights as they are."""
        return self.agent.act(observations, state, self.explore)
