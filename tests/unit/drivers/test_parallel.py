"""The driver of a shared world: every agent's stream is whole, and all episodes begin and end together."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from robot_agent_sim.arena.games import PursuitEnv

from robot_agent.agent import Agent
from robot_agent.drivers.parallel import ParallelDriver
from robot_agent.loop import Loop
from robot_agent.types import BodySpec
from tests.small import AGENT
from tests.unit.drivers.test_driver import Heard


class Ending:
    """An arena that ends for one agent before its time."""

    def __init__(self, at: int) -> None:
        self.arena = PursuitEnv(streams=("proprio",), episode_steps=12)
        self.possible_agents = self.arena.possible_agents
        self.at = at
        self.resets: list[int | None] = []

    def reset(self, seed=None, options=None):
        self.resets.append(seed)
        return self.arena.reset(seed, options)

    def step(self, actions):
        observations, rewards, terminated, truncated, infos = self.arena.step(actions)
        if self.arena.steps == self.at:
            terminated["runner"] = True
        return observations, rewards, terminated, truncated, infos


def live(world: Ending, decisions: int) -> Heard:
    arena = world.arena
    spec = BodySpec(cameras=(), proprio_dim=4, action_dim=2, control_dt=arena.metadata["control_dt"])
    heard = Heard()
    driver = ParallelDriver(Loop(Agent(spec, AGENT)), world, [heard], seed=3)
    driver.run(lambda life: life.decisions >= decisions)
    return heard


def test_both_agents_live_the_same_episodes():
    world = Ending(at=-1)
    heard = live(world, 60)
    for agent in ("chaser", "runner"):
        steps = [step for step in heard.steps if step.agent_id == agent]
        assert len(steps) == 30
        assert [step.episode for step in steps] == [0] * 12 + [1] * 12 + [2] * 6
        assert [step.step for step in steps] == [*range(12), *range(12), *range(6)]
        assert [step.truncated for step in steps] == [(index % 12 == 11) for index in range(30)]
        for before, after in pairwise(steps):
            if before.truncated:
                assert before.final_observation is not None
            else:
                assert np.any(before.observation["proprio"] != after.observation["proprio"]) or before.step == 0
    assert len(world.resets) == len(set(world.resets)) == 3
    assert [summary.agent for summary in heard.episodes] == ["chaser", "runner"] * 2
    assert heard.episodes[0].success is not heard.episodes[1].success


def test_the_end_of_one_cuts_the_other_off():
    heard = live(Ending(at=5), 20)
    last = {step.agent_id: step for step in heard.steps if step.step == 4}
    assert last["runner"].terminated
    assert not last["runner"].truncated
    assert last["chaser"].truncated
    assert not last["chaser"].terminated
    assert {step.step for step in heard.steps} == set(range(5))


def test_the_same_seed_gives_the_same_life():
    first, again = (live(Ending(at=-1), 40).steps for _ in range(2))
    assert all(np.array_equal(a.action, b.action) for a, b in zip(first, again, strict=True))
