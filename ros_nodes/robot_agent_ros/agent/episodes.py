"""An endless life in episodes: each decision with what came of it.

An episode is cut (truncated, never terminated) where its time is up, where the goal changes, and where the agent held:
what it does not command it does not learn from.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robot_agent.agent import Decision
from robot_agent.drivers.driver import EpisodeSummary
from robot_agent.types import Observation, Source, Transition

RewardOf = Callable[[Observation, float, float], float | None]


@dataclass(frozen=True)
class _Pending:
    """A decision of which nobody knows yet what came."""

    observation: Observation
    action: NDArray[np.float32]
    stamp: float
    source: Source
    weights_version: int
    milliseconds: float


@dataclass
class Outcome:
    """What an observation completed: at most one transition, and at most one episode."""

    transition: Transition | None = None
    episode: EpisodeSummary | None = None


class Episodes:
    """Makes transitions of decisions and observations.

    Args:
        reward_of: of an observation, and the s since and until which its step lasted.
        control_dt: s between two decisions.
        seconds: an episode is cut (truncated, not terminated) after so long.
        first: number of the first episode.
    """

    def __init__(self, reward_of: RewardOf, control_dt: float, seconds: float, first: int = 0) -> None:
        self._reward_of = reward_of
        self._dt = control_dt
        self._longest = max(2, round(seconds / control_dt))
        self._pending: _Pending | None = None
        self._summary: EpisodeSummary | None = None
        self._goal: NDArray[Any] | None = None
        self.next = first

    @property
    def number(self) -> int:
        """Of the episode that goes on now."""
        return self._summary.episode if self._summary else self.next

    def observed(self, observation: Observation, stamp: float) -> tuple[Outcome, bool]:
        """What an observation completes, and whether an episode begins with it."""
        goal = observation.get("desired_goal")
        outcome = Outcome()
        if self._pending is not None and self._summary is not None:
            before = self._goal
            changed = goal is not None and before is not None and not np.array_equal(goal, before)
            full = self._summary.length + 1 >= self._longest
            # What this step achieved is judged by the goal it was done for.
            seen = {**observation, "desired_goal": before} if changed and before is not None else observation
            outcome.transition = self._completed(self._pending, seen, stamp, cut=changed or full)
            self._pending = None
            if changed or full:
                outcome.episode, self._summary = self._summary, None
        begins = self._summary is None
        if begins:
            self._summary = EpisodeSummary("agent", self.next)
            self.next += 1
        self._goal = goal
        return outcome, begins

    def decided(
        self, observation: Observation, action: NDArray[np.float32], stamp: float, decision: Decision, version: int
    ) -> None:
        """The decision on the observation that came last, and that it was sent."""
        self._pending = _Pending(observation, action, stamp, decision.source[0], version, decision.milliseconds)

    def interrupted(self) -> EpisodeSummary | None:
        """Nothing is known of what comes now: the decision before is forgotten and its episode is over."""
        summary, self._summary, self._pending = self._summary, None, None
        return summary if summary is not None and summary.length else None

    def _completed(self, pending: _Pending, seen: Observation, stamp: float, cut: bool) -> Transition:
        assert self._summary is not None
        summary = self._summary
        reward = self._reward_of(seen, pending.stamp, stamp)
        transition = Transition(
            observation=pending.observation,
            action=pending.action,
            reward=reward,
            terminated=False,
            truncated=cut,
            episode=summary.episode,
            step=summary.length,
            final_observation=seen if cut else None,
            stamp=pending.stamp,
            dt=self._dt,
            source=pending.source,
            weights_version=pending.weights_version,
        )
        summary.length += 1
        summary.decision_ms.append(pending.milliseconds)
        if reward is not None and math.isfinite(reward):
            summary.episode_return += reward
        return transition
