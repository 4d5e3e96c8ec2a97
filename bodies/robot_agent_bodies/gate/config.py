"""What the gate can be told; it is all fixed when the gate starts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from robot_agent_bodies.errors import ParameterError
from robot_agent_bodies.gate.keep_out import KeepOut, zone
from robot_agent_bodies.gate.limits import JointLimits, UrdfLimits, urdf_limits
from robot_agent_bodies.parameters import parameter

OUTPUTS = ("forward_position", "forward_velocity", "joint_trajectory", "twist")
AXES = ("linear.x", "linear.y", "linear.z", "angular.x", "angular.y", "angular.z")
"""What the joints of a velocity body are called."""


@dataclass(frozen=True)
class GateConfig:
    """Parameters of the gate. Lists have one entry for each of `joints`, or one for all."""

    joints: tuple[str, ...] = parameter(
        (), "The joints in the controller's order; of a velocity body the axes, such as linear.x", read_only=True
    )
    controller_joints: tuple[str, ...] = parameter(
        (),
        "The same joints in the controller's order, where it cannot be asked for its parameter `joints`; empty: it is "
        "asked",
        read_only=True,
    )
    output: str = parameter(
        "forward_position",
        "The controller: Float64MultiArray to forward_position and forward_velocity, JointTrajectory to "
        "joint_trajectory, TwistStamped to twist",
        choices=OUTPUTS,
        read_only=True,
    )
    lower: tuple[float, ...] = parameter((), "Lowest positions; with none, the URDF's", unit="rad", read_only=True)
    upper: tuple[float, ...] = parameter((), "Highest positions; with none, the URDF's", unit="rad", read_only=True)
    velocity: tuple[float, ...] = parameter(
        (), "Highest speeds; with none, the URDF's", unit="rad/s", low=1e-6, read_only=True
    )
    acceleration: tuple[float, ...] = parameter(
        (), "Highest accelerations, stopping included", unit="rad/s²", low=1e-6, read_only=True
    )
    jerk: tuple[float, ...] = parameter((), "Highest jerks, stopping included", unit="rad/s³", low=1e-6, read_only=True)
    urdf: str = parameter("", "Path of a URDF whose limits hold as well", read_only=True)
    robot_description: str = parameter("", "The text of a URDF, as robot_state_publisher gets it", read_only=True)

    keep_out: tuple[str, ...] = parameter(
        (),
        "Where the robot must not be, in m of the base link: 'plane NX NY NZ OFFSET', which it stays in front of, "
        "or 'box X Y Z X Y Z' between two corners. It needs the URDF",
        read_only=True,
    )
    keep_out_margin: float = parameter(
        0.03,
        "How far the lines between the origins of the robot's links stay away from that: how thick they are",
        unit="m",
        low=0,
        high=1,
        read_only=True,
    )

    rate: float = parameter(200.0, "Outputs a second", unit="Hz", low=20, high=1000, read_only=True)
    command_timeout: float = parameter(
        0.1,
        "Age at which a command is refused, and at which one that is followed ends in a hold",
        unit="s",
        low=0.01,
        high=1,
        read_only=True,
    )
    future_tolerance: float = parameter(
        0.05,
        "How far in the future a stamp may lie, for clocks that differ a little",
        unit="s",
        low=0,
        high=1,
        read_only=True,
    )
    owner_timeout: float = parameter(
        1.0,
        "How long the publisher that owns the robot must have been silent before one that begins to send owns it; one "
        "that already sent while the owner did waits for gate/release",
        unit="s",
        low=0.1,
        high=60,
        read_only=True,
    )
    listen_time: float = parameter(
        1.0,
        "How long it listens to joint states before it begins, so that a second source of them, or a second gate, is "
        "found before the robot moves",
        unit="s",
        low=0,
        high=30,
        read_only=True,
    )
    largest_clock_jump: float = parameter(
        0.5,
        "How far the ROS clock may run ahead of real time at once before commands are refused for a moment",
        unit="s",
        low=0.01,
        high=60,
        read_only=True,
    )
    joint_timeout: float = parameter(
        0.2, "Age of a joint's measurement at which the robot is stopped", unit="s", low=0.01, high=5, read_only=True
    )
    start_tolerance: float = parameter(
        0.03,
        "How far beyond its limits a joint may be measured at the start; the first output is the limit then. Also how "
        "far it may have moved while it was not measured",
        unit="rad",
        low=0,
        high=0.5,
        read_only=True,
    )
    rest_velocity: float = parameter(
        0.1, "Speed below which a joint counts as resting at the start", unit="rad/s", low=0.001, read_only=True
    )
    tracking_error: float = parameter(
        0.5,
        "How far the output may be from the measured joints: targets beyond it are cut, and a robot that stays that "
        "far behind is stopped; 0 for any",
        unit="rad",
        low=0,
        read_only=True,
    )
    tracking_time: float = parameter(
        0.5, "For how long it may stay that far behind", unit="s", low=0, high=60, read_only=True
    )
    resume_tolerance: float = parameter(
        0.1,
        "How far from its last command a joint may rest for that to be where the gate begins again: what a servo sags",
        unit="rad",
        low=0,
        high=0.5,
        read_only=True,
    )
    lead: float = parameter(
        0.01,
        "With output joint_trajectory: how far ahead of now a trajectory begins, so that it comes before: the way of "
        "the message, and a period of the controller_manager",
        unit="s",
        low=0.002,
        high=0.1,
        read_only=True,
    )
    require_enable: bool = parameter(
        False, "The robot moves only while gate/enable says so; a stop takes the enabling back", read_only=True
    )
    enable_timeout: float = parameter(
        0.0,
        "gate/enable must be called again within this time (a dead man's switch); 0 for once",
        unit="s",
        low=0,
        high=60,
        read_only=True,
    )
    frame_id: str = parameter("base_link", "Frame of the twists", read_only=True)
    core: int = parameter(-1, "The CPU core that the gate keeps to; -1 for any", low=-1, high=1023, read_only=True)
    priority: int = parameter(
        20,
        "Real-time priority (SCHED_FIFO) of the gate, where the system grants one, above the agent's; 0 for none",
        low=0,
        high=99,
        read_only=True,
    )

    def __post_init__(self) -> None:
        joint_limits(self)
        keep_out(self)

    @property
    def moves_by_velocity(self) -> bool:
        """Whether commands are velocities."""
        return self.output in ("forward_velocity", "twist")

    @property
    def measures(self) -> bool:
        """Whether joint states are needed: a velocity body without joints has none."""
        return self.output != "twist"


def joint_limits(config: GateConfig) -> tuple[JointLimits, ...]:
    """The limits of each joint.

    Raises:
        ParameterError: joints without names or without limits, lists of another length, or a URDF that cannot be read.
    """
    if not config.joints or len(set(config.joints)) != len(config.joints):
        raise ParameterError(f"joints is {list(config.joints)}, expected the name of each joint once")
    if config.controller_joints and sorted(config.controller_joints) != sorted(config.joints):
        raise ParameterError(
            f"controller_joints is {list(config.controller_joints)}, expected {list(config.joints)} in any order"
        )
    if config.output == "twist" and not set(config.joints) <= set(AXES):
        raise ParameterError(f"joints is {list(config.joints)}, expected some of {', '.join(AXES)} for a twist")
    known = urdf_limits(_description(config)) if config.urdf or config.robot_description else {}
    limits = []
    for index, name in enumerate(config.joints):
        if known and name not in known:
            raise ParameterError(f"the URDF has no joint {name!r} that moves, expected some of {', '.join(known)}")
        limits.append(_limits(config, index, known.get(name, UrdfLimits())))
    return tuple(limits)


def keep_out(config: GateConfig) -> KeepOut | None:
    """The zones in which the robot must not be; None without any.

    Raises:
        ParameterError: zones that are none, or no URDF.
    """
    zones = [zone(text) for text in config.keep_out]
    if not zones:
        return None
    if config.output == "twist" or not (config.urdf or config.robot_description):
        raise ParameterError("keep_out needs a urdf that says where joints take the robot, and outputs to joints")
    return KeepOut(_description(config), config.joints, zones, config.keep_out_margin)


def _limits(config: GateConfig, index: int, urdf: UrdfLimits) -> JointLimits:
    name = config.joints[index]
    lower = max(_entry(config, "lower", index, -math.inf), urdf.lower)
    upper = min(_entry(config, "upper", index, math.inf), urdf.upper)
    velocity = min(_entry(config, "velocity", index, math.inf), urdf.velocity)
    if config.output == "twist":
        lower, upper = -math.inf, math.inf
    if not lower < upper:
        raise ParameterError(f"the limits of {name} are {lower:g} to {upper:g} rad, expected lower < upper")
    if math.isinf(lower) != math.isinf(upper):
        raise ParameterError(f"the limits of {name} are {lower:g} to {upper:g} rad, expected both ends or none")
    if config.output != "twist" and math.isinf(lower) and not (config.urdf or config.robot_description):
        raise ParameterError(f"lower and upper of {name} are missing: give them, or a urdf")
    if math.isinf(velocity):
        raise ParameterError(f"velocity of {name} is missing: give it, or a urdf that has one")
    acceleration, jerk = (_entry(config, key, index, math.inf) for key in ("acceleration", "jerk"))
    if math.isinf(acceleration) or math.isinf(jerk):
        raise ParameterError(f"acceleration and jerk of {name} are missing: give both, no URDF has them")
    return JointLimits(lower, upper, velocity, acceleration, jerk)


def _entry(config: GateConfig, key: str, index: int, missing: float) -> float:
    values: tuple[float, ...] = getattr(config, key)
    if not values:
        return missing
    if len(values) not in (1, len(config.joints)):
        raise ParameterError(f"{key} has {len(values)} entries, expected 1 or {len(config.joints)}, one for each joint")
    return values[0] if len(values) == 1 else values[index]


def _description(config: GateConfig) -> str:
    if config.robot_description:
        return config.robot_description
    try:
        return Path(config.urdf).read_text()
    except OSError as error:
        raise ParameterError(
            f"urdf {config.urdf} cannot be read ({error.strerror}): give the path of a URDF"
        ) from error
