"""The fastest stop, against ruckig's and against small steps."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from robot_agent_bodies.gate.brake import State, moved, stop, stopping_extent
from robot_agent_bodies.gate.motion import Motion
from ruckig import ControlInterface, InputParameter, Ruckig, Trajectory

ACCELERATION, JERK = 10.0, 100.0
states = st.builds(
    State,
    st.floats(-3, 3),
    st.floats(-5, 5),
    st.floats(-ACCELERATION, ACCELERATION),
)


def stopping(state: State, seconds: float) -> State:
    return Motion(state, stop(state, ACCELERATION, JERK)).at(seconds)


@given(states)
def test_a_stop_ends_at_rest_within_acceleration_and_jerk(state: State):
    end = state
    for phase in stop(state, ACCELERATION, JERK):
        assert phase.seconds >= 0
        assert abs(phase.jerk) <= JERK
        end = moved(end, *phase)
        assert abs(end.acceleration) <= ACCELERATION * (1 + 1e-12)
    assert end.velocity == pytest.approx(0, abs=1e-9)
    assert end.acceleration == pytest.approx(0, abs=1e-9)


@given(states)
def test_no_stop_is_faster(state: State):
    """ruckig's velocity interface finds the same minimum another way."""
    problem, plan = InputParameter(1), Trajectory(1)
    problem.control_interface = ControlInterface.Velocity
    problem.current_position, problem.current_velocity = [state.position], [state.velocity]
    problem.current_acceleration, problem.target_velocity = [state.acceleration], [0.0]
    problem.max_velocity, problem.max_acceleration, problem.max_jerk = [100.0], [ACCELERATION], [JERK]
    Ruckig(1).calculate(problem, plan)
    assert sum(phase.seconds for phase in stop(state, ACCELERATION, JERK)) == pytest.approx(plan.duration, abs=1e-6)


@given(states, st.floats(0, 2), st.floats(0, 2))
def test_what_is_left_of_a_stop_is_the_stop_from_there(state: State, first: float, second: float):
    there = stopping(state, first)
    assert stopping(there, second) == pytest.approx(stopping(state, first + second), abs=1e-7)


@given(states)
@example(State(0.0, 0.0, 1.0))  # at rest for a moment, about to move
def test_how_far_a_stop_goes(state: State):
    seconds = sum(phase.seconds for phase in stop(state, ACCELERATION, JERK))
    assume(seconds > 1e-3)
    path = [stopping(state, seconds * step / 2000) for step in range(2001)]
    extent = stopping_extent(state, ACCELERATION, JERK)
    step = seconds / 2000 * max(abs(one.velocity) for one in path)
    assert min(one.position for one in path) == pytest.approx(extent.low, abs=step + 1e-9)
    assert max(one.position for one in path) == pytest.approx(extent.high, abs=step + 1e-9)
    assert min(one.position for one in path) >= extent.low - 1e-9
    assert max(one.position for one in path) <= extent.high + 1e-9
    fastest = max(abs(one.velocity) for one in path)
    assert fastest <= extent.speed + 1e-9
    assert fastest >= extent.speed - seconds / 2000 * ACCELERATION - 1e-9


def test_rest_is_exact():
    assert stopping(State(1.0, 0.5, 3.0), 10.0)[1:] == (0.0, 0.0)
    assert stopping(State(1.0, 0.0, 0.0), 0.005) == State(1.0, 0.0, 0.0)
    assert math.isfinite(stopping(State(1.0, 1e300, 0.0), 1.0).velocity)
