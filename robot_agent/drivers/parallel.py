"""The driver of a world that several agents share, as PettingZoo's `ParallelEnv` has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from robot_agent.drivers.driver import Driver, Listener, episode_seed
from robot_agent.loop import Loop
from robot_agent.types import AgentId, Observation


class ParallelWorld(Protocol):
    """What is asked of a PettingZoo `ParallelEnv`."""

    possible_agents: list[AgentId]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[AgentId, Observation], dict[AgentId, dict[str, Any]]]:
        """Starts an episode of all agents."""

    def step(
        self, actions: Mapping[AgentId, NDArray[np.float32]]
    ) -> tuple[
        dict[AgentId, Observation],
        dict[AgentId, float],
        dict[AgentId, bool],
        dict[AgentId, bool],
        dict[AgentId, dict[str, Any]],
    ]:
        """One control step of all agents."""


class ParallelDriver(Driver):
    """Steps all agents of one world at once; their episodes begin and end together, as soon as one of them ends.

    One mind acts for all, each in its own place of the `AgentState`, so what one of them sees teaches them all.

    Args:
        loop: decides for all.
        world: in which each of `possible_agents` lives from the start of an episode to its end.
        listeners, seed, first_episode, keep_transitions, longest_episode: see `Driver`.
    """

    def __init__(
        self,
        loop: Loop,
        world: ParallelWorld,
        listeners: Sequence[Listener] = (),
        seed: int = 0,
        first_episode: int = 0,
        keep_transitions: int = 0,
        longest_episode: int | None = None,
    ) -> None:
        self.world = world
        agents = dict.fromkeys(world.possible_agents, world)
        super().__init__(loop, agents, listeners, seed, first_episode, keep_transitions, longest_episode)

    def step(self) -> None:
        """One decision of each agent."""
        actions, self._state = self.loop.step(self._observations, self._state)
        given = {agent: action.copy() for agent, action in actions.items()}
        observations, rewards, terminated, truncated, infos = self.world.step(given)
        over = any(terminated.values()) or any(truncated.values())
        for row, agent in enumerate(self.bodies):
            # An agent that is alive when another one's end ends the episode is truncated, not terminated.
            cut = bool(truncated[agent]) or (over and not terminated[agent])
            after = (observations[agent], rewards[agent], terminated[agent], cut, infos[agent])
            over |= self._lived(row, agent, actions[agent], *after)
        self.decisions += len(self.bodies)
        if over:
            self._begin_life(self._summaries[next(iter(self.bodies))].episode + 1)

    def _begin_life(self, first_episode: int) -> None:
        observations, _ = self.world.reset(seed=episode_seed(self.seed, "world", first_episode))
        for agent in self.bodies:
            self._begun(agent, first_episode, observations[agent])
