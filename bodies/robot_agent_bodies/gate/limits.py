"""What joints may do, from parameters and from a URDF, the tighter of the two."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass

from robot_agent_bodies.errors import ParameterError


@dataclass(frozen=True)
class JointLimits:
    """What a joint may do: rad, rad/s, rad/s², rad/s³ (m for a sliding joint)."""

    lower: float
    upper: float
    velocity: float
    acceleration: float
    jerk: float

    def clipped(self, position: float) -> float:
        """The nearest position within limits."""
        return min(max(position, self.lower), self.upper)

    @property
    def bounded(self) -> bool:
        """Whether both ends are finite; a wheel or a continuous joint has none."""
        return math.isfinite(self.lower) and math.isfinite(self.upper)


@dataclass(frozen=True)
class UrdfLimits:
    """What a URDF says of a joint; it knows no acceleration and no jerk."""

    lower: float = -math.inf
    upper: float = math.inf
    velocity: float = math.inf


def urdf_limits(text: str) -> dict[str, UrdfLimits]:
    """The limits of every joint of a URDF that moves, by name.

    A `safety_controller` narrows positions as its soft limits say. A limit that is not there is none; `continuous`
    joints have no ends whatever they say, and a velocity of 0, which many exporters write, means that nobody knew.

    Raises:
        ParameterError: no URDF, or numbers that are none.
    """
    try:
        root = ElementTree.fromstring(text.strip())
    except ElementTree.ParseError as error:
        raise ParameterError(f"the URDF is not XML ({error}): give the text that robot_state_publisher gets") from None
    if root.tag != "robot":
        raise ParameterError(f"the URDF begins with <{root.tag}>, expected <robot>: run xacro on it first")
    return {
        joint.get("name", ""): _joint_limits(joint)
        for joint in root.iter("joint")
        if joint.get("type") in ("revolute", "prismatic", "continuous")
    }


def _joint_limits(joint: ElementTree.Element) -> UrdfLimits:
    ends = joint.get("type") != "continuous"
    limit, soft = joint.find("limit"), joint.find("safety_controller")
    lower, upper, velocity = -math.inf, math.inf, math.inf
    if limit is not None:
        if ends:
            # The two default to 0 by the URDF's specification, which is a joint that cannot move.
            lower, upper = _number(joint, limit, "lower", 0.0), _number(joint, limit, "upper", 0.0)
        velocity = _number(joint, limit, "velocity", 0.0) or math.inf
    if soft is not None and ends:
        lower = max(lower, _number(joint, soft, "soft_lower_limit", -math.inf))
        upper = min(upper, _number(joint, soft, "soft_upper_limit", math.inf))
    return UrdfLimits(lower, upper, velocity)


def _number(joint: ElementTree.Element, element: ElementTree.Element, name: str, missing: float) -> float:
    text = element.get(name)
    try:
        value = missing if text is None else float(text)
    except ValueError:
        value = math.nan
    if math.isnan(value):
        raise ParameterError(f"{name} of the joint {joint.get('name')} in the URDF is {text!r}, expected a number")
    return value
