"""The driver of gymnasium environments: one, or several side by side, keyed by agent id."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, SupportsFloat

import numpy as np
from numpy.typing import NDArray

from robot_agent.agent import AgentState
from robot_agent.loop import Loop
from robot_agent.types import AgentId, Observation, Source, Transition


class Listener:
    """What wants to know of a life; every method may be left as it is."""

    def on_step(self, transition: Transition, state: AgentState) -> None:
        """After each step of each body."""

    def on_episode(self, summary: EpisodeSummary) -> None:
        """After the last step of an episode."""


@dataclass
class EpisodeSummary:
    """What an episode came to.

    Attributes:
        agent: whose episode.
        episode: its number.
        episode_return: sum of the rewards that are known and finite.
        length: decisions.
        decision_ms: time that each decision took.
        transitions: of this episode, only where the driver was asked to keep them.
        last_info: what the body said beside its last step.
    """

    agent: AgentId
    episode: int
    episode_return: float = 0.0
    length: int = 0
    decision_ms: list[float] = field(default_factory=list)
    transitions: list[Transition] = field(default_factory=list)
    last_info: Mapping[str, Any] = field(default_factory=dict)

    @property
    def success(self) -> bool | None:
        """Whether the task was done when the episode ended; None where the body does not say."""
        told = self.last_info.get("success", self.last_info.get("is_success"))
        return None if told is None else bool(told)


def episode_seed(seed: int, agent: AgentId, episode: int) -> int:
    """The seed of an episode's reset: depends on nothing that happened before, so a resumed life goes on the same."""
    digest = hashlib.sha256(f"{seed}/{agent}/{episode}".encode()).digest()
    return int.from_bytes(digest[:4], "little") >> 1


class Driver:
    """Steps each body with the actions of the loop, tells listeners, and begins the next episode.

    Args:
        loop: decides for all bodies at once.
        bodies: agent id to environment, all of one shape.
        listeners: told of each step and episode, in order.
        seed: of the episodes' resets.
        first_episode: number of the next episode of each agent (a resumed life goes on counting).
        keep_transitions: hand the whole episode to `on_episode`.
    """

    def __init__(
        self,
        loop: Loop,
        bodies: Mapping[AgentId, Any],
        listeners: Sequence[Listener] = (),
        seed: int = 0,
        first_episode: int = 0,
        keep_transitions: bool = False,
    ) -> None:
        self.loop = loop
        self.bodies = dict(bodies)
        self.listeners = list(listeners)
        self.seed = seed
        self.keep_transitions = keep_transitions
        self.decisions = 0
        self.episodes = 0
        self._state = loop.agent.initial_state(tuple(self.bodies))
        self._observations: dict[AgentId, Observation] = {}
        self._summaries: dict[AgentId, EpisodeSummary] = {}
        self._begin_life(first_episode)

    def run(self, until: Callable[[Driver], bool]) -> None:
        """Lives on until `until` says so; it is asked before each step."""
        while not until(self):
            self.step()

    def step(self) -> None:
        """One decision of each body."""
        actions, self._state = self.loop.step(self._observations, self._state)
        for row, (agent, body) in enumerate(self.bodies.items()):
            ended = self._lived(row, agent, actions[agent], *body.step(actions[agent]))
            if ended:
                self._begin(agent, self._summaries[agent].episode + 1)
        self.decisions += len(self.bodies)

    def _begin_life(self, first_episode: int) -> None:
        for agent in self.bodies:
            self._begin(agent, first_episode)

    def _begin(self, agent: AgentId, episode: int) -> None:
        observation, _ = self.bodies[agent].reset(seed=episode_seed(self.seed, agent, episode))
        self._begun(agent, episode, observation)

    def _begun(self, agent: AgentId, episode: int, observation: Observation) -> None:
        self._observations[agent] = observation
        self._state = self.loop.agent.begin_episode(self._state, agent, episode)
        self._summaries[agent] = EpisodeSummary(agent, episode)

    def _lived(
        self,
        row: int,
        agent: AgentId,
        action: NDArray[np.float32],
        observation: Observation,
        reward: SupportsFloat | None,
        terminated: bool,
        truncated: bool,
        info: Mapping[str, Any],
    ) -> bool:
        """Tells the listeners what came of an action; returns whether the episode is over."""
        summary = self._summaries[agent]
        ended = bool(terminated or truncated)
        decision = self._state.decision
        transition = Transition(
            observation=self._observations[agent],
            action=action,
            reward=None if reward is None else float(reward),
            terminated=bool(terminated),
            truncated=bool(truncated),
            episode=summary.episode,
            step=summary.length,
            final_observation=observation if ended else None,
            stamp=time.time(),
            dt=self.loop.agent.spec.control_dt,
            body_id=agent,
            agent_id=agent,
            source=decision.source[row] if decision else Source.PLAN,
            weights_version=self.loop.agent.weights_version,
            info=info,
        )
        self._observations[agent] = observation
        summary.length += 1
        if transition.reward is not None and math.isfinite(transition.reward):
            summary.episode_return += transition.reward
        summary.last_info = info
        summary.decision_ms.append(decision.milliseconds if decision else 0.0)
        if self.keep_transitions:
            summary.transitions.append(transition)
        for listener in self.listeners:
            listener.on_step(transition, self._state)
        if ended:
            self.episodes += 1
            for listener in self.listeners:
                listener.on_episode(summary)
        return ended
