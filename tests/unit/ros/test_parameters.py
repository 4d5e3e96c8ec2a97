"""Parameters: what is allowed is kept, what is not is refused with a sentence, at every time it could come in."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter
from robot_agent_bodies.parameters import checked, config_from, parameter, parameters_of
from robot_agent_ros.errors import ParameterError
from robot_agent_ros.live_parameters import LiveParameters


@dataclass(frozen=True)
class ArmConfig:
    rate: float = parameter(30.0, "Decisions a second", unit="Hz", low=1, high=200)
    joints: tuple[str, ...] = parameter((), "Names of the joints")
    limits: tuple[float, ...] = parameter((), "Of each joint", unit="rad", low=0)
    mode: str = parameter("hold", "What it does", choices=("hold", "go"))
    count: int = parameter(3, "How many", low=1, read_only=True)
    learn: bool = parameter(True, "Whether it learns")

    def __post_init__(self) -> None:
        if self.limits and len(self.limits) != len(self.joints):
            raise ParameterError(f"limits has {len(self.limits)} entries, expected one for each of {self.joints}")


@given(st.floats() | st.integers() | st.text() | st.booleans() | st.none() | st.lists(st.floats(), max_size=3))
def test_a_value_is_within_bounds_or_refused_with_the_sentence(value: object):
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and 1 <= value <= 200:
        assert checked(ArmConfig, "rate", value) == float(value)
    else:
        with pytest.raises(ParameterError, match=r"expected .*: Decisions a second"):
            checked(ArmConfig, "rate", value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("joints", "a"),
        ("joints", [1]),
        ("limits", [0.1, -0.1]),
        ("limits", [math.nan]),
        ("mode", "run"),
        ("count", 1.0),
        ("count", True),
        ("learn", 1),
    ],
)
def test_values_of_another_type_or_out_of_bounds_are_refused(name: str, value: object):
    with pytest.raises(ParameterError, match=f"^{name} is .*, expected .*: {parameters_of(ArmConfig)[name].sentence}$"):
        checked(ArmConfig, name, value)


def test_a_config_is_made_of_a_files_values():
    config = config_from(ArmConfig, {"rate": 20, "joints": ["a", "b"], "limits": [1, 2.5]})
    assert config == ArmConfig(rate=20.0, joints=("a", "b"), limits=(1.0, 2.5))
    with pytest.raises(ParameterError, match="there is no parameter 'jonts', expected some of rate, joints"):
        config_from(ArmConfig, {"jonts": ["a"]})
    with pytest.raises(ParameterError, match="one for each of"):
        config_from(ArmConfig, {"joints": ["a"], "limits": [1.0, 2.0]})


def _node(*overrides: RosParameter) -> Node:
    return Node("arm", parameter_overrides=list(overrides))


def test_parameters_are_declared_with_type_bounds_unit_and_sentence(ros: None):
    node = _node()
    LiveParameters(node, ArmConfig)
    rate = node.describe_parameter("rate")
    assert rate.description == "Decisions a second [Hz]"
    assert rate.additional_constraints == "1 to 200 Hz"
    assert rate.type == RosParameter.Type.DOUBLE.value
    assert node.describe_parameter("mode").additional_constraints == "one of hold, go"
    assert node.describe_parameter("count").read_only
    node.destroy_node()


def test_a_bad_value_at_the_start_is_refused_with_its_sentence(ros: None):
    node = _node(RosParameter("rate", value=500.0))
    with pytest.raises(ParameterError, match="rate is 500 Hz, expected 1 to 200 Hz: Decisions a second"):
        LiveParameters(node, ArmConfig)
    node.destroy_node()


def test_a_bad_value_set_later_is_refused_and_changes_nothing(ros: None):
    node = _node(RosParameter("joints", value=["a", "b"]))
    live = LiveParameters(node, ArmConfig)
    (result,) = node.set_parameters([RosParameter("rate", value=60)])  # an integer, as YAML would have it
    assert result.successful
    assert live.config.rate == 60.0
    for name, value in (("rate", 0.5), ("rate", math.nan), ("limits", [1.0]), ("count", 4), ("mode", "run")):
        (result,) = node.set_parameters([RosParameter(name, value=value)])
        assert not result.successful
        assert name in result.reason
    assert live.config == ArmConfig(rate=60.0, joints=("a", "b"))
    assert node.get_parameter("rate").value == 60
    node.destroy_node()


def test_who_uses_the_parameters_can_refuse_a_change(ros: None):
    def never(config: ArmConfig) -> None:
        raise ParameterError("not while it moves")

    node = _node()
    live = LiveParameters(node, ArmConfig, on_change=never)
    (result,) = node.set_parameters([RosParameter("learn", value=False)])
    assert result.reason == "not while it moves"
    assert live.config.learn
    node.destroy_node()
