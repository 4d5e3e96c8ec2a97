"""What is asked of a recording, what was believed before, and in which numbers."""

from __future__ import annotations

from dataclasses import dataclass, field

import mujoco
import numpy as np
from numpy.typing import NDArray
from robot_agent_sim.calibration.body import RATIOS
from robot_agent_sim.so101.arm import JOINTS

LINKS = ("shoulder", "upper_arm", "lower_arm", "wrist", "gripper", "moving_jaw")
"""That move when a joint does."""
PRIOR = {
    "stiffness": 0.7,
    "friction": 1.0,
    "damping": 0.5,
    "armature": 0.7,
    "stall_torque": 0.4,
    "mass": 0.1,
    "scale": 1.0,
}
"""Standard deviation of the logarithm, around the model's own value: stiffness, then the others of a servo over it,
then a link's mass against the others, then the scale of all masses. A factor of 2 is a logarithm of 0.7."""
DELAY, DELAY_PRIOR = 0.025, 0.025
"""s, mean and standard deviation."""


@dataclass(frozen=True)
class Unknowns:
    """Numbers z, standard normal before anything is measured, and what they mean.

    The logarithm of each quantity is linear in z: log y = log y₀ + A z. Only the delay itself is linear.

    Args:
        scale: what fixes the scale of forces; see `calibration.body.SCALES`. With `assumed` and `masses` the links
            weigh together what the model says, with `stiffness` the servos are as stiff as it says.
        model: the arm as it is believed to be.
    """

    model: mujoco.MjModel
    scale: str = "assumed"
    names: tuple[str, ...] = field(init=False)
    """Of the entries of z."""
    paths: tuple[str, ...] = field(init=False)
    """Of the quantities, as a calibration file has them: `joints.elbow_flex.friction`."""
    offset: NDArray[np.float64] = field(init=False)
    """(quantities,): log y₀."""
    matrix: NDArray[np.float64] = field(init=False)
    """(quantities, entries of z): A."""

    def __post_init__(self) -> None:
        joints, links = len(JOINTS), len(LINKS)
        free_stiffness, free_scale = self.scale != "stiffness", self.scale in ("effort", "stiffness", "payload")
        kinds = ("stiffness", *RATIOS) if free_stiffness else tuple(RATIOS)
        names = [f"{joint}.{kind}" for kind in kinds for joint in JOINTS] + [f"{link}.mass" for link in LINKS]
        names += (["scale"] if free_scale else []) + ["delay"]
        stiffness = np.zeros((joints, len(names)))
        if free_stiffness:
            stiffness[:, :joints] = PRIOR["stiffness"] * np.eye(joints)
        ratios = []
        for kind in RATIOS:
            first = kinds.index(kind) * joints
            ratios.append(np.zeros((joints, len(names))))
            ratios[-1][:, first : first + joints] = PRIOR[kind] * np.eye(joints)
        masses = np.zeros((links, len(names)))
        masses[:, len(kinds) * joints :][:, :links] = (0.02 if self.scale == "masses" else PRIOR["mass"]) * np.eye(
            links
        )
        if free_scale:
            masses[:, names.index("scale")] = PRIOR["scale"]
        absolute = [stiffness + ratio for ratio in ratios]
        paths = [f"joints.{joint}.{kind}" for kind in ("stiffness", *RATIOS) for joint in JOINTS]
        paths += [f"ratios.{joint}.{kind}" for kind in RATIOS for joint in JOINTS]
        paths += [f"masses.{link}" for link in LINKS]
        nominal = np.log(_numbers(self.model))
        believed = [*nominal, *(nominal[1:] - nominal[0]), np.log([self.model.body(link).mass[0] for link in LINKS])]
        for name, value in (
            ("names", tuple(names)),
            ("paths", tuple(paths)),
            ("offset", np.concatenate(believed)),
            ("matrix", np.concatenate([stiffness, *absolute, *ratios, masses])),
        ):
            object.__setattr__(self, name, value)

    @property
    def size(self) -> int:
        """Entries of z."""
        return len(self.names)

    def values(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        """All quantities in the order of `paths`, in the units of a calibration file."""
        values: NDArray[np.float64] = np.exp(self.offset + self.matrix @ z)
        return values

    def delay(self, z: NDArray[np.float64]) -> float:
        """s from the stamp of a command to the motor."""
        return float(DELAY + DELAY_PRIOR * z[-1])

    def build(self, z: NDArray[np.float64]) -> mujoco.MjModel:
        """The model of z."""
        joints = len(JOINTS)
        values = self.values(z)
        servos = 1 + len(RATIOS)
        stiffness, friction, damping, armature, stall = values[: servos * joints].reshape(servos, joints)
        model = self.model.__copy__()
        model.actuator_gainprm[:, 0] = stiffness
        model.actuator_biasprm[:, 1] = -stiffness
        model.dof_frictionloss[:joints] = friction
        model.dof_damping[:joints] = damping
        model.dof_armature[:joints] = armature
        model.actuator_forcerange[:] = np.stack((-stall, stall), axis=1)
        for link, mass in zip(LINKS, values[-len(LINKS) :], strict=True):
            body = model.body(link).id
            model.body_inertia[body] *= mass / model.body_mass[body]
            model.body_mass[body] = mass
        mujoco.mj_setConst(model, mujoco.MjData(model))
        return model


def _numbers(model: mujoco.MjModel) -> NDArray[np.float64]:
    """Stiffness, friction, damping, armature and stall torque as the model has them, (5, joints)."""
    joints = len(JOINTS)
    return np.array(
        [
            model.actuator_gainprm[:, 0],
            model.dof_frictionloss[:joints],
            model.dof_damping[:joints],
            model.dof_armature[:joints],
            model.actuator_forcerange[:, 1],
        ]
    )
