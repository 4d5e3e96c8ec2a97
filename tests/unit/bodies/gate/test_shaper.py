"""Limits hold together along any targets, and targets are reached."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from robot_agent_bodies.gate.brake import Phase
from robot_agent_bodies.gate.limits import JointLimits
from robot_agent_bodies.gate.shaper import PositionShaper, Shaper, VelocityShaper

LIMITS = JointLimits(lower=-1.0, upper=2.0, velocity=2.0, acceleration=10.0, jerk=100.0)
WHEEL = JointLimits(lower=-math.inf, upper=math.inf, velocity=2.0, acceleration=10.0, jerk=100.0)

wishes = st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.floats(-1.5, 2.5), st.sampled_from([-1.0, 2.0]))
turns = st.tuples(wishes, st.booleans(), st.integers(1, 60), st.floats(1e-4, 0.01))
"""A target, whether to brake instead, for how many outputs, and how far apart these are."""


def assert_within_limits(shaper: Shaper, turns: list[tuple[float, bool, int, float]]) -> None:
    limits, before = shaper.limits, shaper.state
    for target, brakes, steps, seconds in turns:
        for _ in range(steps):
            state = shaper.brake(seconds) if brakes else shaper.follow(target, seconds)
            slack = 1 + 1e-9
            assert limits.lower - 1e-9 <= state.position <= limits.upper + 1e-9
            assert abs(state.velocity) <= limits.velocity * slack
            assert abs(state.acceleration) <= limits.acceleration * slack
            assert abs(state.acceleration - before.acceleration) <= limits.jerk * seconds * slack + 1e-9
            # The output is a motion: each state is where the ones before lead to.
            change = state.position - before.position - seconds * (before.velocity + seconds * before.acceleration / 2)
            assert abs(change) <= limits.jerk * seconds**3 / 6 * slack + 1e-12
            before = state


@given(st.floats(-1, 2), st.lists(turns, min_size=1, max_size=12))
def test_positions_stay_within_all_limits_whatever_is_asked_for(start: float, asked: list):
    shaper = PositionShaper(LIMITS)
    shaper.start(start)
    assert_within_limits(shaper, asked)


@given(st.lists(turns, min_size=1, max_size=12))
def test_velocities_of_a_wheel_stay_within_all_limits(asked: list):
    shaper = VelocityShaper(WHEEL)
    assert_within_limits(shaper, asked)


@given(st.floats(-1, 2), st.lists(turns, min_size=1, max_size=12))
def test_a_joint_that_is_moved_by_velocity_slows_down_before_its_ends(start: float, asked: list):
    shaper = VelocityShaper(LIMITS)
    shaper.start(start)
    assert_within_limits(shaper, asked)


@given(st.floats(-1, 2), st.floats(-5, 5))
def test_a_target_is_reached_or_the_limit_before_it(start: float, target: float):
    shaper = PositionShaper(LIMITS)
    shaper.start(start)
    for _ in range(600):
        state = shaper.follow(target, 0.005)
    assert state.position == pytest.approx(LIMITS.clipped(target), abs=1e-6)
    assert state.velocity == pytest.approx(0, abs=1e-6)
    assert shaper.overruled == 0


def test_a_move_takes_about_the_time_that_the_limits_ask_for():
    shaper, steps = PositionShaper(LIMITS), 0
    shaper.start(-1.0)
    while abs(shaper.follow(2.0, 0.001).position - 2.0) > 1e-6:
        steps += 1
    # 3 rad at 2 rad/s, plus speeding up and slowing down: v / a + a / j
    assert steps * 0.001 == pytest.approx(3 / 2 + 2 / 10 + 10 / 100, abs=0.01)


def test_a_velocity_is_kept_until_the_end_is_near():
    shaper = VelocityShaper(LIMITS)
    shaper.start(0.0)
    speeds = [shaper.follow(0.7, 0.005).velocity for _ in range(400)]
    assert max(speeds) == pytest.approx(0.7, abs=1e-5)
    assert shaper.follow(0.7, 3.0).position == pytest.approx(2.0, abs=1e-6)
    assert speeds[100] == pytest.approx(0.7, abs=1e-5)


@pytest.mark.parametrize("lie", ["jerk", "velocity", "acceleration", "beyond", "nan", "back and forth", "error"])
def test_a_planner_that_lies_breaks_no_limit(lie: str, monkeypatch: pytest.MonkeyPatch):
    phases = {
        "jerk": (Phase(1.0, 101.0),),
        "velocity": (Phase(0.001, 100.0), Phase(9.0, 0.0)),
        "acceleration": (Phase(9.0, 100.0),),
        "beyond": (Phase(9.0, 0.0),),
        "nan": (Phase(9.0, math.nan),),
        "back and forth": (Phase(0.05, 100.0), Phase(0.1, -100.0), Phase(0.1, 100.0)) * 9,
        "error": (),
    }[lie]
    shaper = PositionShaper(LIMITS)
    shaper.start(0.0)
    for _ in range(100):
        shaper.follow(2.0, 0.005)  # fast now
    monkeypatch.setattr(shaper, "planned", lambda target, least: phases or None)
    for seconds in (0.005, 0.1):
        assert_within_limits(shaper, [(1.5, False, 400, seconds)])
    if lie == "error":
        assert shaper.state.velocity == 0  # it stopped
    else:
        assert shaper.overruled > 0


@given(st.floats(-1, 2), st.floats(-5, 5), st.floats(0.01, 5.0))
def test_a_target_that_is_to_be_reached_later_is_reached_then_and_not_before(start: float, target: float, least: float):
    end = LIMITS.clipped(target)
    assume(abs(start - end) > 0.01)
    took = []
    for asked in (0.0, least):
        shaper, left, steps = PositionShaper(LIMITS), asked, 0
        shaper.start(start)
        while abs(shaper.state.position - end) > 1e-6 or not shaper.rests:
            shaper.follow(target, 0.005, left)
            left, steps = left - 0.005, steps + 1
            assert steps < 4000
        took.append(steps * 0.005)
        assert shaper.overruled == 0
    assert took[1] == pytest.approx(max(least, took[0]), abs=0.03)


@given(st.lists(st.tuples(wishes, st.floats(0, 3), st.integers(1, 60)), min_size=1, max_size=12))
def test_targets_that_change_while_they_are_approached_slowly_can_be_planned(asked: list):
    shaper = PositionShaper(LIMITS)
    shaper.start(0.0)
    for target, least, steps in asked:
        for step in range(steps):
            shaper.follow(target, 0.005, least - 0.005 * step)
    assert shaper.overruled == 0
