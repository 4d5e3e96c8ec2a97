"""The contract of the loop and its driver: one step, no sleeping, no stepping of bodies, many agents."""

from __future__ import annotations

import ast
import inspect
import time
from dataclasses import replace

import numpy as np
import pytest

from robot_agent import loop as loop_module
from robot_agent.agent import Agent, AgentState
from robot_agent.drivers.driver import Driver, EpisodeSummary, Listener, episode_seed
from robot_agent.errors import BodyError
from robot_agent.learning.weight_store import LocalWeightStore
from robot_agent.loop import Loop
from robot_agent.types import BodySpec, Source, Transition
from tests.small import AGENT
from tests.worlds import PointMass, Reach

SPEC = BodySpec.from_env(PointMass())


class Log(Listener):
    def __init__(self) -> None:
        self.steps: list[Transition] = []
        self.episodes: list[EpisodeSummary] = []

    def on_step(self, transition: Transition, state: AgentState) -> None:
        self.steps.append(transition)

    def on_episode(self, summary: EpisodeSummary) -> None:
        self.episodes.append(summary)


def live(decisions: int, bodies: dict | None = None, **options) -> Log:
    log = Log()
    driver = Driver(Loop(Agent(SPEC, AGENT)), bodies or {"agent": PointMass()}, [log], **options)
    driver.run(lambda life: life.decisions >= decisions)
    return log


def test_one_step_takes_and_gives_an_entry_for_each_agent():
    loop = Loop(Agent(SPEC, AGENT))
    observations = {name: PointMass().reset(seed=seed)[0] for seed, name in enumerate("ab")}
    actions, state = loop.step(observations, loop.agent.initial_state(("a", "b")))
    assert set(actions) == {"a", "b"}
    assert all(action.shape == (2,) and action.dtype == np.float32 for action in actions.values())
    assert state.agents == ("a", "b")


def test_the_loop_neither_sleeps_nor_steps_a_body():
    tree = ast.parse(inspect.getsource(loop_module))
    called = {
        node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
    }
    assert called
    assert not called & {"sleep", "wait", "step", "reset", "render"}


def test_new_weights_are_swapped_in_between_two_steps():
    store = LocalWeightStore()
    loop = Loop(Agent(SPEC, AGENT), store)
    state = loop.agent.initial_state()
    observation = {"agent": PointMass().reset(seed=0)[0]}
    _, state = loop.step(observation, state)
    assert state.decision is not None
    assert state.decision.source == (Source.RANDOM,)
    store.publish(Agent(SPEC, AGENT, seed=9).mind.state_dict(), 30)
    _, state = loop.step(observation, state)
    assert state.decision is not None
    assert state.decision.source == (Source.PLAN,)
    assert loop.agent.weights_version == 30


def test_transitions_chain_and_an_episode_ends_with_a_final_observation():
    log = live(85)
    for before, after in zip(log.steps[:-1], log.steps[1:], strict=True):
        if before.final_observation is None:
            assert after.step == before.step + 1
        else:
            assert (after.step, after.episode) == (0, before.episode + 1)
    assert [step.step for step in log.steps if step.final_observation is not None] == [39, 39]
    assert [summary.length for summary in log.episodes] == [40, 40]
    assert log.episodes[0].episode_return == pytest.approx(sum(step.reward or 0 for step in log.steps[:40]))


def test_a_terminated_episode_says_so():
    log = live(60, {"agent": PointMass(terminate_beyond=0.9)})
    ends = [step for step in log.steps if step.final_observation is not None]
    assert any(step.terminated and not step.truncated for step in ends)


def test_several_bodies_live_side_by_side():
    log = live(160, {"left": PointMass(), "right": PointMass()})
    assert {step.agent_id for step in log.steps} == {"left", "right"}
    lefts = [step for step in log.steps if step.agent_id == "left"]
    rights = [step for step in log.steps if step.agent_id == "right"]
    assert len(lefts) == len(rights) == 80
    assert not np.array_equal(lefts[0].observation["proprio"], rights[0].observation["proprio"])
    assert not np.array_equal(lefts[0].action, rights[0].action)


def test_an_episode_begins_the_same_whatever_was_before_it():
    whole = live(120)
    later = live(40, first_episode=2)
    third = [step for step in whole.steps if step.episode == 2]
    for one, other in zip(third, later.steps, strict=True):
        np.testing.assert_array_equal(one.observation["proprio"], other.observation["proprio"])
        np.testing.assert_array_equal(one.action, other.action)


def test_seeds_differ_between_episodes_agents_and_runs():
    seeds = {episode_seed(seed, agent, number) for seed in range(3) for agent in "ab" for number in range(50)}
    assert len(seeds) == 300


def test_the_loop_does_not_wait_for_the_clock_of_the_body():
    store = LocalWeightStore()
    store.publish(Agent(SPEC, AGENT).mind.state_dict(), 1)
    loop = Loop(Agent(SPEC, AGENT), store)
    state = loop.agent.initial_state()
    observation = {"agent": PointMass().reset(seed=0)[0]}
    start = time.perf_counter()
    for _ in range(50):
        _, state = loop.step(observation, state)
    assert state.decision is not None
    assert state.decision.source == (Source.PLAN,)
    assert time.perf_counter() - start < 50 * SPEC.control_dt / 2


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"action_space": PointMass().observation_space}, "action space is"),
        ({"observation_space": PointMass().action_space}, "expected a flat Dict"),
    ],
)
def test_spaces_that_no_agent_can_live_in_are_one_sentence(change: dict, sentence: str):
    world = PointMass()
    vars(world).update(change)
    with pytest.raises(BodyError, match=sentence):
        BodySpec.from_env(world)


def test_a_goal_world_is_recognised():
    spec = BodySpec.from_env(Reach())
    assert spec == replace(spec, goal_dim=2, proprio_dim=2, action_dim=2, cameras=())
