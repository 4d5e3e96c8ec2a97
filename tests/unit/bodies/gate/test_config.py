"""The gate's limits: from parameters, from a URDF, and refused with a sentence when they do not fit."""

from __future__ import annotations

from typing import Any

import pytest
from robot_agent_bodies.errors import ParameterError
from robot_agent_bodies.gate.config import GateConfig, joint_limits
from robot_agent_bodies.gate.limits import JointLimits, urdf_limits
from robot_agent_bodies.parameters import config_from, parameters_of

URDF = """<?xml version="1.0"?>
<robot name="arm">
  <link name="base"/><link name="a"/><link name="b"/><link name="c"/><link name="d"/>
  <joint name="pan" type="revolute"><parent link="base"/><child link="a"/><axis xyz="0 0 1"/>
    <limit lower="-1.5" upper="1.5" effort="3" velocity="4"/>
    <safety_controller soft_lower_limit="-1.4" soft_upper_limit="1.6" k_position="1" k_velocity="1"/></joint>
  <joint name="lift" type="prismatic"><parent link="a"/><child link="b"/>
    <limit upper="0.3" effort="9" velocity="0"/></joint>
  <joint name="roll" type="continuous"><parent link="b"/><child link="c"/><limit effort="1" velocity="6"/></joint>
  <joint name="tip" type="fixed"><parent link="c"/><child link="d"/></joint>
  <gazebo><joint name="odd"/></gazebo>
</robot>
"""
REST: dict[str, Any] = {"acceleration": [10], "jerk": [100.0]}


def test_a_urdf_gives_positions_and_speeds():
    limits = urdf_limits(URDF)
    assert set(limits) == {"pan", "lift", "roll"}
    assert (limits["pan"].lower, limits["pan"].upper, limits["pan"].velocity) == (-1.4, 1.5, 4.0)
    assert (limits["lift"].lower, limits["lift"].upper, limits["lift"].velocity) == (0.0, 0.3, float("inf"))
    assert limits["roll"].upper == float("inf")


def test_the_tighter_of_parameters_and_urdf_counts(tmp_path):
    path = tmp_path / "arm.urdf"
    path.write_text(URDF)
    values = {"joints": ["lift", "pan"], "urdf": str(path), "upper": [0.5, 1.0], "velocity": [2], **REST}
    assert joint_limits(config_from(GateConfig, values)) == (
        JointLimits(0.0, 0.3, 2.0, 10.0, 100.0),
        JointLimits(-1.4, 1.0, 2.0, 10.0, 100.0),
    )


ONE: dict[str, Any] = {"joints": ["a"], "lower": [-1.0], "upper": [1.0], "velocity": [1.0], **REST}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"joints": []}, "joints is .*, expected the name of each joint once"),
        ({"joints": ["a", "a"]}, "joints is .*, expected the name of each joint once"),
        ({"lower": [2.0]}, "the limits of a are 2 to 1 rad, expected lower < upper"),
        ({"lower": []}, "expected both ends or none"),
        ({"lower": [], "upper": []}, "lower and upper of a are missing: give them, or a urdf"),
        ({"velocity": []}, "velocity of a is missing: give it, or a urdf that has one"),
        ({"jerk": []}, "acceleration and jerk of a are missing: give both, no URDF has them"),
        ({"velocity": [1.0, 2.0]}, "velocity has 2 entries, expected 1 or 1, one for each joint"),
        ({"velocity": [-1.0]}, "velocity is -1 rad/s, expected at least 1e-06 rad/s: Highest speeds"),
        ({"velocity": [float("nan")]}, "velocity is nan rad/s"),
        ({"output": "effort"}, "output is 'effort', expected one of forward_position"),
        ({"output": "twist"}, "expected some of linear.x, .* for a twist"),
        ({"urdf": "/no/such.urdf"}, "urdf /no/such.urdf cannot be read .No such file"),
        ({"robot_description": "<robot"}, "the URDF is not XML"),
        ({"robot_description": "<xacro/>"}, "the URDF begins with <xacro>, expected <robot>: run xacro on it first"),
        ({"robot_description": URDF}, "the URDF has no joint 'a' that moves, expected some of pan, lift, roll"),
        (
            {"robot_description": URDF.replace('"-1.5"', '"low"')},
            "lower of the joint pan in the URDF is 'low', expected a number",
        ),
        ({"command_timeout": 0.0}, "command_timeout is 0 s, expected 0.01 to 1 s: Age at which"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_sentence(changes: dict, sentence: str):
    with pytest.raises(ParameterError, match=sentence):
        config_from(GateConfig, {**ONE, **changes})


def test_a_rover_needs_no_positions():
    config = config_from(
        GateConfig, {"joints": ["linear.x", "angular.z"], "output": "twist", "velocity": [1, 2], **REST}
    )
    assert [limits.velocity for limits in joint_limits(config)] == [1.0, 2.0]
    assert not config.measures


def test_every_parameter_says_what_it_is_and_is_fixed_while_the_gate_runs():
    for name, about in parameters_of(GateConfig).items():
        assert len(about.sentence) > 10, name
        assert about.read_only, name
