"""What a parameter of a node is: a field of a frozen dataclass with bounds, a unit and a sentence. No rclpy here."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, get_type_hints

from robot_agent_bodies.errors import ParameterError

C = TypeVar("C")
_METADATA = "parameter"
KINDS: dict[Any, str] = {
    bool: "true or false",
    int: "an integer",
    float: "a number",
    str: "text",
    tuple[str, ...]: "a list of texts",
    tuple[float, ...]: "a list of numbers",
    tuple[int, ...]: "a list of integers",
}
"""The types that a parameter can have."""


@dataclass(frozen=True)
class Parameter:
    """What is said of a parameter.

    Attributes:
        sentence: what it does, without a full stop.
        unit: `s`, `Hz`, `rad`; empty if it has none.
        low, high: bounds, both included; of every entry of a list.
        choices: the texts that are allowed; empty for any.
        read_only: it is fixed when the node starts.
    """

    sentence: str
    unit: str = ""
    low: float = -math.inf
    high: float = math.inf
    choices: tuple[str, ...] = ()
    read_only: bool = False

    @property
    def expected(self) -> str:
        """The bounds or the choices in words; empty if there are none."""
        unit = f" {self.unit}" if self.unit else ""
        if self.choices:
            return "one of " + ", ".join(choice or "(empty)" for choice in self.choices)
        if math.isfinite(self.low) and math.isfinite(self.high):
            return f"{self.low:g} to {self.high:g}{unit}"
        if math.isfinite(self.low):
            return f"at least {self.low:g}{unit}"
        if math.isfinite(self.high):
            return f"at most {self.high:g}{unit}"
        return ""


def parameter(
    default: Any,
    sentence: str,
    *,
    unit: str = "",
    low: float = -math.inf,
    high: float = math.inf,
    choices: tuple[str, ...] = (),
    read_only: bool = False,
) -> Any:
    """A field of a dataclass of parameters; the arguments are those of `Parameter`.

        @dataclass(frozen=True)
        class PlannerConfig:
            rate: float = parameter(30.0, "Decisions a second", unit="Hz", low=1, high=200)

    What bounds cannot say belongs into `__post_init__`, which raises `ParameterError` with a sentence.
    """
    about = Parameter(sentence, unit, low, high, choices, read_only)
    return dataclasses.field(default=default, metadata={_METADATA: about})


def parameters_of(config_class: type[Any]) -> dict[str, Parameter]:
    """What is said of each parameter of a class, by name."""
    return {field.name: field.metadata[_METADATA] for field in dataclasses.fields(config_class)}


def checked(config_class: type[Any], name: str, value: Any) -> Any:
    """The value as its field has it: a list becomes a tuple, an integer a number where a number is expected.

    Raises:
        ParameterError: a value of another type, or out of bounds.
    """
    kind, about = get_type_hints(config_class)[name], parameters_of(config_class)[name]
    try:
        right = _converted(kind, value)
    except (TypeError, ValueError):
        raise ParameterError(f"{name} is {value!r}, expected {KINDS[kind]}: {about.sentence}") from None
    for entry in right if isinstance(right, tuple) else (right,):
        if isinstance(entry, int | float) and not isinstance(entry, bool):
            fits = about.low <= entry <= about.high and math.isfinite(entry)
        else:
            fits = not about.choices or entry in about.choices
        if not fits:
            unit = f" {about.unit}" if about.unit else ""
            raise ParameterError(
                f"{name} is {_quoted(entry)}{unit}, expected {about.expected or 'a finite number'}: {about.sentence}"
            )
    return right


def config_from(config_class: type[C], values: Mapping[str, Any]) -> C:
    """A config of these values; what is not named keeps its default.

    Raises:
        ParameterError: a name that the class does not have, or a value that it cannot work with.
    """
    known = parameters_of(config_class)
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ParameterError(f"there is no parameter {unknown[0]!r}, expected some of {', '.join(known)}")
    return config_class(**{name: checked(config_class, name, value) for name, value in values.items()})


def _converted(kind: Any, value: Any) -> Any:
    if kind in (bool, int, float, str):
        return _scalar(kind, value)
    if value is None:  # what ROS makes of `[]`, which has no type
        return ()
    if isinstance(value, str | bytes):
        raise TypeError
    entry = {tuple[str, ...]: str, tuple[float, ...]: float, tuple[int, ...]: int}[kind]
    return tuple(_scalar(entry, one) for one in value)


def _scalar(kind: type[Any], value: Any) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not kind:
        raise TypeError
    return value


def _quoted(value: Any) -> str:
    return repr(value) if isinstance(value, str) else f"{value:g}"
