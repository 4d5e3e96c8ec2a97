"""The driver: what becomes of rewards, ends and broken sensors, for one body and for several side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robot_agent.agent import Agent, AgentState
from robot_agent.drivers.driver import Driver, EpisodeSummary, Listener
from robot_agent.errors import BodyError
from robot_agent.loop import Loop
from robot_agent.replay.replay import Replay, ReplayWriter
from robot_agent.types import BodySpec, Source, Transition
from tests.small import AGENT
from tests.worlds import PointMass

SPEC = BodySpec.from_env(PointMass())


class Heard(Listener):
    def __init__(self) -> None:
        self.steps: list[Transition] = []
        self.states: list[AgentState] = []
        self.episodes: list[EpisodeSummary] = []

    def on_step(self, transition: Transition, state: AgentState) -> None:
        self.steps.append(transition)
        self.states.append(state)

    def on_episode(self, summary: EpisodeSummary) -> None:
        self.episodes.append(summary)


class Scripted(PointMass):
    """Gives the rewards that it is told to, and NaN instead of a position at the steps that it is told to."""

    def __init__(self, rewards: list[Any], blind: tuple[int, ...] = ()) -> None:
        super().__init__(length=len(rewards))
        self.rewards = rewards
        self.blind = blind
        self.actions: list[np.ndarray] = []

    def step(self, action: np.ndarray):
        self.actions.append(action)
        observation, _, terminated, truncated, info = super().step(action)
        if self.steps in self.blind:
            observation = {"proprio": np.full(4, np.nan, np.float32)}
        return observation, self.rewards[self.steps - 1], terminated, truncated, info


def live(bodies: dict[str, PointMass], steps: int, *listeners: Listener, **options: Any) -> Heard:
    heard = Heard()
    driver = Driver(Loop(Agent(SPEC, AGENT)), bodies, [heard, *listeners], **options)
    driver.run(lambda life: life.decisions >= steps * len(bodies))
    return heard


@pytest.mark.parametrize("poison", [np.inf, -np.inf, np.nan, None])
def test_a_return_is_the_sum_of_the_rewards_that_are_known_and_finite(poison: float | None):
    heard = live({"agent": Scripted([1.0, poison, 0.25])}, 3)
    assert [summary.episode_return for summary in heard.episodes] == [1.25]


def test_a_body_does_what_its_transition_says():
    bodies = {"left": Scripted([0.0] * 9), "right": Scripted([0.0] * 9)}
    heard = live(bodies, 5)
    for name, body in bodies.items():
        mine = [step for step in heard.steps if step.agent_id == name]
        np.testing.assert_array_equal([step.action for step in mine], body.actions)
        assert {step.dt for step in mine} == {SPEC.control_dt}


def test_the_end_of_one_bodys_episode_leaves_the_others_alone():
    heard = live({"short": PointMass(length=3), "long": PointMass(length=5)}, 7)
    assert [(step.episode, step.step) for step in heard.steps if step.agent_id == "short"] == [
        (0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (2, 0),
    ]  # fmt: skip
    assert [(step.episode, step.step) for step in heard.steps if step.agent_id == "long"] == [
        (0, 0), (0, 1), (0, 2), (0, 3), (0, 4), (1, 0), (1, 1),
    ]  # fmt: skip
    assert [(summary.agent, summary.length) for summary in heard.episodes] == [("short", 3), ("long", 5), ("short", 3)]
    ends = [step for step in heard.steps if step.final_observation is not None]
    assert [(step.agent_id, step.truncated, step.terminated) for step in ends] == [
        (summary.agent, True, False) for summary in heard.episodes
    ]


@pytest.mark.parametrize("left_first", [True, False])
def test_a_body_lives_the_same_beside_another_as_alone(left_first: bool):
    alone = live({"left": PointMass()}, 50)
    beside = live({name: PointMass() for name in (("left", "right") if left_first else ("right", "left"))}, 50)
    lefts = [step for step in beside.steps if step.agent_id == "left"]
    np.testing.assert_array_equal([step.action for step in alone.steps], [step.action for step in lefts])
    np.testing.assert_array_equal(
        [step.observation["proprio"] for step in alone.steps], [step.observation["proprio"] for step in lefts]
    )


def test_what_a_broken_sensor_saw_is_quarantined_and_the_body_repeats_its_last_safe_action(tmp_path: Path):
    class Keep(Listener):
        writer = ReplayWriter(tmp_path, SPEC)

        def on_step(self, transition: Transition, state: AgentState) -> None:
            self.writer.append(transition)

    body = Scripted([0.0] * 6, blind=(2,))
    heard = live({"agent": body}, 6, Keep())
    decisions = [state.decision for state in heard.states]
    assert [bool(decision and decision.fallback[0]) for decision in decisions] == [False] * 2 + [True] + [False] * 3
    assert [step.source for step in heard.steps] == [Source.RANDOM] * 2 + [Source.REPEATED] + [Source.RANDOM] * 3
    np.testing.assert_array_equal(body.actions[2], body.actions[1])
    valid = Replay(tmp_path).segments[0].rows["valid"]
    assert valid.tolist() == [True, True, False, True, True, True, True]  # the last one is the final observation


def test_an_episode_is_handed_on_only_where_it_was_asked_for():
    assert [len(summary.transitions) for summary in live({"agent": PointMass(length=4)}, 4).episodes] == [0]
    kept = live({"agent": PointMass(length=4)}, 4, keep_transitions=1000)
    assert kept.episodes[0].transitions == kept.steps
    assert len(kept.episodes[0].decision_ms) == 4


def test_of_an_episode_that_does_not_end_only_the_newest_is_kept():
    class Endless(PointMass):
        def step(self, action: np.ndarray):
            observation, reward, _, _, info = super().step(action)
            return observation, reward, False, False, {**info, "picture": np.zeros((64, 64, 3)), "drift": {"a": 1.0}}

    driver = Driver(Loop(Agent(SPEC, AGENT)), {"agent": Endless()}, keep_transitions=10)
    driver.run(lambda life: life.decisions >= 50)
    episode = driver.running("agent")
    assert episode.length == 50
    assert [step.step for step in episode.transitions] == list(range(40, 50))
    assert {name for step in episode.transitions for name in step.info} == {"state", "drift"}


def test_an_episode_that_does_not_end_is_cut_off_where_that_was_asked_for():
    heard = live({"agent": PointMass(length=1000)}, 25, longest_episode=10)
    ends = [step for step in heard.steps if step.truncated]
    assert [(step.episode, step.step, step.terminated) for step in ends] == [(0, 9, False), (1, 9, False)]
    assert all(step.final_observation is not None for step in ends)


class Reusing(PointMass):
    """Returns the same arrays at each step, with the number of the step in them, and writes into the action."""

    def __init__(self) -> None:
        super().__init__(camera=True)
        self.arrays = {"camera/main": np.zeros((16, 16, 3), np.uint8)}
        self.state = np.zeros(2)

    def reset(self, **options: Any):
        super().reset(**options)
        self.arrays["camera/main"][:] = 0
        return self.arrays, {}

    def step(self, action: np.ndarray):
        _, reward, terminated, truncated, _ = super().step(action)
        action[:] = 7
        self.arrays["camera/main"][:] = self.steps
        self.state[:] = self.steps
        return self.arrays, reward, terminated, truncated, {"state": self.state}


def test_arrays_that_a_body_writes_again_change_nothing_that_was_lived():
    heard = Heard()
    driver = Driver(Loop(Agent(BodySpec.from_env(Reusing()), AGENT)), {"agent": Reusing()}, [heard])
    driver.run(lambda life: life.decisions >= 5)
    for number, (step, state) in enumerate(zip(heard.steps, heard.states, strict=True)):
        assert np.all(step.observation["camera/main"] == number)
        assert np.all(step.info["state"] == number + 1)
        assert np.all(np.abs(step.action) <= 1)
        assert np.all(np.abs(state.action) <= 1)


@pytest.mark.parametrize("reward", [np.array([0.5]), np.array([[0.5]]), np.float32(0.5), np.array(0.5), [0.5]])
def test_a_reward_of_one_number_is_taken_whatever_holds_it(reward: Any):
    heard = live({"agent": Scripted([reward] * 3)}, 3)
    assert [step.reward for step in heard.steps] == [0.5] * 3


@pytest.mark.parametrize("reward", ["1", np.zeros(2), {}])
def test_a_reward_that_is_no_number_is_one_sentence(reward: Any):
    with pytest.raises(BodyError, match="expected one number"):
        live({"agent": Scripted([reward] * 3)}, 3)


@pytest.mark.parametrize(
    ("info", "success"),
    [
        ({"success": True}, True),
        ({"success": np.array([1.0])}, True),
        ({"is_success": np.False_}, False),
        ({"success": np.array([True, False])}, None),
        ({"success": "yes"}, None),
        ({"success": None}, None),
        ({"success": float("nan")}, None),
        ({"success": [[1], [1, 2]]}, None),
        (None, None),
        ([1, 2], None),
    ],
)
def test_success_is_taken_where_it_means_yes_or_no(info: Any, success: bool | None):
    class Saying(PointMass):
        def step(self, action: np.ndarray):
            *returned, _ = super().step(action)
            return *returned, info

    assert [summary.success for summary in live({"agent": Saying(length=3)}, 3).episodes] == [success]


@pytest.mark.parametrize(("frames", "share"), [(4, 1.0), (1, 0.25), (np.int64(3), 0.75), (9, 1.0), ("few", 1.0)])
def test_a_decision_within_which_an_episode_ended_lasted_as_long_as_it_did(frames: Any, share: float):
    class Repeating(PointMass):
        metadata = {**PointMass.metadata, "frames_per_step": 4}  # noqa: RUF012

        def step(self, action: np.ndarray):
            *returned, info = super().step(action)
            return *returned, {**info, "frames": frames}

    heard = Heard()
    Driver(Loop(Agent(BodySpec.from_env(Repeating()), AGENT)), {"agent": Repeating()}, [heard]).step()
    assert heard.steps[0].dt == pytest.approx(0.1 * share)


@pytest.mark.parametrize(
    ("returned", "complaint"),
    [
        (lambda given: given[:4], "step returned a tuple of 4, expected a tuple of 5"),
        (lambda given: None, "step returned a NoneType"),
        (lambda given: (given[0], 0.0, None, False, {}), "terminated is None, expected true or false"),
        (lambda given: (given[0], 0.0, False, np.array([True, False]), {}), "truncated is array"),
        (
            lambda given: (given[0]["proprio"], 0.0, False, False, {}),
            "observation is a ndarray, expected a flat mapping",
        ),
    ],
)
def test_what_a_body_may_not_return_is_one_sentence(returned: Any, complaint: str):
    class Odd(PointMass):
        def step(self, action: np.ndarray):
            return returned(super().step(action))

    with pytest.raises(BodyError, match=complaint):
        live({"agent": Odd()}, 3)


def test_a_reset_without_info_is_one_sentence():
    class Old(PointMass):
        def reset(self, **options: Any):
            return super().reset(**options)[0]

    with pytest.raises(BodyError, match="reset returned a dict, expected a tuple of 2"):
        live({"agent": Old()}, 3)
