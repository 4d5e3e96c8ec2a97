"""What is measured of an episode, from actions and successes that are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from robot_agent.agent import Agent
from robot_agent.drivers.driver import EpisodeSummary
from robot_agent.evaluation.episodes import film, measure_episodes, measured, worst_episodes
from robot_agent.types import BodySpec, Transition
from tests.small import AGENT
from tests.worlds import PointMass


def summary(actions: list[float], told: list[bool | None], returned: float = 1.0) -> EpisodeSummary:
    steps = [
        Transition(
            observation={},
            action=np.array([action, -action], np.float32),
            reward=0.0,
            terminated=False,
            truncated=False,
            episode=0,
            step=index,
            dt=0.1,
            info={} if done is None else {"success": done},
        )
        for index, (action, done) in enumerate(zip(actions, told, strict=True))
    ]
    return EpisodeSummary("agent", 0, returned, len(steps), [1.0] * len(steps), steps, steps[-1].info)


def test_actions_as_worked_by_hand():
    found = measured(summary([0.0, 0.5, 1.0, 1.0], [False] * 4))
    assert found.action_change == pytest.approx((0.5 + 0.5 + 0) / 3)
    assert found.action_jerk == pytest.approx(np.sqrt((0**2 + 0.5**2) / 2) / 0.01)
    assert found.limit_use == pytest.approx(0.5)
    assert found.seconds == pytest.approx(0.4)
    assert measured(summary([0.3] * 5, [False] * 5)).action_jerk == 0


@pytest.mark.parametrize(
    ("told", "success", "seconds"),
    [
        ([False, True, True, True], True, 0.2),
        ([True, False, False, True], True, 0.4),
        ([True, True, True, True], True, 0.1),
        ([True, True, True, False], False, None),
    ],
)
def test_a_success_counts_from_when_it_stays(told: list[bool], success: bool, seconds: float | None):
    found = measured(summary([0.0] * 4, told))
    assert found.success is success
    assert found.seconds_to_success == (None if seconds is None else pytest.approx(seconds))


def test_a_world_that_does_not_say_can_be_given_a_return_to_reach():
    quiet = summary([0.0] * 3, [None] * 3, returned=7.0)
    assert measured(quiet).success is None
    assert measured(quiet, success_return=7.0).success is True
    assert measured(quiet, success_return=7.1).success is False
    assert measured(summary([0.0], [False], 9.0), success_return=1.0).success is False, "the body knows better"


def test_the_worst_failures_come_first():
    returns, told = [5.0, 1.0, 3.0, 0.0], [False, False, True, True]
    measures = [measured(summary([0.0], [done], value)) for value, done in zip(returns, told, strict=True)]
    assert worst_episodes(measures, 5) == [1, 0]
    assert worst_episodes(measures, 1) == [1]


class Watched(PointMass):
    """Keeps the picture after each step, an episode a list."""

    def __init__(self) -> None:
        super().__init__(length=12)
        self.episodes: list[list[np.ndarray]] = []

    def reset(self, **options: Any):
        self.episodes.append([])
        return super().reset(**options)

    def step(self, action: np.ndarray):
        told = super().step(action)
        self.episodes[-1].append(self.render())
        return told


def test_an_episode_is_filmed_as_it_was_lived():
    body = Watched()
    agent = Agent(BodySpec.from_env(body), AGENT)
    agent.weights_version = 1  # it plans, if by weights that know nothing
    measures = measure_episodes(agent, body, 3, seed=5)
    assert len(measures) == 3
    lived = np.stack(body.episodes[2])
    assert np.array_equal(film(agent, body, 2, seed=5), lived)
    assert not np.array_equal(film(agent, body, 1, seed=5), lived)
