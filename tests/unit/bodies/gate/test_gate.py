"""The gate's judgement: what counts, what is refused under which name, and what the robot gets in the meantime."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from robot_agent_bodies.gate.brake import State
from robot_agent_bodies.gate.config import GateConfig
from robot_agent_bodies.gate.gate import Command, Gate, Now, Refusal, Status

CONFIG = GateConfig(
    joints=("a", "b"), lower=(-1.0,), upper=(2.0,), velocity=(2.0,), acceleration=(10.0,), jerk=(100.0,)
)
EPOCH = 1_800_000_000 * 10**9
PERIOD = 0.005


class Bench:
    """A gate, its clocks, and a robot that obeys at once unless it is told otherwise."""

    def __init__(self, **changes: Any) -> None:
        self.gate = Gate(replace(CONFIG, **changes))
        self.steady, self.ros_ahead, self.system_ahead = 100.0, 0.0, 0.0
        self.robot: list[float] | None = [0.5, -0.5]
        self.obeys = True
        self.states: tuple[State, ...] | None = None

    @property
    def now(self) -> Now:
        ns = EPOCH + round(self.steady * 1e9)
        return Now(self.steady, ns + round(self.ros_ahead * 1e9), ns + round(self.system_ahead * 1e9))

    def run(self, seconds: float, wish: list[float] | None = None, every: float = 1 / 30) -> Bench:
        """Lets time pass, with the agent's commands in it or without."""
        end, next_command = self.steady + seconds, self.steady
        while self.steady < end - 1e-9:
            if wish is not None and self.steady >= next_command:
                self.send(wish)
                next_command += every
            if self.robot is not None and self.gate.config.measures:
                self.gate.measure(("a", "b"), self.robot, [0.0, 0.0], self.now.ros, self.now)
            self.states = self.gate.step(self.now)
            if self.obeys and self.states and self.robot is not None:
                self.robot = [state.position for state in self.states]
            self.steady += PERIOD
        return self

    def send(self, values: list[float] | None, age: float = 0.0, **changes: Any) -> Refusal | None:
        now = self.now
        stamp, source = now.ros - round(age * 1e9), now.system - round(age * 1e9)
        return self.gate.command(replace(Command(("a", "b"), values, stamp, source, b"agent"), **changes), now)

    @property
    def positions(self) -> list[float]:
        assert self.states is not None
        return [state.position for state in self.states]


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


def test_commands_are_followed():
    bench = Bench().run(0.1).run(2.0, [1.0, 0.0])
    assert bench.gate.status is Status.FOLLOWING
    assert bench.positions == pytest.approx([1.0, 0.0], abs=1e-5)
    assert bench.gate.refused == {}


def test_joints_are_told_apart_by_name():
    bench = Bench().run(0.1)
    for _ in range(60):
        bench.send([0.0, 1.0], joints=("b", "a"))
        bench.run(1 / 30)
    assert bench.positions == pytest.approx([1.0, 0.0], abs=1e-5)


@pytest.mark.parametrize(
    ("changes", "age", "refusal"),
    [
        ({"joints": ("a", "b", "c"), "values": [0.0] * 3}, 0, Refusal.UNKNOWN_JOINT),
        ({"joints": ("a",), "values": [0.0]}, 0, Refusal.MISSING_JOINT),
        ({"joints": (), "values": []}, 0, Refusal.MISSING_JOINT),
        ({"joints": ("a", "a")}, 0, Refusal.DUPLICATE_JOINT),
        ({"joints": ("a", "B")}, 0, Refusal.UNKNOWN_JOINT),
        ({"values": [0.0]}, 0, Refusal.MALFORMED),
        ({"values": None}, 0, Refusal.MALFORMED),
        ({"values": [0.0, math.nan]}, 0, Refusal.NON_FINITE),
        ({"values": [math.inf, 0.0]}, 0, Refusal.NON_FINITE),
        ({"unused": [math.nan]}, 0, Refusal.NON_FINITE),
        ({"seconds": math.nan}, 0, Refusal.NON_FINITE),
        ({"seconds": -1.0}, 0, Refusal.MALFORMED),
        ({"frame": "odom"}, 0, Refusal.WRONG_FRAME),
        ({}, 0.11, Refusal.STALE_STAMP),
        ({"stamp": 0}, 0, Refusal.STALE_STAMP),
        ({}, -0.06, Refusal.FUTURE_STAMP),
        ({"source": 0}, 0, Refusal.STALE_SOURCE),
        ({"source": EPOCH}, 0, Refusal.STALE_SOURCE),
        ({"source": 2 * EPOCH}, 0, Refusal.FUTURE_SOURCE),
        ({"publisher": None}, 0, Refusal.FOREIGN_PUBLISHER),
        ({"publisher": b"other"}, 0, Refusal.FOREIGN_PUBLISHER),
    ],
)
def test_what_is_refused_has_a_name_and_changes_nothing(changes: dict[str, Any], age: float, refusal: Refusal):
    bench, twin = (Bench().run(PERIOD).run(0.3, [1.0, 1.0]) for _ in range(2))
    assert bench.send(**{"values": [-1.0, -1.0], "age": age, **changes}) is refusal
    assert bench.gate.refused == {refusal: 1}
    assert bench.run(0.5).positions == twin.run(0.5).positions


def test_the_second_agent_is_refused_until_the_first_has_been_silent():
    bench = Bench().run(1.0, [1.0, 1.0])
    assert bench.send([0.0, 0.0], publisher=b"second") is Refusal.FOREIGN_PUBLISHER
    bench.run(0.9)
    assert bench.send([0.0, 0.0], publisher=b"second") is Refusal.FOREIGN_PUBLISHER
    # What is refused does not keep the first one's place: not old commands of its own, and none of the second's.
    assert bench.send([0.0, 0.0], age=0.2) is Refusal.STALE_STAMP
    bench.run(0.2)
    assert bench.send([0.0, 0.0], publisher=b"second") is None
    assert bench.send([0.0, 0.0]) is Refusal.FOREIGN_PUBLISHER


@given(st.floats(0, 0.099), st.floats(0.05, 1.0))
def test_a_hold_begins_when_the_last_command_is_too_old_by_its_stamp(age: float, moving: float):
    bench = Bench().run(0.1).run(moving, [2.0, 2.0])
    bench.send([2.0, 2.0], age=age)
    ends = bench.steady + 0.1 - age
    while bench.steady < ends - 1e-9:
        bench.run(PERIOD)
        assert bench.gate.status is Status.FOLLOWING
    assert bench.run(2 * PERIOD).gate.status is Status.HOLDING
    bench.run(1.0)
    assert bench.gate.rests
    assert bench.run(1.0).positions == bench.positions


def test_a_stop_latches_until_reset():
    bench = Bench().run(PERIOD).run(0.3, [2.0, 2.0])
    bench.gate.stop()
    bench.run(1.0, [2.0, 2.0])
    assert bench.gate.status is Status.STOPPED
    assert bench.gate.rests
    assert bench.gate.refused == {Refusal.STOPPED: 30}
    held = bench.positions
    assert bench.run(5.0).positions == held
    assert bench.gate.reset(bench.now) == "was stopped"
    assert bench.run(0.2).gate.status is Status.HOLDING
    assert bench.positions == held  # what was asked for before the reset is forgotten
    assert bench.run(2.0, [1.0, 1.0]).positions == pytest.approx([1.0, 1.0], abs=1e-5)


@given(st.lists(st.sampled_from(["command", "measure", "enable", "stop", "jump"]), max_size=20))
def test_nothing_but_a_reset_opens_a_stopped_gate(events: list[str]):
    bench = Bench().run(0.2, [1.0, 1.0])
    bench.gate.stop()
    bench.run(1.0)
    held = bench.positions
    for event in events:
        if event == "command":
            assert bench.send([0.0, 0.0]) is Refusal.STOPPED
        elif event == "enable":
            bench.gate.enable(True, bench.now)
        elif event == "stop":
            bench.gate.stop()
        elif event == "jump":
            bench.ros_ahead -= 1.0
        assert bench.run(0.05).positions == held
        assert bench.gate.status is Status.STOPPED


def test_a_switch_that_is_required_must_be_on_and_a_stop_turns_it_off():
    bench = Bench(require_enable=True).run(0.1)
    assert bench.gate.status is Status.NOT_ENABLED
    assert bench.send([1.0, 1.0]) is Refusal.NOT_ENABLED
    bench.gate.enable(True, bench.now)
    assert bench.run(0.2, [1.0, 1.0]).gate.status is Status.FOLLOWING
    bench.gate.enable(False, bench.now)
    assert bench.run(PERIOD).gate.status is Status.NOT_ENABLED
    bench.gate.enable(True, bench.now)
    bench.gate.stop()
    bench.gate.reset(bench.now)
    assert bench.run(PERIOD).gate.status is Status.NOT_ENABLED


def test_a_dead_mans_switch_must_be_held():
    bench = Bench(require_enable=True, enable_timeout=0.5).run(0.1)
    bench.gate.enable(True, bench.now)
    assert bench.run(0.4, [1.0, 1.0]).gate.status is Status.FOLLOWING
    assert bench.run(0.2, [1.0, 1.0]).gate.status is Status.NOT_ENABLED


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


def test_a_robot_that_stood_still_while_the_output_went_on_is_held_where_it_is():
    bench = Bench().run(0.1).run(0.4, [2.0, 2.0])
    bench.obeys, dead = False, bench.robot  # the driver dies in mid-motion, and the servos stay where they are
    assert dead is not None
    bench.robot = None
    assert bench.run(1.0, [2.0, 2.0]).states is None
    bench.robot = dead
    assert bench.run(PERIOD).positions == dead


@pytest.mark.parametrize("loses", ["before the reset", "in mid-return", "while braking"])
def test_an_output_that_was_to_return_to_a_robot_does_so_when_the_robot_is_seen_again(loses: str):
    bench = Bench(joint_timeout=0.05, tracking_time=0.0 if loses == "while braking" else 0.5).run(0.1)
    bench.obeys, still = False, [0.5, -0.5]
    while bench.gate.status is not Status.NOT_FOLLOWING:
        bench.run(PERIOD, [2.0, -2.0])
    if loses != "while braking":
        bench.run(1.0)
    if loses == "in mid-return":
        bench.gate.reset(bench.now)
        bench.run(0.3)
        assert abs(bench.positions[0] - still[0]) > 0.2
        bench.robot = None
        assert bench.run(1.0).states is None
    else:
        bench.robot = None
        bench.run(0.06)
        assert bench.gate.rests == (loses == "before the reset")
        bench.gate.reset(bench.now)
        bench.run(0.5 if bench.gate.rests else PERIOD)
    bench.robot = still
    bench.run(PERIOD)
    before = bench.positions
    for _ in range(600):
        bench.run(PERIOD)
        assert max(abs(a - b) for a, b in zip(bench.positions, before, strict=True)) <= 2.0 * PERIOD * (1 + 1e-9)
        before = bench.positions
    assert bench.positions == pytest.approx(still, abs=1e-5)
    assert bench.gate.status is Status.HOLDING


def test_a_driver_that_starts_again_with_the_robot_beyond_its_limits_gets_nothing():
    bench = Bench().run(0.5, [1.0, 1.0])
    bench.robot = None
    bench.run(0.6)
    bench.robot = [2.5, 0.0]
    assert bench.run(0.1).states is None
    assert bench.gate.status is Status.OUTSIDE_LIMITS
    assert bench.send([1.0, 1.0]) is Refusal.OUTSIDE_LIMITS


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


def test_a_robot_that_does_not_follow_is_stopped_until_reset_and_the_output_returns_to_it_within_limits():
    bench = Bench().run(0.1)
    bench.obeys = False  # at 0.5, -0.5
    bench.run(2.0, [2.0, -0.5])
    assert bench.gate.status is Status.NOT_FOLLOWING
    assert bench.gate.rests
    assert bench.gate.detail.startswith("a is ")
    assert bench.run(1.0, [2.0, -0.5]).gate.status is Status.NOT_FOLLOWING
    assert bench.gate.reset(bench.now) == "was not_following"
    before = bench.positions[0]
    for _ in range(400):
        bench.run(PERIOD)
        assert abs(bench.positions[0] - before) <= 2.0 * PERIOD * (1 + 1e-9)  # returns, and does not jump
        before = bench.positions[0]
    assert bench.positions == pytest.approx([0.5, -0.5], abs=1e-5)
    assert bench.gate.status is Status.HOLDING


@pytest.mark.parametrize(("ros", "system"), [(-5.0, -5.0), (-5.0, 0.0), (5.0, 5.0), (0.0, -5.0), (0.0, 5.0)])
def test_after_a_clock_jumped_nothing_from_before_counts(ros: float, system: float):
    bench = Bench().run(0.3, [1.0, 1.0])
    # Sent a while ago, still on its way; then the clock goes back to about when it was sent.
    old = Command(("a", "b"), [-1.0, -1.0], bench.now.ros - round(-ros * 1e9), bench.now.system, b"agent")
    bench.ros_ahead += ros
    bench.system_ahead += system
    assert bench.gate.command(replace(old, source=bench.now.system), bench.now) is not None
    bench.run(PERIOD)
    assert bench.gate.status is Status.CLOCK_JUMPED
    bench.run(0.15)
    assert bench.run(0.1, [1.0, 1.0]).gate.status is Status.FOLLOWING


def test_a_clock_that_stands_still_or_runs_fast_as_a_simulators_does_is_no_jump():
    bench = Bench().run(0.1)
    for rate in (-1.0, 3.0):  # on top of real time: stands still, four times as fast
        for _ in range(100):
            bench.ros_ahead += rate * PERIOD
            bench.run(PERIOD)
            assert bench.gate.status is Status.HOLDING


def test_after_a_pause_of_the_process_the_output_goes_on_where_it_was():
    bench = Bench().run(0.25, [2.0, 2.0])
    before = bench.states
    bench.steady += 2.0
    states = bench.gate.step(bench.now)
    assert states is not None
    assert before is not None
    for old, new in zip(before, states, strict=True):
        assert abs(new.position - old.position) <= 2.0 * 2 * PERIOD
    assert bench.gate.status is Status.JOINTS_LOST


def test_a_stop_between_two_outputs_moves_by_the_time_that_passed():
    bench = Bench().run(0.5, [2.0, 2.0])
    speed = bench.states[0].velocity
    bench.steady += 0.001 - PERIOD
    bench.gate.stop()
    state = bench.gate.step(bench.now)[0]
    assert state.position - bench.states[0].position == pytest.approx(speed * 0.001, rel=0.01)
    assert state.velocity < speed or state.acceleration < bench.states[0].acceleration


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


def test_a_command_may_ask_for_more_time_than_limits_need():
    bench = Bench().run(0.1)
    for step in range(90):
        bench.send([1.0, 0.0], seconds=3.0 - step / 30)
        bench.run(1 / 30)
        if step == 44:
            assert bench.positions == pytest.approx([0.75, -0.25], abs=0.02)
    assert bench.positions == pytest.approx([1.0, 0.0], abs=0.005)


@pytest.mark.parametrize("output", ["forward_position", "joint_trajectory"])
def test_the_output_stays_near_a_robot_that_does_not_move(output: str):
    bench = Bench(output=output, tracking_error=0.2).run(2.0)
    bench.obeys = False
    bench.run(5.0, [2.0, -1.0])
    assert bench.gate.status is Status.NOT_FOLLOWING
    assert bench.positions == pytest.approx([0.7, -0.7], abs=1e-6)
