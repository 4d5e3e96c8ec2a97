"""A learner that dies is started again, and nobody waits for it."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from robot_agent_ros.agent import learning
from robot_agent_ros.agent.learning import SupervisedLearner
from robot_agent_ros.errors import ParameterError

from robot_agent.errors import RobotAgentError


class Service:
    """A learner's process that can be broken."""

    made: list[Service] = []  # noqa: RUF012

    def __init__(self, job, largest_lag: int, idle: bool) -> None:
        self.job, self.largest_lag, self.idle = job, largest_lag, idle
        self.weights, self.updates, self.skipped_updates, self.pid = object(), 0, 0, 1
        self.broken = self.closed = False
        Service.made.append(self)

    def advance(self, decisions: int, hurry) -> None:
        assert hurry()
        if self.broken:
            raise RobotAgentError("the learner's process has ended")
        self.updates = decisions

    def checkpoint(self, decisions: int, extra) -> Path:
        self.advance(decisions, lambda: True)
        return Path("checkpoint")

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def learner(monkeypatch: pytest.MonkeyPatch) -> SupervisedLearner:
    monkeypatch.setattr(learning, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(learning, "replace", lambda job, **changes: SimpleNamespace(**{**vars(job), **changes}))
    Service.made = []
    return SupervisedLearner(SimpleNamespace(resume=False), idle=True, start=Service)


def test_it_publishes_however_far_it_falls_behind(learner: SupervisedLearner):
    assert (Service.made[0].largest_lag, Service.made[0].idle) == (sys.maxsize, True)
    learner.advance(5)
    assert learner.updates == 5
    assert learner.checkpoint(6, {}) == Path("checkpoint")


def test_a_learner_that_ends_is_started_again_from_its_checkpoint_and_weights_stay_where_they_are(
    learner: SupervisedLearner,
):
    weights = learner.weights
    learner.advance(5)
    Service.made[0].broken = True
    began = time.monotonic()
    learner.advance(6)
    assert time.monotonic() - began < 0.04
    assert not learner.runs
    assert "ended" in learner.fault
    assert learner.updates == 5
    with pytest.raises(RobotAgentError, match="no checkpoint"):
        learner.checkpoint(6, {})
    while not learner.runs:
        time.sleep(0.01)
        assert time.monotonic() - began < 10
    assert Service.made[0].closed
    assert Service.made[1].job.resume
    assert learner.weights is weights
    assert (learner.restarts, learner.fault) == (1, "")
    learner.close()
    assert Service.made[1].closed


def test_closing_while_none_runs_starts_no_other(learner: SupervisedLearner):
    Service.made[0].broken = True
    learner.advance(1)
    learner.close()
    time.sleep(0.1)
    assert len(Service.made) == 1


def test_a_core_that_is_not_there_leaves_no_learner_behind(learner: SupervisedLearner, monkeypatch: pytest.MonkeyPatch):
    def refuse(pid, cores):
        raise OSError("Invalid argument")

    monkeypatch.setattr(learning.os, "sched_setaffinity", refuse)
    with pytest.raises(ParameterError, match="learner_core is 999, expected one of"):
        SupervisedLearner(SimpleNamespace(resume=False), core=999, start=Service)
    assert Service.made[-1].closed
