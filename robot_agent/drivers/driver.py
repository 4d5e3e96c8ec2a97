"""The driver of gymnasium environments: one, or several side by side, keyed by agent id."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robot_agent.agent import AgentState
from robot_agent.drivers.returns import (
    REPORTED,
    copied,
    flag_of,
    info_of,
    one_number,
    returned_by,
    reward_of,
    success_of,
)
from robot_agent.loop import Loop
from robot_agent.types import AgentId, Observation, Source, Transition

MOST_TIMES = 10_000
"""Decisions of an episode whose times are kept: one that never ends must not fill the memory."""


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
        decision_ms: time that each decision took, of the newest `MOST_TIMES`.
        transitions: the newest of this episode, as many as the driver was asked to keep.
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
        return success_of(self.last_info)


def episode_seed(seed: int, agent: AgentId, episode: int) -> int:
    """The seed of an episode's reset: depends on nothing that happened before, so a resumed run continues the same."""
    digest = hashlib.sha256(f"{seed}/{agent}/{episode}".encode()).digest()
    return int.from_bytes(digest[:4], "little") >> 1


class Driver:
    """Steps each body with the actions of the loop, tells listeners, and begins the next episode.

    Args:
        loop: decides for all bodies at once.
        bodies: agent id to environment, all of one shape.
        listeners: called after each step and episode, in order.
        seed: of the episodes' resets.
        first_episode: number of the next episode of each agent (a resumed run continues the count).
        keep_transitions: how many of an episode, the newest, to hand to `on_episode`; their `info` is what `REPORTED`
            names.
        longest_episode: decisions after which an episode is cut off (truncated); None for no limit.

    Attributes:
        cut_off: episodes that ended for that reason.
    """

    def __init__(
        self,
        loop: Loop,
        bodies: Mapping[AgentId, Any],
        listeners: Sequence[Listener] = (),
        seed: int = 0,
        first_episode: int = 0,
        keep_transitions: int = 0,
        longest_episode: int | None = None,
    ) -> None:
        self.loop = loop
        self.bodies = dict(bodies)
        self.listeners = list(listeners)
        self.seed = seed
        self.keep_transitions = keep_transitions
        self.longest_episode = longest_episode
        self.decisions = 0
        self.episodes = 0
        self.cut_off = 0
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
            returned = returned_by("step", body.step(actions[agent].copy()), 5)
            ended = self._lived(row, agent, actions[agent], *returned)
            if ended:
                self._begin(agent, self._summaries[agent].episode + 1)
        self.decisions += len(self.bodies)

    def running(self, agent: AgentId) -> EpisodeSummary:
        """The episode of an agent that has not ended yet."""
        return self._summaries[agent]

    def _begin_life(self, first_episode: int) -> None:
        for agent in self.bodies:
            self._begin(agent, first_episode)

    def _begin(self, agent: AgentId, episode: int) -> None:
        returned = self.bodies[agent].reset(seed=episode_seed(self.seed, agent, episode))
        self._begun(agent, episode, returned_by("reset", returned, 2)[0])

    def _begun(self, agent: AgentId, episode: int, observation: Observation) -> None:
        self._observations[agent] = copied(observation)
        self._state = self.loop.agent.begin_episode(self._state, agent, episode)
        self._summaries[agent] = EpisodeSummary(agent, episode)

    def _lived(
        self,
        row: int,
        agent: AgentId,
        action: NDArray[np.float32],
        returned_observation: Any,
        returned_reward: Any,
        returned_terminated: Any,
        returned_truncated: Any,
        returned_info: Any,
    ) -> bool:
        """Tells the listeners what came of an action; returns whether the episode is over."""
        observation, info = copied(returned_observation), info_of(returned_info)
        terminated, truncated = flag_of("terminated", returned_terminated), flag_of("truncated", returned_truncated)
        summary = self._summaries[agent]
        if not (terminated or truncated) and summary.length + 1 == self.longest_episode:
            truncated = True
            self.cut_off += 1
        ended = terminated or truncated
        decision = self._state.decision
        transition = Transition(
            observation=self._observations[agent],
            action=action,
            reward=reward_of(returned_reward),
            terminated=terminated,
            truncated=truncated,
            episode=summary.episode,
            step=summary.length,
            final_observation=observation if ended else None,
            stamp=time.time(),
            dt=self._duration(info),
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
        _keep(summary.decision_ms, decision.milliseconds if decision else 0.0, MOST_TIMES)
        if self.keep_transitions:
            reported = {name: info[name] for name in REPORTED if name in info}
            _keep(summary.transitions, replace(transition, info=reported), self.keep_transitions)
        for listener in self.listeners:
            listener.on_step(transition, self._state)
        if ended:
            self.episodes += 1
            for listener in self.listeners:
                listener.on_episode(summary)
        return ended

    def _duration(self, info: Mapping[str, Any]) -> float:
        """Seconds of a decision: one within which an episode ended lasted the frames that `info` says."""
        spec = self.loop.agent.spec
        frames = one_number(info.get("frames"))
        if frames is None or not 1 <= frames <= spec.frames_per_step:
            return spec.control_dt
        return spec.control_dt * frames / spec.frames_per_step


def _keep(newest: list[Any], item: Any, most: int) -> None:
    """Appends, and lets the oldest go beyond `most`."""
    newest.append(item)
    if len(newest) > most:
        del newest[0]
