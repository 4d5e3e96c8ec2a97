"""An SO-101 as a calibration found it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import mujoco
import numpy as np

from robot_agent_sim.calibration import CalibrationFileError, Estimate
from robot_agent_sim.calibration.body import BodyParameters
from robot_agent_sim.calibration.mounted_camera import MountedCamera
from robot_agent_sim.so101.arm import JOINTS, Servo, arm_spec

CAMERAS = {"base": "overhead", "gripper": "wrist"}
"""The model's cameras, by the body that each is on; the base stands at the world's origin."""
_FIELDS = {
    "stiffness": "stiffness",
    "friction": "friction",
    "armature": "rotor_inertia",
    "stall_torque": "stall_torque",
    "backlash": "backlash",
    "encoder_offset": "encoder_offset",
    "encoder_ratio": "encoder_ratio",
}


def servos_of(body: BodyParameters, nominal: Servo | None = None) -> dict[str, Servo]:
    """The servo of each joint: as measured, and as `nominal` where nothing was.

    Raises:
        CalibrationFileError: of another robot, of a joint that an SO-101 has not, or of a value that no servo has.
    """
    if body.robot != "so101":
        raise CalibrationFileError(f"the calibration is of {body.robot!r}, expected so101")
    unknown = sorted(set(body.joints) - set(JOINTS))
    if unknown:
        raise CalibrationFileError(f"the calibration has a joint {unknown[0]!r}, expected some of {', '.join(JOINTS)}")
    nominal = nominal or Servo()
    delay = body.command_delay.value if body.command_delay else nominal.delay
    return {name: _servo(body.joints.get(name, {}), name, nominal, delay) for name in JOINTS}


def _servo(measured: Mapping[str, Estimate], joint: str, nominal: Servo, delay: float) -> Servo:
    values: dict[str, Any] = {_FIELDS[what]: estimate.value for what, estimate in measured.items() if what in _FIELDS}
    if "damping" in measured:
        values["no_load_speed"] = values.get("stall_torque", nominal.stall_torque) / measured["damping"].value
    try:
        return replace(nominal, delay=delay, **values)
    except ValueError as error:
        raise CalibrationFileError(f"the calibration of {joint} cannot be: {error}") from error


def calibrated_spec(body: BodyParameters) -> mujoco.MjSpec:
    """`arm_spec` with what was measured.

    Raises:
        CalibrationFileError: it is not of an SO-101.
    """
    spec = arm_spec(servos_of(body))
    links = [link.name for link in spec.bodies if link.name != "world"]
    for name, mass in body.masses.items():
        if name not in links:
            raise CalibrationFileError(f"the calibration has a link {name!r}, expected some of {', '.join(links)}")
        link = spec.body(name)
        # The same shape of another density: the inertia goes with the mass.
        link.fullinertia = link.fullinertia * (mass.value / link.mass)
        link.mass = mass.value
    if body.payload and body.payload.value:
        add_payload(spec, body.payload.value)
    if body.camera is not None:
        _place(spec, body.camera)
    return spec


def _place(spec: mujoco.MjSpec, measured: MountedCamera) -> None:
    """Puts the camera of the model that is on the same body where the real one is."""
    if measured.parent not in CAMERAS:
        raise CalibrationFileError(
            f"the calibration has a camera on {measured.parent!r}, expected one on {' or '.join(CAMERAS)}: "
            "take its hand_eye section out to use the rest"
        )
    camera = spec.camera(CAMERAS[measured.parent])
    quat = np.empty(4)
    mujoco.mju_mat2Quat(quat, measured.rotation.ravel())
    camera.pos, camera.quat = measured.position, quat
    camera.alt.type = mujoco.mjtOrientation.mjORIENTATION_QUAT
    if measured.opening is not None:
        camera.fovy = measured.opening


def add_payload(spec: mujoco.MjSpec, mass: float) -> None:
    """A small thing of so many kg between the jaws, which touches nothing."""
    tip = spec.site("tip")
    radius = 0.01
    held = spec.body("gripper").add_body(name="payload", pos=tip.pos)
    held.mass = mass
    held.inertia = (0.4 * mass * radius**2,) * 3
    held.explicitinertial = True
