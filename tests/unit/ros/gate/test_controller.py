"""Whether a controller is the one that the gate is configured for."""

from __future__ import annotations

import pytest
from robot_agent_bodies.errors import ParameterError
from robot_agent_bodies.gate.config import GateConfig
from robot_agent_ros.gate.controller import disagreement


def config(output: str = "forward_position", **changes: object) -> GateConfig:
    fields = {"lower": (-1.0,), "upper": (1.0,), "velocity": (1.0,), "acceleration": (10.0,), "jerk": (100.0,)}
    return GateConfig(joints=("a", "b"), output=output, **fields, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("output", "joints", "interface", "partial"),
    [
        ("forward_position", ["b", "a"], "position", False),
        ("forward_position", [], "", False),
        ("forward_velocity", ["a", "b"], "velocity", False),
        ("joint_trajectory", ["c", "b", "a"], "", True),
    ],
)
def test_a_controller_that_fits(output: str, joints: list[str], interface: str, partial: bool):
    assert disagreement(config(output), "/arm", joints, interface, partial) == ""


@pytest.mark.parametrize(
    ("output", "joints", "interface", "sentence"),
    [
        ("forward_position", ["a"], "", "/arm has the joints a, and the gate a, b: set"),
        ("forward_position", ["a", "b", "c"], "", "/arm has the joints a, b, c, and the gate a, b: set"),
        ("joint_trajectory", ["a", "b", "c"], "", "/arm has the joints a, b, c"),
        ("forward_position", ["a", "b"], "velocity", "/arm commands velocity, and the gate's output is forward_pos"),
    ],
)
def test_a_controller_that_does_not_fit(output: str, joints: list[str], interface: str, sentence: str):
    assert sentence in disagreement(config(output), "/arm", joints, interface, False)


@pytest.mark.parametrize("output", ["forward_position", "joint_trajectory"])
@pytest.mark.parametrize("restarts", [False, True])
def test_a_trajectory_controller_that_begins_anew_from_what_is_measured_does_not_fit(output: str, restarts: bool):
    why = disagreement(config(output), "/arm", ["a", "b"], "", False, restarts)
    assert ("set its interpolate_from_desired_state" in why) == (restarts and output == "joint_trajectory")
    assert bool(why) == (restarts and output == "joint_trajectory")


def test_the_controllers_joints_are_the_gates_in_any_order():
    assert config(controller_joints=("b", "a")).controller_joints == ("b", "a")
    with pytest.raises(ParameterError, match=r"controller_joints is \['a', 'c'\], expected \['a', 'b'\] in any order"):
        config(controller_joints=("a", "c"))
