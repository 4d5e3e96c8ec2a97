"""What was lived is kept in order, once the gate has accepted it, and never if it has not."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from robot_agent_ros.agent.pairing import Refused
from robot_agent_ros.agent.unconfirmed import PATIENCE, Unconfirmed

from robot_agent.drivers.driver import EpisodeSummary
from robot_agent.types import Transition

PERIOD = 0.05
NOTHING = np.zeros(1, np.float32)


class Life:
    """Decisions at a steady rate, whose commands a gate accepts some time later, or never."""

    def __init__(self, delay: float) -> None:
        self.now, self.delay = 0.0, delay
        self.accepted_at: dict[int, float] = {}
        self.kept: list[Transition | EpisodeSummary] = []
        self.lived = Unconfirmed(
            self.kept.append, lambda stamp: self.accepted_at.get(stamp, 1e9) <= self.now, clock=lambda: self.now
        )
        self.stamp = self.episode = 0
        self.pending: int | None = None
        self.summary: EpisodeSummary | None = None

    def decide(self, accepts: bool) -> None:
        """One decision, as the control thread makes it: a hold interrupts the episode."""
        self.now += PERIOD
        try:
            self.lived.settle()
        except Refused:
            self.interrupt()
            return
        if self.summary is None:
            self.episode += 1
            self.summary = EpisodeSummary("agent", self.episode)
        elif self.pending is not None:
            self.summary.length += 1
            self.summary.episode_return += 1.0
            self.summary.decision_ms.append(1.0)
            self.lived.add(
                Transition({}, NOTHING, 1.0, False, False, self.episode, self.summary.length - 1, stamp=self.pending)
            )
        self.stamp += 1
        self.lived.sent(self.stamp)
        self.pending = self.stamp
        if accepts:
            self.accepted_at[self.stamp] = self.now + self.delay

    def interrupt(self) -> None:
        if self.summary is not None and self.summary.length:
            self.lived.add(self.summary)
        self.summary = self.pending = None

    def end(self) -> tuple[list[Transition], list[EpisodeSummary]]:
        self.interrupt()
        self.now += 1.0
        self.lived.end()
        summaries = [item for item in self.kept if isinstance(item, EpisodeSummary)]
        return [item for item in self.kept if isinstance(item, Transition)], summaries


@pytest.mark.parametrize("delay", [0.0, 0.01, 0.12, 0.2])
@pytest.mark.parametrize("seed", range(5))
def test_every_transition_that_is_kept_was_accepted_and_episodes_have_no_holes(delay: float, seed: int):
    rng = np.random.default_rng(seed)
    life, accepts = Life(delay), True
    for _ in range(2000):
        accepts = accepts if rng.random() > 0.02 else not accepts
        life.decide(accepts)
    transitions, summaries = life.end()
    assert len(transitions) > 100
    assert all(one.stamp in life.accepted_at for one in transitions)
    stamps = [one.stamp for one in transitions]
    assert stamps == sorted(set(stamps))
    lengths = Counter(one.episode for one in transitions)
    assert {one.episode: one.length for one in summaries} == dict(lengths)
    assert all(one.episode_return == one.length == len(one.decision_ms) for one in summaries)
    for episode, length in lengths.items():
        assert [one.step for one in transitions if one.episode == episode] == list(range(length))
    assert life.lived.refused > 0


def test_of_a_gate_that_accepts_everything_everything_is_kept():
    life = Life(0.12)
    for _ in range(100):
        life.decide(True)
    transitions, summaries = life.end()
    assert [one.step for one in transitions] == list(range(99))
    assert [one.length for one in summaries] == [99]
    assert life.lived.refused == 0


def test_after_a_refusal_one_command_is_sent_at_a_time():
    life = Life(0.0)
    for _ in range(100):
        life.decide(False)
    assert life.stamp <= 100 * PERIOD / PATIENCE + PATIENCE / PERIOD + 2
    assert life.end() == ([], [])


def test_a_command_that_was_passed_over_was_refused_at_once():
    life = Life(0.0)
    for accepts in (True, True, False, True):
        life.decide(accepts)
    with pytest.raises(Refused):
        life.lived.settle()
    transitions, summaries = life.end()
    assert [one.stamp for one in transitions] == [1, 2]
    assert [one.length for one in summaries] == [2]
