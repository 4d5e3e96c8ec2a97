"""What is measured of each episode of an evaluation, and episodes lived again to be seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import gymnasium
import numpy as np
from numpy.typing import NDArray

from robot_agent.agent import Agent, AgentState
from robot_agent.drivers.driver import Driver, EpisodeSummary, Listener
from robot_agent.drivers.returns import success_of
from robot_agent.evaluation.evaluate import EVALUATION_SEED, LONGEST_EPISODE
from robot_agent.evaluation.filming import Film
from robot_agent.loop import Loop
from robot_agent.types import Transition

AT_A_LIMIT = 0.99
"""An entry of an action beyond this, of 1, is at its limit."""


@dataclass(frozen=True)
class EpisodeMeasures:
    """One episode.

    Attributes:
        episode_return: sum of its rewards.
        success: whether the task was done when it ended; None where the world does not say.
        seconds_to_success: of the world's time, from the start until the task was done and stayed done; None without.
        seconds: of the world's time that it lasted.
        action_change: mean over entries and decisions of |a_t - a_{t-1}|, 0 to 2.
        action_jerk: root of the mean square of (a_t - 2 a_{t-1} + a_{t-2}) / dt², 1/s²; where an action is a velocity,
            times that velocity it is the jerk of what is commanded.
        limit_use: share of the entries of actions that were at their limit.
        decision_ms: time of each decision.
    """

    episode_return: float
    success: bool | None
    seconds_to_success: float | None
    seconds: float
    action_change: float
    action_jerk: float
    limit_use: float
    decision_ms: list[float]


class _Measurer(Listener):
    def __init__(self, success_return: float | None, on_episode: Callable[[], None] | None) -> None:
        self.success_return = success_return
        self.report = on_episode
        self.measures: list[EpisodeMeasures] = []

    def on_episode(self, summary: EpisodeSummary) -> None:
        self.measures.append(measured(summary, self.success_return))
        if self.report:
            self.report()


def measured(summary: EpisodeSummary, success_return: float | None = None) -> EpisodeMeasures:
    """The measures of an episode whose transitions were all kept.

    Args:
        summary: of the episode.
        success_return: the return from which an episode counts as a success, for worlds that do not say.
    """
    seconds_each = [step.dt for step in summary.transitions]
    dt = max(seconds_each)  # an episode may end within its last decision
    actions = np.stack([step.action for step in summary.transitions]).astype(float)
    done = [bool(success_of(step.info)) for step in summary.transitions]
    success, seconds = summary.success, None
    if success:
        undone = np.flatnonzero(~np.array(done))
        seconds = float(sum(seconds_each[: int(undone[-1]) + 2 if len(undone) else 1]))
    elif success is None and success_return is not None:
        success = summary.episode_return >= success_return
    change, jerk = np.diff(actions, axis=0), np.diff(actions, n=2, axis=0) / dt**2
    return EpisodeMeasures(
        episode_return=summary.episode_return,
        success=success,
        seconds_to_success=seconds,
        seconds=float(sum(seconds_each)),
        action_change=float(np.abs(change).mean()) if change.size else 0.0,
        action_jerk=float(np.sqrt(np.mean(jerk**2))) if jerk.size else 0.0,
        limit_use=float(np.mean(np.abs(actions) > AT_A_LIMIT)),
        decision_ms=list(summary.decision_ms),
    )


def measure_episodes(
    agent: Agent,
    body: gymnasium.Env,
    episodes: int,
    seed: int = 0,
    success_return: float | None = None,
    on_episode: Callable[[], None] | None = None,
) -> list[EpisodeMeasures]:
    """Lives episodes with learning off; the same seed begins them alike in every body that draws them alike.

    Args:
        agent: it acts, without exploring.
        body: the world.
        episodes: how many.
        seed: of the episodes; they differ from those of any life.
        success_return: see `measured`.
        on_episode: called after each.
    """
    measurer = _Measurer(success_return, on_episode)
    driver = Driver(
        Loop(agent, explore=False),
        {"agent": body},
        [measurer],
        seed=EVALUATION_SEED + seed,
        keep_transitions=LONGEST_EPISODE,
        longest_episode=LONGEST_EPISODE,
    )
    driver.run(lambda life: life.episodes >= episodes)
    return measurer.measures


class _Camera(Listener):
    def __init__(self, body: gymnasium.Env) -> None:
        self.film = Film(body)

    def on_step(self, transition: Transition, state: AgentState) -> None:
        self.film.take()


def film(agent: Agent, body: gymnasium.Env, episode: int, seed: int = 0) -> NDArray[np.uint8]:
    """The frames (decisions, height, width, 3) of an episode of `measure_episodes`, lived again, or of its beginning.

    Everything follows from the seed and the episode's number, so it is the same episode, in a simulator.
    """
    camera = _Camera(body)
    driver = Driver(
        Loop(agent, explore=False), {"agent": body}, [camera], seed=EVALUATION_SEED + seed, first_episode=episode
    )
    driver.run(lambda life: life.episodes >= 1 or camera.film.is_full)
    return camera.film.frames()


def worst_episodes(measures: Sequence[EpisodeMeasures], most: int) -> list[int]:
    """Numbers of the episodes that failed, the lowest return first; of all where there is no success."""
    failed = [number for number, one in enumerate(measures) if not one.success]
    return sorted(failed, key=lambda number: measures[number].episode_return)[:most]
