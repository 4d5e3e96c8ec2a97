"""The SO-101's model: its links from `so101.xml`, its servos from named parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import tau
from pathlib import Path

import mujoco

JOINTS = ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper")
"""In the order of actions and observations; LeRobot's names."""
HOME = (0.0, -0.6, 0.6, 0.9, 0.0, 0.6)
"""Where episodes begin, rad: bent over the table, jaws half open."""
_XML = Path(__file__).with_name("so101.xml")
_HISTORY = 36
"""Physics steps that a delayed command is kept for."""


@dataclass(frozen=True)
class Servo:
    """A Feetech STS3215, 1:345, as a position servo on a DC motor.

    The motor gives `stiffness` times the position error, at most `stall_torque`; what it gives at a speed is less by
    `stall_torque / no_load_speed` times that speed (back-EMF), so that an unloaded joint ends at `no_load_speed`.

    The first two are the maker's figures for a supply of 12 V (30 kg·cm, 45 rpm; at 7.4 V they are 1.91 N·m and
    5.45 rad/s), encoder and the bound of the backlash too; tests of others found a backlash of 0.9° to 1°. Nobody has
    measured the rest on this arm: stiffness is what others identified for LeRobot's gain of 16, friction and rotor
    inertia are of the size that the gears suggest. They are there to be identified.
    """

    stall_torque: float = 2.94
    """N·m at standstill."""
    no_load_speed: float = 4.71
    """rad/s without load."""
    stiffness: float = 17.8
    """N·m of motor torque for each rad of position error."""
    friction: float = 0.06
    """N·m of dry friction in the gears."""
    rotor_inertia: float = 0.025
    """kg·m², seen from the joint."""
    encoder_steps: int = 4096
    """Steps of the encoder in a turn; 0 for an exact one."""
    backlash: float = 0.0
    """rad of free play between gears and joint, all of it; costs one more degree of freedom a joint."""
    delay: float = 0.0
    """s from a command to the motor, up to 0.064."""
    encoder_offset: float = 0.0
    """rad where the joint is when its encoder reads 0; commands are in what it reads."""
    encoder_ratio: float = 1.0
    """rad that the joint turns for each that its encoder reads: angle = ratio · reading + offset."""

    def __post_init__(self) -> None:
        for name in ("stall_torque", "no_load_speed", "stiffness", "rotor_inertia", "encoder_ratio"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} of a servo is {getattr(self, name)}, expected a positive number")
        for name in ("friction", "encoder_steps", "backlash"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} of a servo is {getattr(self, name)}, expected at least 0")
        if not abs(self.encoder_offset) < tau / 2:
            raise ValueError(f"encoder_offset of a servo is {self.encoder_offset}, expected less than half a turn")
        if not 0 <= self.delay <= 0.064:
            raise ValueError(f"delay of a servo is {self.delay}, expected 0 to 0.064 s")

    @property
    def encoder_step(self) -> float:
        """rad."""
        return tau / self.encoder_steps if self.encoder_steps else 0.0


def arm_spec(servo: Servo | Mapping[str, Servo] | None = None) -> mujoco.MjSpec:
    """The arm on a table, to which a task adds what it needs; all servos alike, or one for each joint by its name."""
    servos = servo if isinstance(servo, Mapping) else dict.fromkeys(JOINTS, servo or Servo())
    spec = mujoco.MjSpec.from_file(str(_XML))
    for name in JOINTS:
        joint, servo = spec.joint(name), servos[name]
        joint.damping[0] = servo.stall_torque / servo.no_load_speed
        joint.frictionloss = servo.friction
        joint.armature = servo.rotor_inertia
        motor = spec.add_actuator(name=name, target=name, trntype=mujoco.mjtTrn.mjTRN_JOINT)
        motor.set_to_position(kp=servo.stiffness)
        motor.forcerange = (-servo.stall_torque, servo.stall_torque)
        motor.forcelimited = True
        motor.ctrlrange = joint.range
        motor.ctrllimited = True
        if servo.delay:
            motor.delay = servo.delay
        motor.nsample = _HISTORY
        if servo.backlash:
            _add_backlash(spec, name, servo)
    return spec


def _add_backlash(spec: mujoco.MjSpec, name: str, servo: Servo) -> None:
    """A loose joint after the gears: the encoder sits before it, the link behind."""
    joint = spec.joint(name)
    half = servo.backlash / 2
    joint.parent.add_joint(
        name=f"{name}_backlash",
        axis=joint.axis,
        range=(-half, half),
        limited=True,
        damping=0.01,
        armature=1e-4,
        solref_limit=(0.005, 1.0),
    )


def add_cube(spec: mujoco.MjSpec, side: float, mass: float) -> None:
    """A free cube named `cube`, edge in m, mass in kg."""
    body = spec.worldbody.add_body(name="cube", pos=(0.25, 0, side / 2))
    body.add_freejoint(name="cube")
    body.add_geom(
        name="cube",
        type=mujoco.mjtGeom.mjGEOM_BOX,
        size=(side / 2,) * 3,
        mass=mass,
        rgba=(0.15, 0.35, 0.85, 1),
        contype=2,
        conaffinity=1,
        condim=4,
        friction=(0.8, 0.01, 0.0001),
    )


def add_marker(spec: mujoco.MjSpec, radius: float) -> None:
    """A ball named `target` that cameras see and nothing touches; it is moved by `data.mocap_pos`."""
    body = spec.worldbody.add_body(name="target", mocap=True)
    body.add_geom(
        name="target",
        type=mujoco.mjtGeom.mjGEOM_SPHERE,
        size=(radius, 0, 0),
        rgba=(0.9, 0.1, 0.15, 1),
        contype=0,
        conaffinity=0,
    )
