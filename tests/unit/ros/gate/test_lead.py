"""Commands that ask for more speed than the gate allows are noticed; a far goal is none."""

from __future__ import annotations

import pytest
from robot_agent_ros.gate.lead import Lead

PERIOD = 1 / 30


def led(step: float, commands: int = 60, velocity: float = 0.5) -> Lead:
    """Commands that go a step further each time, with an output that goes as fast as it may."""
    lead, output = Lead({"a": velocity, "b": velocity}), 0.0
    for index in range(commands):
        wish = step * (index + 1)
        lead.add({"a": wish, "b": 0.0}, {"a": output, "b": 0.0}, index * PERIOD)
        output = min(wish, output + velocity * PERIOD)
    return lead


def test_an_agent_that_asks_for_too_much_speed_is_told_by_how_much_the_output_is_behind():
    lead = led(0.1)
    assert lead.now == pytest.approx(0.1 * 60 - 0.5 * 59 * PERIOD)
    assert "commands move a at up to 3.00 rad/s, and the gate allows 0.50: the output is 5.02 rad" in lead.sentence


def test_an_agent_within_limits_is_not_told_anything():
    assert led(0.5 * PERIOD).sentence == ""
    assert led(0.1, commands=4).sentence == ""


def test_a_goal_that_is_far_away_and_a_pause_are_no_speed():
    lead = Lead({"a": 0.5})
    for index in range(60):
        lead.add({"a": 1.0 if index < 30 else -1.0}, {"a": 0.0}, index * PERIOD)
    assert lead.now == 1.0
    assert lead.sentence == ""
    lead.add({"a": 1.0}, {"a": 0.0}, 100.0)
    assert lead.sentence == ""
