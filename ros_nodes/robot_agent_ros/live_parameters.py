"""A node's parameters, declared from their dataclass and kept valid while it runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from rcl_interfaces.msg import ParameterDescriptor, SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter
from robot_agent_bodies.parameters import checked, config_from, parameters_of

from robot_agent_ros.errors import ParameterError

C = TypeVar("C")


class LiveParameters(Generic[C]):
    """Declares every field of a dataclass of parameters on a node.

    A bad value is refused with one sentence: here when it comes from the command line or a file, and later when
    somebody sets it, which then changes nothing.

    Args:
        node: any rclpy node, a lifecycle node too.
        config_class: see `robot_agent_bodies.parameters.parameter`.
        on_change: is called with the new config before it counts; a `ParameterError` from it refuses the change.

    Attributes:
        config: the values now, always a valid config.

    Raises:
        ParameterError: the values that the node was started with are not a valid config.
    """

    def __init__(self, node: Node, config_class: type[C], on_change: Callable[[C], None] | None = None) -> None:
        self.config_class = config_class
        values = {
            field.name: _declare(node, config_class, field.name, field.default)
            for field in dataclasses.fields(config_class)  # type: ignore[arg-type]
        }
        self.config = config_from(config_class, values)
        self._on_change = on_change
        node.add_on_set_parameters_callback(self._changed)

    def _changed(self, parameters: list[Parameter[Any]]) -> SetParametersResult:
        ours = {field.name for field in dataclasses.fields(self.config_class)}  # type: ignore[arg-type]
        try:
            changes = {
                parameter.name: checked(self.config_class, parameter.name, parameter.value)
                for parameter in parameters
                if parameter.name in ours
            }
            config = dataclasses.replace(self.config, **changes)  # type: ignore[type-var]
            if changes and self._on_change is not None:
                self._on_change(config)
        except ParameterError as error:
            return SetParametersResult(successful=False, reason=str(error))
        self.config = config
        return SetParametersResult(successful=True)


def _declare(node: Node, config_class: type[Any], name: str, default: Any) -> Any:
    about = parameters_of(config_class)[name]
    descriptor = ParameterDescriptor(
        description=f"{about.sentence}{f' [{about.unit}]' if about.unit else ''}",
        # In words, not as a range: rclpy would refuse with words of its own, and before we are asked.
        additional_constraints=about.expected,
        read_only=about.read_only,
        dynamic_typing=True,  # `rate: 30` in a YAML file is an integer to ROS; types are checked here
    )
    value = node.declare_parameter(name, list(default) if isinstance(default, tuple) else default, descriptor).value
    return checked(config_class, name, value)
