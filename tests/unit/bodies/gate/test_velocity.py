"""Bodies that are moved by velocity."""

from __future__ import annotations

import pytest
from robot_agent_bodies.gate.status import Status

from tests.unit.bodies.gate.bench import PERIOD, Bench


def test_a_rover_holds_by_standing_still():
    bench = Bench(output="twist", joints=("linear.x", "angular.z"), lower=(), upper=())
    names = ("linear.x", "angular.z")
    assert [state.velocity for state in bench.run(PERIOD).states] == [0.0, 0.0]
    for _ in range(30):
        assert bench.send([9.0, -1.0], joints=names) is None
        bench.run(1 / 30)
    assert [state.velocity for state in bench.states] == pytest.approx([2.0, -1.0], abs=1e-5)
    assert bench.gate.clipped == 30
    assert [state.velocity for state in bench.run(1.0).states] == [0.0, 0.0]
    assert bench.gate.status is Status.HOLDING


def test_an_arm_that_is_moved_by_velocity_stops_before_its_ends_as_they_are_measured():
    bench = Bench(output="forward_velocity").run(0.1)
    position = 0.5
    for _ in range(600):
        bench.send([2.0, 0.0])
        bench.robot = [position, -0.5]
        bench.obeys = False
        bench.run(PERIOD)
        position += 1.02 * bench.states[0].velocity * PERIOD  # 2 % faster than asked for
    assert position == pytest.approx(2.0, abs=0.01)
    assert bench.states[0].velocity == pytest.approx(0, abs=0.05)


def test_an_arm_that_is_moved_by_velocity_comes_back_from_beyond_its_end_and_goes_no_further():
    bench = Bench(output="forward_velocity", tracking_error=0.0)
    bench.robot, bench.obeys = [2.01, -0.5], False
    bench.run(0.1)
    for wanted, low, high in ((1.0, 0.0, 0.0), (-1.0, -1.0, -0.5)):
        for _ in range(200):
            bench.send([wanted, 0.0])
            bench.run(PERIOD)  # at 2.01, and the end is at 2
        assert low <= bench.states[0].velocity <= high


def test_an_encoder_that_stands_still_takes_no_joint_that_is_moved_by_velocity_beyond_its_end():
    bench = Bench(output="forward_velocity", tracking_error=0.0).run(0.1)
    bench.obeys, moved = False, 0.5
    for _ in range(1000):
        bench.send([2.0, 0.0])
        bench.run(PERIOD)  # is measured at 0.5
        moved += bench.states[0].velocity * PERIOD
    assert moved == pytest.approx(2.0, abs=0.02)


def test_a_joint_that_is_moved_by_velocity_and_does_not_move_is_not_following():
    bench = Bench(output="forward_velocity").run(0.1)
    bench.obeys = False
    bench.run(3.0, [0.3, 0.0])
    assert bench.gate.status is Status.NOT_FOLLOWING
    assert [state.velocity for state in bench.states] == [0.0, 0.0]
    assert bench.gate.reset(bench.now) == "was not_following"
    assert bench.run(0.5, [0.3, 0.0]).gate.status is Status.FOLLOWING


@pytest.mark.parametrize("gain", [0.9, 1.1])
def test_a_joint_that_is_moved_by_velocity_a_little_faster_or_slower_than_asked_for_is_following(gain: float):
    bench = Bench(output="forward_velocity").run(0.1)
    bench.obeys, position, way = False, 0.5, 1.0
    for step in range(8000):
        way = -1.0 if position > 1.5 else 1.0 if position < 0 else way
        if step % 6 == 0:
            bench.send([way, 0.0])
        bench.robot = [position, -0.5]
        bench.run(PERIOD)
        position += gain * bench.states[0].velocity * PERIOD
        assert bench.gate.status is not Status.NOT_FOLLOWING


def test_a_reset_in_the_middle_of_a_stop_makes_no_velocity_jump():
    bench = Bench(output="forward_velocity", tracking_error=0.1, tracking_time=0.0).run(0.1)
    bench.obeys = False
    while bench.gate.status is not Status.NOT_FOLLOWING:
        bench.run(PERIOD, [2.0, 0.0])
    before = bench.states[0]
    assert before.velocity > 0.5
    bench.gate.reset(bench.now)
    after = bench.run(PERIOD).states[0]
    assert abs(after.velocity - before.velocity) <= 10.0 * PERIOD
    assert after.position == pytest.approx(0.5, abs=0.02)  # it counts from where it is measured
