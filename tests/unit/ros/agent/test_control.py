"""The control thread's decisions, with a clock and senses that a test sets."""

from __future__ import annotations

import os
from types import SimpleNamespace

import numpy as np
import pytest
from robot_agent_ros.agent.config import AgentConfig
from robot_agent_ros.agent.control import LONGEST_WAIT, Control, ControlConfig, Sight
from robot_agent_ros.agent.making_body import body_of_parameters
from robot_agent_ros.agent.pairing import Refused
from robot_agent_ros.agent.task import Task
from robot_agent_ros.agent.unconfirmed import Unconfirmed

from robot_agent.agent import Decision
from robot_agent.drivers.driver import EpisodeSummary
from robot_agent.types import Source

CONFIG = AgentConfig(
    joints=("a", "b"), lower=(-1.0, -1.0), upper=(1.0, 1.0), control_rate=10.0, streams=("proprio",), largest_change=0.1
)
DECISION = Decision((Source.PLAN,), 1.0, np.zeros(1, np.float32), np.zeros(1, np.bool_))


class World:
    """Everything around the control thread."""

    def __init__(self) -> None:
        self.time = 100.0
        self.position, self.velocity = np.array([0.2, -0.3]), np.zeros(2)
        self.fault: Refused | None = None
        self.forbidden: Refused | None = None
        self.takes = 0.01
        self.action = np.ones(2, np.float32)
        self.sent: list[np.ndarray] = []
        self.seen: list[dict[str, np.ndarray]] = []
        self.kept: list[object] = []
        self.refuses, self.acceptances = False, set[int]()
        self.begun: list[int] = []
        agent = SimpleNamespace(
            initial_state=lambda: SimpleNamespace(decision=DECISION), begin_episode=self.begin, weights_version=3
        )
        loop = SimpleNamespace(agent=agent, decide=self.decide, swap_weights=lambda: None)
        self.control = Control(
            body_of_parameters(CONFIG), loop, Task(0), self, self, self.send, self.permit,
            Unconfirmed(self.kept.append, self.acceptances.__contains__, lambda: "not mine", self.ros),
            ControlConfig(largest_command_age=0.1), first_episode=5,
        )  # fmt: skip

    def send(self, command: np.ndarray) -> int:
        self.sent.append(command)
        if not self.refuses:
            self.acceptances.add(len(self.sent))
        return len(self.sent)

    def begin(self, state, agent: str, episode: int):
        self.begun.append(episode)
        return state

    def decide(self, observations, state):
        self.seen.append(observations["agent"])
        self.time += self.takes
        return {"agent": self.action}, state

    def permit(self) -> None:
        if self.forbidden:
            raise self.forbidden

    def look(self) -> Sight:
        if self.fault:
            raise self.fault
        return Sight(self.time - 0.005, self.time - 0.005, self.position, self.velocity, {})

    def ros(self) -> float:
        return self.time

    now = ros

    def tick(self) -> None:
        self.control._act()
        self.time += 0.1


@pytest.fixture
def world() -> World:
    return World()


def test_a_command_moves_on_from_where_the_joints_are_by_what_the_action_says(world: World):
    for _ in range(3):
        world.tick()
    assert world.sent == [pytest.approx([0.2 + 0.1 * step, -0.3 + 0.1 * step], abs=1e-6) for step in (1, 2, 3)]
    assert world.seen[0]["proprio"] == pytest.approx([0.2, -0.3, 0, 0, 0.2, -0.3])
    assert world.seen[1]["proprio"][4:] == pytest.approx([0.3, -0.2])
    assert world.control.holding == ""
    assert [transition.episode for transition in world.kept] == [5, 5]
    assert world.control.latency.quantile(1.0) == pytest.approx(0.015)


def test_commands_end_at_the_limits(world: World):
    for _ in range(20):
        world.tick()
    assert np.max(world.sent) == 1.0


def test_how_fast_the_joints_are_is_felt(world: World):
    world.velocity = np.array([0.5, -0.25])
    world.tick()
    assert world.seen[0]["proprio"][2:4] == pytest.approx([0.5, -0.25])


@pytest.mark.parametrize("whose", ["fault", "forbidden"])
def test_what_is_refused_is_not_commanded_and_another_episode_begins_where_the_joints_are(world: World, whose: str):
    world.tick()
    world.tick()
    setattr(world, whose, Refused("camera_stopped", "it is old"))
    world.tick()
    assert len(world.sent) == 2
    assert (world.control.holding, world.control.sentence) == ("camera_stopped", "it is old")
    setattr(world, whose, None)
    world.position = np.array([-0.5, 0.5])
    world.tick()
    assert world.sent[-1] == pytest.approx([-0.4, 0.6])
    assert world.begun == [5, 6]
    assert [type(item) for item in world.kept].count(EpisodeSummary) == 1
    assert world.control.held == {"camera_stopped": 1}


def test_of_commands_that_the_gate_refuses_nothing_is_kept_and_the_status_says_so(world: World):
    world.refuses = True
    for _ in range(60):
        world.tick()
        world.position = world.position + 0.01  # somebody else moves the robot
    assert len(world.sent) > 10
    assert world.kept == []
    assert (world.control.holding, world.control.sentence) == ("command_refused", "not mine")
    assert world.control.lived.refused >= len(world.sent) - 3
    world.refuses = False
    for _ in range(6):
        world.tick()
    assert world.control.holding == ""
    assert [(item.episode, item.step) for item in world.kept] == [(world.begun[-1], step) for step in range(5)]


def test_after_a_refusal_it_begins_again_from_where_the_joints_are(world: World):
    for _ in range(3):
        world.tick()
    world.refuses = True
    for _ in range(10):
        world.tick()
    world.refuses, world.position = False, np.array([-0.5, 0.5])
    for _ in range(6):
        world.tick()
    assert any(command == pytest.approx([-0.4, 0.6]) for command in world.sent[-6:])
    summaries = [item for item in world.kept if isinstance(item, EpisodeSummary)]
    assert [(one.episode, one.length) for one in summaries] == [(5, 3)]
    assert [(item.episode, item.step) for item in world.kept[:3]] == [(5, 0), (5, 1), (5, 2)]


def test_a_decision_that_comes_too_late_is_not_sent_and_not_learned_from(world: World):
    world.tick()
    world.takes = 0.2
    world.tick()
    assert len(world.sent) == 1
    assert world.control.held == {"plan_late": 1}
    world.takes = 0.01
    world.tick()
    world.tick()
    # What the first decision led to was seen in time; what the late one would have led to never was.
    assert [(item.episode, item.step) for item in world.kept if not isinstance(item, EpisodeSummary)] == [
        (5, 0),
        (6, 0),
    ]


def test_what_fails_inside_the_agent_is_a_hold_and_not_the_end(world: World):
    def fail(observations, state):
        world.control.ends.set()
        raise ValueError("broken")

    world.control.loop.decide = fail
    world.poll = lambda: True
    world.arrivals = list
    world.wait = lambda until: None
    world.control.run()
    assert world.control.held == {"control_failed": 1, "inactive": 1}
    assert world.sent == []


def test_what_was_decided_while_it_was_told_to_hold_is_not_sent(world: World):
    def decide(observations, state):
        world.control.ends.set()
        return {"agent": world.action}, state

    world.control.loop.decide = decide
    world.tick()
    assert world.sent == []
    assert world.control.held == {"inactive": 1}


@pytest.mark.parametrize("even", [True, False])
def test_commands_are_evenly_apart_however_long_decisions_take(world: World, even: bool):
    came: list[float] = []
    world.control._send = lambda command: came.append(world.time) or world.send(command)
    world.control.config = ControlConfig(largest_command_age=0.1, even=even)
    world.poll, world.arrivals = (lambda: True), list
    world.wait = lambda until: setattr(world, "time", max(world.time, until))
    rng = np.random.default_rng(0)
    for _ in range(300):
        world.takes = float(rng.uniform(0.01, 0.03))
        world.control._wait()
        world.control._act()
    off = np.abs(np.diff(came[150:]) - world.control.period)
    assert np.quantile(off, 0.95) < 0.001 if even else np.quantile(off, 0.5) > 0.004
    assert world.control.plan.quantile(0.5) < 0.01  # it says how long decisions take, and not how long they wait


def test_a_command_waits_no_longer_than_a_share_of_its_period(world: World):
    world.control.config = ControlConfig(largest_command_age=10.0, even=True)
    world.poll, world.arrivals = (lambda: True), list
    world.wait = lambda until: setattr(world, "time", max(world.time, until))
    for takes in [0.09] * 10 + [0.01]:
        world.takes = takes
        world.control._wait()
        due = world.time
        world.control._act()
    assert world.time - due == pytest.approx(LONGEST_WAIT * world.control.period)


def test_waiting_makes_no_command_too_old(world: World):
    world.control.config = ControlConfig(largest_command_age=0.05, even=True)
    world.poll, world.arrivals = (lambda: True), list
    world.wait = lambda until: setattr(world, "time", max(world.time, until))
    for takes in [0.2] + [0.01] * 20:
        world.takes = takes
        world.control._wait()
        world.control._act()
    assert world.control.held == {"plan_late": 1}
    assert world.control.latency.quantile(1.0) == pytest.approx(0.04)


@pytest.mark.parametrize("phase", np.arange(0.0, 0.1, 0.01))
def test_pictures_just_after_each_decision_hold_the_robot_no_longer_than_it_takes_to_hear_three(phase: float):
    world, began = World(), 100.0
    pictures = began + phase + 0.1 * np.arange(40)
    heard = {"pictures": 0}

    def arrivals() -> list[float]:
        past = int(np.sum(pictures <= world.time))
        new, heard["pictures"] = pictures[heard["pictures"] : past], past
        return list(new)

    def look() -> Sight:
        past = pictures[pictures <= world.time]
        if not len(past) or world.time - past[-1] > 0.08:
            raise Refused("camera_and_joints_apart")
        return Sight(past[-1], world.time, world.position, world.velocity, {})

    def wait(until: float) -> None:
        world.time = max(world.time, until)

    def poll() -> bool:
        world.time += 0.001
        return True

    world.arrivals, world.look, world.wait, world.poll = arrivals, look, wait, poll
    while world.time < began + 2:
        world.control._wait()
        world.control._act()
    assert sum(world.control.held.values()) <= 5
    assert len(world.sent) >= 14


def test_a_core_that_is_not_there_is_a_hold_that_says_so(world: World):
    world.control.config = ControlConfig(core=1023)
    world.control.run()
    assert world.control.holding == "thread_refused"
    assert "core is 1023, which the system refuses" in world.control.sentence
    assert world.sent == []


def test_a_real_time_priority_that_is_refused_is_said_once_and_done_without(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    said: list[str] = []
    world.control.config, world.control._say = ControlConfig(priority=7), said.append
    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    world.control._prepare_thread()
    assert world.control.priority == 0
    assert len(said) == 1
    assert "real-time priority 7 is refused" in said[0]


def test_what_the_control_thread_starts_does_not_inherit_its_priority(world: World, monkeypatch: pytest.MonkeyPatch):
    asked: list[tuple[int, int, int]] = []
    monkeypatch.setattr(
        os, "sched_setscheduler", lambda who, policy, param: asked.append((who, policy, param.sched_priority))
    )
    world.control.config = ControlConfig(priority=7)
    world.control._prepare_thread()
    assert asked == [(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, 7)]
    assert world.control.priority == 7
