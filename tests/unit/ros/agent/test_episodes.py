"""Transitions of a life that nobody resets."""

from __future__ import annotations

import numpy as np
from robot_agent_ros.agent.episodes import Episodes

from robot_agent.agent import Decision
from robot_agent.types import Source

DECISION = Decision((Source.PLAN,), 2.0, np.zeros(1, np.float32), np.zeros(1, np.bool_))
ACTION = np.zeros(1, np.float32)


def observation(value: float, goal: float | None = None) -> dict[str, np.ndarray]:
    seen = {"proprio": np.array([value], np.float32)}
    return seen if goal is None else seen | {"desired_goal": np.array([goal], np.float32)}


def live(episodes: Episodes, goals: list[float | None], first: int = 0):
    outcomes = []
    for index, goal in enumerate(goals):
        stamp = float(first + index)
        seen = observation(stamp, goal)
        outcome, begins = episodes.observed(seen, stamp)
        outcomes.append((outcome, begins))
        episodes.decided(seen, ACTION, stamp, DECISION, version=index)
    return outcomes


def test_each_observation_completes_the_decision_before_it():
    def reward(seen, since, until):
        return float(seen["proprio"][0]) + 10 * (until - since)

    outcomes = live(Episodes(reward, 1.0, 100.0, first=7), [None] * 4)
    assert outcomes[0][0].transition is None
    assert [begins for _, begins in outcomes] == [True, False, False, False]
    steps = [outcome.transition for outcome, _ in outcomes[1:]]
    assert [step.step for step in steps] == [0, 1, 2]
    assert [step.episode for step in steps] == [7, 7, 7]
    assert [step.reward for step in steps] == [11.0, 12.0, 13.0]
    assert [step.observation["proprio"][0] for step in steps] == [0.0, 1.0, 2.0]
    assert [step.weights_version for step in steps] == [0, 1, 2]
    assert not any(step.truncated or step.terminated for step in steps)


def test_time_cuts_an_episode_and_its_last_observation_begins_the_next():
    outcomes = live(Episodes(lambda *_: 1.0, 0.5, 1.5), [None] * 8)
    cuts = [index for index, (outcome, _) in enumerate(outcomes) if outcome.episode is not None]
    assert cuts == [3, 6]
    last = outcomes[3][0]
    assert last.transition.truncated
    assert not last.transition.terminated
    assert last.transition.final_observation["proprio"][0] == 3.0
    assert (last.episode.episode, last.episode.length, last.episode.episode_return) == (0, 3, 3.0)
    assert outcomes[3][1]
    assert outcomes[4][0].transition.episode == 1
    assert outcomes[4][0].transition.observation["proprio"][0] == 3.0


def test_another_goal_begins_another_episode_and_the_step_before_is_judged_by_its_own():
    judged = []

    def reward(seen, since, until):
        judged.append(float(seen["desired_goal"][0]))
        return 0.0

    outcomes = live(Episodes(reward, 1.0, 100.0), [1.0, 1.0, 2.0, 2.0])
    assert judged == [1.0, 1.0, 2.0]
    assert outcomes[2][0].transition.truncated
    assert outcomes[2][0].transition.final_observation["desired_goal"][0] == 1.0
    assert outcomes[3][0].transition.observation["desired_goal"][0] == 2.0


def test_what_was_not_seen_is_not_learned_from():
    episodes = Episodes(lambda *_: None, 1.0, 100.0)
    live(episodes, [None] * 3)
    assert episodes.interrupted().length == 2
    assert episodes.interrupted() is None
    outcomes = live(episodes, [None] * 2, first=50)
    assert outcomes[0][0].transition is None
    assert outcomes[0][1]
    assert outcomes[1][0].transition.episode == 1
    assert outcomes[1][0].transition.reward is None
