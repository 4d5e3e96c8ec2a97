"""What can change about a MuJoCo model, and how a value is written into it."""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from robot_agent_sim.scenery import DISTRACTOR

Saved = Mapping[str, NDArray[np.float64]]
"""Fields of the model as it was made, by name."""


@dataclass(frozen=True)
class Effect:
    """A kind of change.

    Attributes:
        meaning: of the value, with its unit.
        neutral: the value of a model as it was made.
        fields: of the model that it writes.
        write: puts a value into a model, given what the fields held before this effect, for ids of the target.
        of: what kind of thing a target names, None where there is nothing to choose.
        constants: whether MuJoCo has to derive constants again.
    """

    meaning: str
    neutral: float
    fields: tuple[str, ...]
    write: Callable[[mujoco.MjModel, Saved, NDArray[np.int64], float], None]
    of: str | None = None
    constants: bool = False


def _scale(*fields: str) -> Callable[[mujoco.MjModel, Saved, NDArray[np.int64], float], None]:
    def write(model: mujoco.MjModel, before: Saved, ids: NDArray[np.int64], value: float) -> None:
        for field in fields:
            getattr(model, field)[ids] = value * before[field][ids]

    return write


def _friction(model: mujoco.MjModel, before: Saved, ids: NDArray[np.int64], value: float) -> None:
    model.geom_friction[ids] = value * before["geom_friction"][ids]


def _payload(model: mujoco.MjModel, before: Saved, ids: NDArray[np.int64], value: float) -> None:
    # At the centre of mass: the inertia about it stays.
    model.body_mass[ids] = before["body_mass"][ids] + value


def _gain(model: mujoco.MjModel, before: Saved, ids: NDArray[np.int64], value: float) -> None:
    linear = (int(mujoco.mjtGain.mjGAIN_FIXED), int(mujoco.mjtGain.mjGAIN_AFFINE))
    if not np.isin(model.actuator_gaintype[ids], linear).all():
        raise ValueError("this world has muscles, whose gain is no factor: choose another change")
    # A weak servo still knows where it should be: what it gives for an error shrinks, and the most it gives.
    model.actuator_gainprm[ids, :3] = value * before["actuator_gainprm"][ids, :3]
    model.actuator_biasprm[ids, :3] = value * before["actuator_biasprm"][ids, :3]
    model.actuator_forcerange[ids] = value * before["actuator_forcerange"][ids]


def _torque(model: mujoco.MjModel, before: Saved, ids: NDArray[np.int64], value: float) -> None:
    if not model.actuator_forcelimited[ids].all():
        raise ValueError("this world has actuators without a largest force that could change: change gain instead")
    model.actuator_forcerange[ids] = value * before["actuator_forcerange"][ids]


def _stuck(model: mujoco.MjModel, before: Saved, ids: NDArray[np.int64], value: float) -> None:
    # What lies or drives about freely has no joint that could be stuck.
    hinges = [joint for joint in ids if model.jnt_type[joint] >= int(mujoco.mjtJoint.mjJNT_SLIDE)]
    dofs = np.isin(model.dof_jntid, hinges)
    model.dof_damping[dofs] = before["dof_damping"][dofs] + 1e3 * value


def _of_joints(field: str) -> Callable[[mujoco.MjModel, Saved, NDArray[np.int64], float], None]:
    def write(model: mujoco.MjModel, before: Saved, ids: NDArray[np.int64], value: float) -> None:
        dofs = np.isin(model.dof_jntid, ids)
        getattr(model, field)[dofs] = value * before[field][dofs]

    return write


def _tilt(model: mujoco.MjModel, before: Saved, ids: NDArray[np.int64], value: float) -> None:
    if model.opt.disableflags & int(mujoco.mjtDisableBit.mjDSBL_GRAVITY):
        raise ValueError("this world has no gravity whose direction could change")
    angle = np.deg2rad(value)
    x, y, z = before["gravity"]
    model.opt.gravity[:] = (x * np.cos(angle) + z * np.sin(angle), y, z * np.cos(angle) - x * np.sin(angle))


def _command_delay(model: mujoco.MjModel, before: Saved, ids: NDArray[np.int64], value: float) -> None:
    most = model.actuator_history[ids, 0].min() * model.opt.timestep
    longest = float(before["actuator_delay"][ids].max()) + value
    if longest > most + 1e-9:
        raise ValueError(f"a command delay of {longest:g} s is longer than this world remembers commands, {most:g} s")
    model.actuator_delay[ids] = before["actuator_delay"][ids] + value


def _camera_shift(model: mujoco.MjModel, before: Saved, ids: NDArray[np.int64], value: float) -> None:
    for camera in ids:
        rotation = np.empty(9)
        mujoco.mju_quat2Mat(rotation, before["cam_quat"][camera])
        model.cam_pos[camera] = before["cam_pos"][camera] + value * rotation.reshape(3, 3)[:, 0]


def _camera_roll(model: mujoco.MjModel, before: Saved, ids: NDArray[np.int64], value: float) -> None:
    follows = (int(mujoco.mjtCamLight.mjCAMLIGHT_TARGETBODY), int(mujoco.mjtCamLight.mjCAMLIGHT_TARGETBODYCOM))
    if np.isin(model.cam_mode[ids], follows).all():
        raise ValueError("a camera that turns to what it follows cannot be turned otherwise: name another one")
    half = np.deg2rad(value) / 2
    turn = np.array([np.cos(half), 0, 0, np.sin(half)])
    for camera in ids:
        mujoco.mju_mulQuat(model.cam_quat[camera], before["cam_quat"][camera], turn)


def _light(model: mujoco.MjModel, before: Saved, ids: NDArray[np.int64], value: float) -> None:
    model.light_diffuse[:] = value * before["light_diffuse"]
    model.vis.headlight.diffuse[:] = value * before["headlight_diffuse"]
    model.vis.headlight.ambient[:] = value * before["headlight_ambient"]


def _hue(model: mujoco.MjModel, before: Saved, ids: NDArray[np.int64], value: float) -> None:
    for field in ("geom_rgba", "mat_rgba"):
        colours = getattr(model, field)
        for index, colour in enumerate(before[field]):
            hue, saturation, brightness = colorsys.rgb_to_hsv(*(float(part) for part in colour[:3]))
            colours[index, :3] = colorsys.hsv_to_rgb((hue + value / 360) % 1.0, saturation, brightness)


def _distractors(model: mujoco.MjModel, before: Saved, ids: NDArray[np.int64], value: float) -> None:
    bodies = [body for body in range(model.nbody) if model.body(body).name.startswith(DISTRACTOR)]
    if value > len(bodies):
        raise ValueError(f"{value:g} distractors are more than the {len(bodies)} that this world has")
    for index, body in enumerate(bodies):
        model.geom_rgba[model.body_geomadr[body], 3] = float(index < round(value))


EFFECTS: Mapping[str, Effect] = {
    "friction": Effect("factor on friction, the rougher of two counts", 1.0, ("geom_friction",), _friction, "geom"),
    "mass": Effect(
        "factor on mass and inertia", 1.0, ("body_mass", "body_inertia"), _scale("body_mass", "body_inertia"), "body",
        constants=True,
    ),
    "payload": Effect("kg added to a body", 0.0, ("body_mass",), _payload, "body", constants=True),
    "gain": Effect(
        "factor on what an actuator gives", 1.0, ("actuator_gainprm", "actuator_biasprm", "actuator_forcerange"), _gain,
        "actuator",
    ),
    "torque": Effect(
        "factor on the most that an actuator gives", 1.0, ("actuator_forcerange",), _torque, "actuator",
    ),
    "stuck": Effect("1 for a joint that hardly moves", 0.0, ("dof_damping",), _stuck, "joint"),
    "damping": Effect("factor on the damping of joints", 1.0, ("dof_damping",), _of_joints("dof_damping"), "joint"),
    "dry_friction": Effect(
        "factor on the dry friction of joints", 1.0, ("dof_frictionloss",), _of_joints("dof_frictionloss"), "joint",
    ),
    "armature": Effect(
        "factor on the inertia of rotors", 1.0, ("dof_armature",), _of_joints("dof_armature"), "joint", constants=True,
    ),
    "tilt": Effect("degrees by which the ground rises towards x", 0.0, ("gravity",), _tilt),
    "command_delay": Effect("s from a command to the motor", 0.0, ("actuator_delay",), _command_delay, "actuator"),
    "reversed": Effect("1 for an entry of the command that does the opposite", 0.0, (), lambda *_: None, "command"),
    "permuted": Effect("entries by which the command moves to other actuators", 0.0, (), lambda *_: None),
    "sensor_delay": Effect("s by which all that is observed is old", 0.0, (), lambda *_: None),
    "camera_shift": Effect(
        "m that a camera moves to its right", 0.0, ("cam_pos", "cam_quat"), _camera_shift, "camera",
        constants=True,
    ),
    "camera_roll": Effect(
        "degrees that a camera turns about its axis", 0.0, ("cam_quat",), _camera_roll, "camera",
        constants=True,
    ),
    "light": Effect(
        "factor on all light", 1.0, ("light_diffuse", "headlight_diffuse", "headlight_ambient"), _light,
    ),
    "hue": Effect("degrees by which all colours turn", 0.0, ("geom_rgba", "mat_rgba"), _hue),
    "distractors": Effect("how many coloured things lie about", 0.0, ("geom_rgba",), _distractors),
    "opponent": Effect("index of the opponent's behaviour", 0.0, (), lambda *_: None),
}  # fmt: skip
"""By the name that a `Change` gives."""

SIGNED = frozenset({"tilt", "permuted", "camera_shift", "camera_roll", "hue"})
"""Effects whose values may be negative."""

PICTURES = frozenset({"camera_shift", "camera_roll", "light", "hue", "distractors"})
"""Effects that only cameras see."""


def field(model: mujoco.MjModel, name: str) -> NDArray[np.float64]:
    """A field of the model by the name that effects use."""
    elsewhere = {
        "gravity": lambda: model.opt.gravity,
        "headlight_diffuse": lambda: model.vis.headlight.diffuse,
        "headlight_ambient": lambda: model.vis.headlight.ambient,
    }
    found: NDArray[np.float64] = elsewhere[name]() if name in elsewhere else getattr(model, name)
    return found


def target_ids(
    model: mujoco.MjModel | None, effect: Effect, target: str, entries: Sequence[str] = ()
) -> NDArray[np.int64]:
    """Ids of the target, or of all there are.

    Args:
        model: None where the world has none.
        effect: whose target it is.
        target: a name, empty for all.
        entries: names of the entries of a command.

    Raises:
        ValueError: nothing of that kind has that name.
    """
    if effect.of == "command":
        return np.array([entry_index(entries, target)]) if target else np.arange(len(entries))
    if effect.of is None:
        return np.arange(0)
    assert model is not None, "an effect on a part of a model needs one"
    counts = {"geom": "ngeom", "body": "nbody", "actuator": "nu", "joint": "njnt", "camera": "ncam"}
    if not getattr(model, counts[effect.of]):
        raise ValueError(f"this world has no {effect.of} that could change")
    if not target:
        return np.arange(getattr(model, counts[effect.of]))
    try:
        return np.array([getattr(model, effect.of)(target).id])
    except KeyError as error:
        names = [getattr(model, effect.of)(i).name for i in range(getattr(model, counts[effect.of]))]
        raise ValueError(
            f"there is no {effect.of} {target!r}, expected one of {', '.join(filter(None, names))}"
        ) from error


def entry_index(entries: Sequence[str], name: str) -> int:
    """Which entry of a command has a name.

    Raises:
        ValueError: none has.
    """
    if name not in entries:
        raise ValueError(f"there is no entry {name!r} of the command, expected one of {', '.join(entries)}")
    return list(entries).index(name)
