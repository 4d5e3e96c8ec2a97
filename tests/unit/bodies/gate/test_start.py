"""Where the gate begins and begins again, and what it takes for a measurement."""

from __future__ import annotations

import math

import pytest
from robot_agent_bodies.gate.gate import Gate
from robot_agent_bodies.gate.status import Refusal, Status

from tests.unit.bodies.gate.bench import CONFIG, PERIOD, Bench


def test_nothing_is_sent_before_all_joints_are_measured_and_the_first_output_is_where_they_are():
    bench = Bench()
    bench.robot = None
    assert bench.run(0.1).states is None
    assert bench.gate.status is Status.WAITING_FOR_JOINTS
    assert bench.send([0.0, 0.0]) is Refusal.WAITING_FOR_JOINTS
    bench.gate.measure(("a",), [0.5], [], bench.now.ros, bench.now)
    assert bench.run(0.01).gate.detail == "not measured: b"
    bench.robot = [0.7, -0.2]
    assert bench.run(PERIOD).positions == [0.7, -0.2]
    assert bench.run(0.1).gate.status is Status.HOLDING


def test_it_does_not_start_beyond_limits_but_a_little_at_a_stop_is_allowed():
    bench = Bench()
    bench.robot = [2.2, 0.0]
    assert bench.run(0.1).states is None
    assert bench.gate.status is Status.OUTSIDE_LIMITS
    assert bench.gate.detail == "a is at 2.200, expected -1.000 to 2.000"
    bench.robot = [2.02, 0.0]
    before = 2.02
    for _ in range(100):
        position, other = bench.run(PERIOD).positions
        assert before - 2.0 * PERIOD <= position <= before  # comes back, and does not jump
        assert other == 0.0
        before = position
    assert before == pytest.approx(2.0, abs=1e-6)


@pytest.mark.parametrize("velocities", [[], [math.nan, math.nan]], ids=["missing", "nan"])
def test_it_does_not_start_while_a_joint_moves_though_nobody_measures_speeds(velocities: list[float]):
    bench = Bench()
    position = 0.0
    for _ in range(100):
        bench.gate.measure(("a", "b"), [position, 0.5], velocities, bench.now.ros, bench.now)
        assert bench.gate.step(bench.now) is None
        assert bench.gate.status is Status.WAITING_FOR_REST
        position += 0.3 * PERIOD
        bench.steady += PERIOD
    assert bench.gate.detail == "a: moves at 0.300"
    for _ in range(30):
        bench.gate.measure(("a", "b"), [position, 0.5], velocities, bench.now.ros, bench.now)
        states = bench.gate.step(bench.now)
        bench.steady += PERIOD
    assert bench.gate.status is Status.HOLDING
    assert [state.position for state in states] == [position, 0.5]


def test_it_does_not_start_while_a_joint_says_that_it_moves():
    bench = Bench()
    bench.gate.measure(("a", "b"), [0.0, 0.0], [0.0, -0.2], bench.now.ros, bench.now)
    assert bench.gate.step(bench.now) is None
    assert bench.gate.detail == "b: moves at 0.200"
    assert bench.run(PERIOD).gate.status is Status.HOLDING


def test_a_gate_that_begins_again_begins_from_its_last_command_where_the_joints_sag_from_it():
    bench = Bench()
    bench.obeys = False
    for _ in range(5):
        bench.gate = Gate(CONFIG, last={"a": 0.56, "b": -0.44})
        assert bench.run(PERIOD).positions == [0.56, -0.44]
        assert bench.run(0.5).positions == [0.56, -0.44]


@pytest.mark.parametrize("last", [{"a": 0.9, "b": -0.5}, {"a": 0.5}, {"a": math.nan, "b": math.inf}])
def test_a_last_command_that_the_joints_do_not_rest_at_is_forgotten(last: dict[str, float]):
    bench = Bench()
    bench.gate = Gate(CONFIG, last=last)
    assert bench.run(0.1).positions == [0.5, -0.5]


@pytest.mark.parametrize(
    ("names", "positions", "velocities", "age", "refusal"),
    [
        (("a", "b"), [math.nan, 0.0], [], 0, Refusal.NON_FINITE),
        (("a", "b"), [0.0], [], 0, Refusal.MALFORMED),
        (("a", "b"), [0.0, 0.0], [0.0], 0, Refusal.MALFORMED),
        (("a", "a"), [0.0, 0.0], [], 0, Refusal.DUPLICATE_JOINT),
        (("x", "y"), [0.0, 0.0], [], 0, Refusal.MISSING_JOINT),
        (("a", "b"), [0.0, 0.0], [], 0.3, Refusal.STALE_STAMP),
        (("a", "b"), [0.0, 0.0], [], -0.3, Refusal.FUTURE_STAMP),
    ],
)
def test_joint_states_that_make_no_sense_are_ignored(names, positions, velocities, age, refusal):
    bench = Bench()
    stamp = bench.now.ros - round(age * 1e9)
    assert bench.gate.measure(names, positions, velocities, stamp, bench.now) is refusal
    assert bench.gate.ignored == {refusal: 1}
    assert bench.gate.step(bench.now) is None


def test_joints_may_come_in_several_messages_in_any_order_among_others():
    bench = Bench()
    bench.gate.measure(("gripper", "b"), [9.0, -0.5], [math.nan, 0.0], bench.now.ros, bench.now)
    bench.gate.measure(("a",), [0.25], [0.0], bench.now.ros, bench.now)
    bench.robot = None
    assert bench.run(PERIOD).positions == [0.25, -0.5]


@pytest.mark.parametrize("stop", [False, True])
def test_a_driver_that_starts_again_with_the_robot_elsewhere_is_not_pulled_back(stop: bool):
    bench = Bench().run(0.5, [1.0, 1.0])
    if stop:
        bench.gate.stop()
    bench.robot = None
    bench.run(0.6)
    assert bench.run(0.1).states is None
    assert bench.gate.status is (Status.STOPPED if stop else Status.JOINTS_LOST)
    bench.robot, bench.obeys = [-0.4, 1.9], False
    assert bench.run(PERIOD).positions == [-0.4, 1.9]
    assert bench.run(0.5).positions == [-0.4, 1.9]
    assert bench.gate.status is (Status.STOPPED if stop else Status.HOLDING)


def test_a_driver_that_starts_again_with_the_robot_beyond_its_limits_gets_nothing():
    bench = Bench().run(0.5, [1.0, 1.0])
    bench.robot = None
    bench.run(0.6)
    bench.robot = [2.5, 0.0]
    assert bench.run(0.1).states is None
    assert bench.gate.status is Status.OUTSIDE_LIMITS
    assert bench.send([1.0, 1.0]) is Refusal.OUTSIDE_LIMITS


def test_an_arm_that_hangs_where_it_was_seen_last_goes_on_as_it_was_told():
    bench = Bench().run(1.0, [1.0, 1.0]).run(1.0)
    told, bench.obeys = bench.positions, False
    bench.robot = hanging = [position - 0.05 for position in told]
    bench.run(0.1)
    bench.robot = None
    assert bench.run(0.5).states is None
    bench.robot = [position + 0.01 for position in hanging]
    assert bench.run(PERIOD).positions == told
    bench.robot = None
    bench.run(0.5)
    bench.robot = [position - 0.04 for position in hanging]
    assert bench.run(PERIOD).positions == bench.robot


def test_without_joint_states_the_robot_is_stopped_until_they_are_back():
    bench = Bench().run(0.2, [2.0, 2.0])
    bench.robot = None
    while bench.run(PERIOD, [2.0, 2.0]).states is not None:
        stopped = bench.positions
    assert bench.gate.status is Status.JOINTS_LOST
    assert bench.gate.rests
    bench.run(0.3, [2.0, 2.0])
    assert bench.gate.refused[Refusal.JOINTS_LOST] > 5
    assert bench.states is None
    bench.robot, bench.obeys = [position - 0.1 for position in stopped], False
    assert bench.run(PERIOD).positions == bench.robot
    assert bench.run(0.1, [2.0, 2.0]).gate.status is Status.FOLLOWING


def test_a_robot_that_stood_still_while_the_output_went_on_is_held_where_it_is():
    bench = Bench().run(0.1).run(0.4, [2.0, 2.0])
    bench.obeys, dead = False, bench.robot  # the driver dies in mid-motion, and the servos stay where they are
    assert dead is not None
    bench.robot = None
    assert bench.run(1.0, [2.0, 2.0]).states is None
    bench.robot = dead
    assert bench.run(PERIOD).positions == dead
