"""Tables and walls hold the robot at their border, whatever it is asked for."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from robot_agent_bodies.errors import ParameterError
from robot_agent_bodies.fake_controller import FakeJointTrajectoryController
from robot_agent_bodies.gate.config import GateConfig
from robot_agent_bodies.gate.gate import Command, Gate, Now, Status
from robot_agent_bodies.gate.keep_out import Box, KeepOut, Plane, zone

URDF = """<robot name="arm">
  <link name="base"/><link name="upper"/><link name="lower"/><link name="tip"/>
  <joint name="turn" type="revolute"><parent link="base"/><child link="column"/>
    <axis xyz="0 0 1"/><limit lower="-3" upper="3" velocity="2" effort="1"/></joint>
  <link name="column"/>
  <joint name="lift" type="revolute"><parent link="column"/><child link="upper"/><origin xyz="0 0 0.3"/>
    <axis xyz="0 1 0"/><limit lower="-1.6" upper="1.6" velocity="2" effort="1"/></joint>
  <joint name="bend" type="revolute"><parent link="upper"/><child link="lower"/><origin xyz="0.3 0 0"/>
    <axis xyz="0 1 0"/><limit lower="-2.5" upper="2.5" velocity="2" effort="1"/></joint>
  <joint name="hand" type="fixed"><parent link="lower"/><child link="tip"/><origin xyz="0.2 0 0"/></joint>
</robot>"""
JOINTS = ("turn", "lift", "bend")
EPOCH = 1_800_000_000 * 10**9
PERIOD = 0.005
MARGIN = 0.03
angles = st.tuples(st.floats(-3, 3), st.floats(-1.6, 1.6), st.floats(-2.5, 2.5))


def elbow_and_tip(turn: float, lift: float, bend: float) -> np.ndarray:
    """By hand: (2, 3)."""
    elbow = 0.3 * np.array([math.cos(lift), -math.sin(lift)])
    tip = elbow + 0.2 * np.array([math.cos(lift + bend), -math.sin(lift + bend)])
    return np.array([[math.cos(turn) * r, math.sin(turn) * r, 0.3 + z] for r, z in (elbow, tip)])


def links(positions: tuple[float, ...]) -> np.ndarray:
    """Many points on both links, by hand."""
    (elbow, tip), shoulder = elbow_and_tip(*positions), np.array([0, 0, 0.3])
    shares = np.linspace(0, 1, 50)[:, None]
    return np.concatenate([shoulder + shares * (elbow - shoulder), elbow + shares * (tip - elbow)])


class Robot:
    """A gate over an arm with zones, whose outputs are kept."""

    def __init__(self, *zones: str, start: tuple[float, ...] = (0.0, -0.5, 0.5), **changes: Any) -> None:
        limits: dict[str, Any] = {"acceleration": (10.0,), "jerk": (200.0,), "keep_out": zones}
        self.gate = Gate(GateConfig(**{"joints": JOINTS, "robot_description": URDF, **limits, **changes}))
        self.time, self.random = 100.0, random.Random(0)
        self.position, self.lived = start, [start]
        self.controller = FakeJointTrajectoryController(start, self.ns)
        self.speeds = [0.0, 0.0, 0.0]

    @property
    def ns(self) -> int:
        return EPOCH + round(self.time * 1e9)

    def run(self, seconds: float, wish: tuple[float, ...] | None = None, pauses: float = 0.0) -> Robot:
        end, commands_at = self.time + seconds, self.time
        output = self.gate.config.output
        while self.time < end - 1e-9:
            now = Now(self.time, self.ns, self.ns)
            self.gate.measure(JOINTS, self.position, [0.0] * 3, self.ns, now)
            if wish is not None and self.time >= commands_at:
                self.gate.command(Command(JOINTS, wish, self.ns, self.ns, b"agent"), now)
                commands_at += 1 / 30
            states = self.gate.step(now)
            passed = PERIOD + self.random.uniform(0, pauses)
            if output == "joint_trajectory" and self.gate.trajectory is not None:
                assert self.controller.receive(*self.gate.trajectory, self.ns) == ""
                for step in range(1, 6):
                    at = self.controller.at(self.ns + round(step / 5 * passed * 1e9))
                    self.lived.append(tuple(state.position for state in at))
                self.position = self.lived[-1]
            elif output == "forward_velocity" and states is not None:
                moves = [state.velocity * passed for state in states]
                self.position = tuple(a + b for a, b in zip(self.position, moves, strict=True))
                self.lived.append(self.position)
            elif states is not None:
                self.position = tuple(state.position for state in states)
                self.lived.append(self.position)
            self.time += passed
        return self


@given(angles)
def test_points_are_where_the_urdf_says(positions: tuple[float, ...]):
    points = KeepOut(URDF, JOINTS, [Plane((0, 0, 1), 0)], 0.0).points(positions)
    for one in elbow_and_tip(*positions):
        assert np.linalg.norm(points - one, axis=1).min() < 1e-9


@given(angles, angles)
def test_no_point_moves_by_more_than_joints_times_their_reach(before: tuple[float, ...], after: tuple[float, ...]):
    robot = KeepOut(URDF, JOINTS, [Plane((0, 0, 1), 0)], 0.0)
    moved = np.linalg.norm(robot.points(before) - robot.points(after), axis=1).max()
    assert moved <= sum(r * abs(b - a) for r, a, b in zip(robot.reach, before, after, strict=True)) + 1e-9


def test_how_far_it_is_to_a_zone():
    points = np.array([[0.0, 0.0, 0.5], [0.0, 0.0, -0.5], [2.0, 3.0, 0.0], [0.9, 0.0, 0.0]])
    assert zone("plane 0 0 2 0.2").distance(points) == pytest.approx([0.4, -0.6, -0.1, -0.1])
    box = zone("box 1 1 1 -1 -1 -1")
    assert isinstance(box, Box)
    assert box.distance(points) == pytest.approx([-0.5, -0.5, math.sqrt(5), -0.1])


TABLE = "plane 0 0 1 0.15"
PILLAR = "box 0.25 0.15 0 0.4 0.3 1"


@pytest.mark.parametrize("output", ["forward_position", "joint_trajectory"])
@pytest.mark.parametrize("pauses", [0.0, 0.02])
def test_hostile_commands_bring_no_link_into_a_zone(output: str, pauses: float):
    robot = Robot(TABLE, PILLAR, output=output, velocity=(2.0,)).run(1.0)
    draw = random.Random(3)
    for _ in range(60):
        wish = tuple(draw.choice((-9.0, 9.0, draw.uniform(-3, 3))) for _ in JOINTS)
        robot.run(draw.uniform(0.05, 0.6), draw.choice((wish, wish, None)), pauses)
    nearest = min(
        float(one.distance(links(positions)).min()) for one in (zone(TABLE), zone(PILLAR)) for positions in robot.lived
    )
    assert MARGIN <= nearest < MARGIN + 0.01
    assert all(max(one) - min(one) > 0.5 for one in zip(*robot.lived, strict=True))  # it moved


@pytest.mark.parametrize("far", [1e308, -1e308, 1e6])
def test_a_command_that_is_as_far_as_numbers_go_takes_no_longer_to_judge(far: float):
    robot = Robot(TABLE, velocity=(1.0,)).run(0.2)
    for joint in range(3):
        robot.run(1.0, tuple(far if index == joint else 0.0 for index in range(3)))
    robot.run(1.0, (far, far, far))
    assert min(float(zone(TABLE).distance(links(one)).min()) for one in robot.lived) >= MARGIN


def test_a_velocity_body_stops_before_a_zone():
    robot = Robot(TABLE, output="forward_velocity", velocity=(1.0,)).run(0.2).run(2.0, (0.0, 0.6, 0.0))
    nearest = min(float(zone(TABLE).distance(links(positions)).min()) for positions in robot.lived)
    assert MARGIN - 0.005 <= nearest < MARGIN + 0.02
    assert robot.gate.held_back > 0


def test_the_robot_slows_down_before_a_table_and_rests_at_its_border():
    robot = Robot(TABLE, velocity=(1.0,)).run(0.2)
    robot.run(3.0, (0.0, 1.0, 0.0))
    assert robot.gate.status is Status.FOLLOWING
    assert robot.gate.rests
    assert elbow_and_tip(*robot.position)[:, 2].min() == pytest.approx(0.15 + MARGIN, abs=0.01)
    assert robot.gate.held_back < 20
    assert robot.run(1.0, (0.0, 1.0, 0.0)).gate.rests
    robot.run(2.0, (0.0, -0.5, 0.5))
    assert robot.position == pytest.approx((0.0, -0.5, 0.5), abs=1e-3)


def test_a_robot_that_rests_a_little_inside_may_leave_and_go_no_deeper():
    robot = Robot(TABLE, start=(0.0, 0.29, 0.0), velocity=(1.0,))
    before = elbow_and_tip(*robot.position)[1, 2]
    assert 0.15 < before < 0.15 + MARGIN
    robot.run(0.2).run(1.0, (0.0, 1.0, 0.0))
    assert elbow_and_tip(*robot.position)[1, 2] >= before - 1e-9
    robot.run(1.0, (0.0, -0.2, 0.0)).run(2.0, (0.0, 1.0, 0.0))
    assert elbow_and_tip(*robot.position)[1, 2] >= 0.15 + MARGIN


def test_a_robot_that_is_deep_inside_gets_nothing():
    robot = Robot(TABLE, start=(0.0, 0.5, 0.0), velocity=(1.0,)).run(0.2, (0.0, 0.0, 0.0))
    assert robot.gate.status is Status.OUTSIDE_LIMITS
    assert robot.gate.detail.startswith("a link is 0.1")
    assert robot.lived == [(0.0, 0.5, 0.0)]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"keep_out": ("table",)}, "keep_out has 'table', expected 'plane NX NY NZ OFFSET'"),
        ({"keep_out": ("plane 0 0 0 1",)}, "keep_out has 'plane 0 0 0 1'"),
        ({"keep_out": ("plane 0 0 nan 1",)}, "keep_out has 'plane 0 0 nan 1'"),
        ({"keep_out": ("box 0 0 0 1 1 0",)}, "keep_out has 'box 0 0 0 1 1 0'"),
        ({"keep_out": ("box 0 0 0 1 1",)}, "keep_out has 'box 0 0 0 1 1'"),
        ({"keep_out": ("",)}, "keep_out has ''"),
        ({"keep_out": (TABLE,), "robot_description": "", "lower": (-1.0,), "upper": (1.0,)}, "keep_out needs a urdf"),
    ],
)
def test_zones_that_are_none_are_refused_in_a_sentence(changes: dict[str, Any], words: str):
    known: dict[str, Any] = {"joints": JOINTS, "robot_description": URDF, "acceleration": (1.0,), "jerk": (1.0,)}
    with pytest.raises(ParameterError, match=words):
        GateConfig(**{**known, "velocity": (1.0,), **changes})


def test_a_urdf_that_holds_no_robot_for_the_zones_is_refused():
    with pytest.raises(ParameterError, match="keep_out"):
        KeepOut("<robot name='x'><link name='a'/><link name='a'/></robot>", (), [Plane((0, 0, 1), 0)], 0.0)
