"""The gate's judgement: what counts, what is refused under which name, and what the robot gets in the meantime."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from robot_agent_bodies.gate.command import Command
from robot_agent_bodies.gate.status import Refusal, Status

from tests.unit.bodies.gate.bench import EPOCH, PERIOD, Bench


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


@pytest.mark.parametrize("frame", ["", "base_link", "base_footprint"])
def test_a_command_may_be_in_the_bodys_frame_by_any_name_of_it(frame: str):
    bench = Bench(frame_id="base_footprint").run(0.1)
    assert bench.send([0.5, -0.5], frame=frame) is None
