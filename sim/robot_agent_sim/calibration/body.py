"""What was measured of a body: the sections `dynamics` and `joints` of `calibration.yaml`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from robot_agent_sim.calibration.estimate import Estimate
from robot_agent_sim.calibration.file import CalibrationFileError, read_calibration
from robot_agent_sim.calibration.mounted_camera import LENS_SECTION, MountedCamera, mounted_camera
from robot_agent_sim.calibration.mounted_camera import SECTION as CAMERA_SECTION

SECTION, JOINTS_SECTION = "dynamics", "joints"
QUANTITIES: Mapping[str, str] = {
    "stiffness": "N·m/rad",
    "friction": "N·m",
    "damping": "N·m·s/rad",
    "armature": "kg·m²",
    "stall_torque": "N·m",
    "backlash": "rad",
    "encoder_offset": "rad",
    "encoder_ratio": "1",
}
"""Of a joint and its servo, with units. Stiffness is torque over position error, friction is dry, damping includes
back-EMF, armature is the rotor's inertia seen from the joint, backlash all of the free play, and the angle of the joint
is ratio · what the encoder reads + offset."""
RATIOS: Mapping[str, str] = {"friction": "rad", "damping": "s", "armature": "s²", "stall_torque": "rad"}
"""What motion alone tells: these quantities over the stiffness."""
SCALES = ("assumed", "effort", "stiffness", "masses", "payload")
"""What fixed the scale of forces. `assumed`: nothing did, and one unknown factor is common to all stiffnesses,
frictions, dampings, armatures and masses."""
ENCODERS: Mapping[str, str] = {"offset": "encoder_offset", "ratio": "encoder_ratio", "backlash": "backlash"}
"""What the section `joints` says of a joint, and what it is called here."""
_POSITIVE = ("stiffness", "damping", "armature", "stall_torque", "encoder_ratio")
_SIGNED = ("encoder_offset",)


@dataclass(frozen=True)
class BodyParameters:
    """What a calibration says of a body; what it does not name is as the model has it.

    Attributes:
        robot: whose parameters these are.
        scale: of `SCALES`.
        joints: by joint, then by name of `QUANTITIES`.
        ratios: by joint, then by name of `RATIOS`.
        masses: kg of links, by the name of their body.
        command_delay: s from a command's stamp to the motor.
        payload: kg held between the jaws.
        camera: where a camera is and how wide it sees.
        undetermined: paths such as `masses.wrist` of which the data said nothing: value and interval are what was
            believed before.
    """

    robot: str = "so101"
    scale: str = "assumed"
    joints: Mapping[str, Mapping[str, Estimate]] = field(default_factory=dict)
    ratios: Mapping[str, Mapping[str, Estimate]] = field(default_factory=dict)
    masses: Mapping[str, Estimate] = field(default_factory=dict)
    command_delay: Estimate | None = None
    payload: Estimate | None = None
    camera: MountedCamera | None = None
    undetermined: Sequence[str] = ()

    def to_yaml(self) -> dict[str, Any]:
        """The mapping that stands in `calibration.yaml`."""
        tree: dict[str, Any] = {"robot": self.robot, "scale": self.scale}
        for name in ("command_delay", "payload"):
            estimate = getattr(self, name)
            if estimate is not None:
                tree[name] = estimate.to_yaml()
        for name in ("joints", "ratios"):
            joints = getattr(self, name).items()
            tree[name] = {joint: {what: one.to_yaml() for what, one in of.items()} for joint, of in joints}
        tree["masses"] = {link: mass.to_yaml() for link, mass in self.masses.items()}
        tree["undetermined"] = list(self.undetermined)
        return tree


def read_body(path: Path | str) -> BodyParameters:
    """What a calibration file says of a body: dynamics, encoders and backlash of its joints, and where its camera is.

    Raises:
        CalibrationFileError: it cannot be read, has none of these sections, or says what no body can be.
    """
    sections = read_calibration(Path(path))
    if not {SECTION, JOINTS_SECTION, CAMERA_SECTION} & set(sections):
        raise CalibrationFileError(
            f"{path} has no section {SECTION!r}, none {JOINTS_SECTION!r} and none {CAMERA_SECTION!r}: robot-agent "
            f"calibrate dynamics RECORDING --out {path} adds one"
        )
    try:
        body = _body(sections.get(SECTION, {}))
    except ValueError as error:
        raise CalibrationFileError(f"{SECTION} in {path}: {error}") from error
    try:
        encoders = _encoders(sections.get(JOINTS_SECTION, {}))
    except ValueError as error:
        raise CalibrationFileError(f"{JOINTS_SECTION} in {path}: {error}") from error
    camera = None
    if CAMERA_SECTION in sections:
        try:
            camera = mounted_camera(sections[CAMERA_SECTION], sections.get(LENS_SECTION))
        except ValueError as error:
            raise CalibrationFileError(f"{CAMERA_SECTION} in {path}: {error}") from error
    joints = {joint: {**encoders.get(joint, {}), **body.joints.get(joint, {})} for joint in {**body.joints, **encoders}}
    return replace(body, joints=joints, camera=camera)


def _encoders(tree: Mapping[str, Any]) -> dict[str, dict[str, Estimate]]:
    """Of each joint of the section `joints`, what of `ENCODERS` was estimated."""
    found: dict[str, dict[str, Any]] = {}
    for joint, own in tree.items():
        if isinstance(own, Mapping):
            found[joint] = {name: own[what] for what, name in ENCODERS.items() if what in own}
    return _joints({joint: own for joint, own in found.items() if own}, "it", QUANTITIES)


def _body(tree: Mapping[str, Any]) -> BodyParameters:
    names = ("robot", "scale", "joints", "ratios", "masses", "command_delay", "payload", "undetermined")
    _check_names(tree, names, "it")
    scale = tree.get("scale", "assumed")
    if scale not in SCALES:
        raise ValueError(f"scale is {scale!r}, expected one of {', '.join(SCALES)}")
    delay, payload = tree.get("command_delay"), tree.get("payload")
    masses = _mapping(tree.get("masses", {}), "masses")
    return BodyParameters(
        robot=str(tree.get("robot", "so101")),
        scale=scale,
        joints=_joints(tree.get("joints", {}), "joints", QUANTITIES),
        ratios=_joints(tree.get("ratios", {}), "ratios", RATIOS),
        masses={link: _estimate(one, f"masses.{link}", "kg", positive=True) for link, one in masses.items()},
        command_delay=None if delay is None else _estimate(delay, "command_delay", "s"),
        payload=None if payload is None else _estimate(payload, "payload", "kg"),
        undetermined=tuple(str(path) for path in tree.get("undetermined", ())),
    )


def _joints(tree: Any, where: str, units: Mapping[str, str]) -> dict[str, dict[str, Estimate]]:
    joints: dict[str, dict[str, Estimate]] = {}
    for joint, estimates in _mapping(tree, where).items():
        of = f"{where}.{joint}"
        _check_names(_mapping(estimates, of), units, of)
        joints[joint] = {
            what: _estimate(one, f"{of}.{what}", units[what], what in _POSITIVE, what in _SIGNED)
            for what, one in estimates.items()
        }
    return joints


def _estimate(tree: Any, where: str, unit: str, positive: bool = False, signed: bool = False) -> Estimate:
    try:
        estimate = Estimate.from_yaml(_mapping(tree, where))
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    if estimate.unit != unit:
        raise ValueError(f"{where} is in {estimate.unit}, expected {unit}")
    if (positive and estimate.value <= 0) or (estimate.value < 0 and not signed):
        raise ValueError(f"{where} is {estimate.value:g}, expected {'more than' if positive else 'at least'} 0")
    low, high = estimate.interval_95
    if not low <= estimate.value <= high:
        raise ValueError(f"{where} is {estimate.value:g}, outside of its own interval, {low:g} to {high:g}")
    return estimate


def _mapping(tree: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(tree, Mapping):
        raise ValueError(f"{where} is {tree!r}, expected a mapping")
    return tree


def _check_names(tree: Mapping[str, Any], known: Mapping[str, str] | Sequence[str], where: str) -> None:
    unknown = [str(name) for name in tree if name not in known]
    if unknown:
        raise ValueError(f"{where} has {unknown[0]!r}, expected some of {', '.join(known)}")
