"""Keeping beside acting: in order, without waiting, and whatever goes wrong with the disk or the learner."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from robot_agent_ros.agent import keeper as keeper_module
from robot_agent_ros.agent import node
from robot_agent_ros.agent.keeper import Keeper

from robot_agent.drivers.driver import EpisodeSummary
from robot_agent.errors import ReplayError, RobotAgentError
from tests.transitions import episode


class Run:
    """A run folder that can be slow or full."""

    checkpoint_is_due = False

    def __init__(self) -> None:
        self.kept: list[object] = []
        self.decisions = 0
        self.full = False
        self.slow = threading.Event()
        self.slow.set()
        self.heard = threading.Event()
        self.learner = SimpleNamespace(advance=lambda decisions: self.heard.set())

    def keep(self, transition) -> None:
        self.slow.wait(10)
        if self.full:
            raise ReplayError("the disk is full")
        self.decisions += 1
        self.kept.append(transition)

    def end_episode(self, summary, gauges) -> None:
        self.kept.append(summary)

    def checkpoint(self) -> Path:
        return Path(f"checkpoint-{self.decisions}")

    def close(self) -> None:
        self.kept.append("closed")


@pytest.fixture
def run() -> Run:
    return Run()


def test_what_was_lived_is_kept_in_order_and_a_checkpoint_has_all_of_it(run: Run):
    keeper = Keeper(run, print)
    steps = list(episode(0, 3))
    summary = EpisodeSummary("agent", 0)
    for item in (*steps, summary):
        keeper.keep(item)
    assert keeper.checkpoint(5.0) == Path("checkpoint-3")
    keeper.close()
    assert run.kept == [*steps, summary, "closed"]


def test_a_slow_disk_delays_nobody(run: Run):
    run.slow.clear()
    keeper = Keeper(run, print)
    began = time.monotonic()
    for step in episode(0, 50):
        keeper.keep(step)
    assert time.monotonic() - began < 1.0
    with pytest.raises(TimeoutError):
        keeper.checkpoint(0.05)
    run.slow.set()
    keeper.close()
    assert run.decisions == 50


def test_a_full_disk_is_told_once_and_steps_are_kept_again_when_there_is_space(run: Run):
    told: list[str] = []
    keeper = Keeper(run, told.append)
    run.full = True
    first, second, third = episode(0, 3)
    keeper.keep(first)
    keeper.keep(second)
    keeper.checkpoint(5.0)
    assert (keeper.lost, keeper.fault, told) == (2, "not kept: the disk is full", ["not kept: the disk is full"])
    run.full = False
    keeper.keep(third)
    keeper.checkpoint(5.0)
    assert (keeper.lost, keeper.fault, run.kept) == (2, "", [third])
    keeper.close()


def test_the_learner_is_listened_to_while_the_robot_holds(run: Run):
    keeper = Keeper(run, print)
    assert run.heard.wait(5)
    keeper.close()


def test_a_learner_that_cannot_be_listened_to_does_not_end_the_keeping(run: Run):
    told: list[str] = []

    def fail(decisions):
        run.heard.set()
        raise RuntimeError("no pipe")

    run.learner.advance = fail
    keeper = Keeper(run, told.append)
    assert run.heard.wait(5)
    (step,) = episode(0, 1)
    keeper.keep(step)
    assert keeper.checkpoint(5.0) == Path("checkpoint-1")
    assert told == ["the learner is not heard: no pipe"]
    run.learner.advance = lambda decisions: run.heard.set()
    run.heard.clear()
    keeper._failed("the learner is not heard", RuntimeError("no pipe"))
    assert run.heard.wait(5)
    while keeper.fault:
        time.sleep(0.01)
    keeper.close()


@pytest.mark.parametrize("error", [RobotAgentError("the disk failed"), OSError("the disk failed")])
def test_a_run_that_cannot_be_closed_well_is_told_and_no_error(run: Run, error: Exception):
    told: list[str] = []
    keeper = Keeper(run, told.append)

    def fail():
        raise error

    run.close = fail
    keeper.close()
    assert told == ["not closed well: the disk failed"]


def test_a_run_is_never_closed_under_the_checkpoint_that_is_being_written(run: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(keeper_module, "CLOSING", 0.1)
    writes, may_end, told = threading.Event(), threading.Event(), []

    def checkpoint() -> Path:
        writes.set()
        may_end.wait(10)
        run.kept.append("checkpoint")
        return Path("checkpoint")

    run.checkpoint = checkpoint
    keeper = Keeper(run, told.append)
    with pytest.raises(TimeoutError):
        keeper.checkpoint(0.05)
    assert writes.wait(5)
    keeper.close()
    assert run.kept == []
    assert len(told) == 1
    assert "not closed after 0.1 s" in told[0]
    may_end.set()
    keeper._thread.join(5)
    assert run.kept == ["checkpoint", "closed"]


def test_what_waits_in_a_full_queue_is_kept_before_the_run_is_closed(run: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(keeper_module, "LONGEST_QUEUE", 3)
    run.slow.clear()
    keeper = Keeper(run, print)
    steps = list(episode(0, 4))
    keeper.keep(steps[0])
    while not keeper._inbox.empty():
        time.sleep(0.001)
    for step in steps[1:]:
        keeper.keep(step)
    threading.Timer(0.2, run.slow.set).start()
    keeper.close()
    assert run.kept == [*steps, "closed"]
    assert keeper.lost == 0


def test_all_that_the_end_waits_for_is_within_what_starters_grant():
    assert node.HOLDING + node.CHECKPOINT_PATIENCE + keeper_module.CLOSING < 60
