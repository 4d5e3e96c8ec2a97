"""The joints between an arm's base and its hand, taken from a MuJoCo model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from robot_agent_calibration.errors import CalibrationError
from robot_agent_calibration.geometry import Array, adjoint, exp, inverse

OWN_MODEL = "so101"


@dataclass(frozen=True)
class Chain:
    """A serial chain as a product of exponentials (Brockett, 1984).

    transform_hand_to_base(q) = exp(S₁ q₁) … exp(S_j q_j) M

    Args:
        names: of the joints, from the base on.
        twists: (j, 6), each joint's axis in the base's frame where all joints are at 0.
        home: transform_hand_to_base there, (4, 4).
        ranges: (j, 2) of the joints, rad.
    """

    names: tuple[str, ...]
    twists: Array
    home: Array
    ranges: Array

    def transform_hand_to_base(self, angles: Array) -> Array:
        """(n, j) in rad to (n, 4, 4)."""
        return self.with_twists(angles)[0]

    def with_twists(self, angles: Array) -> tuple[Array, Array]:
        """(n, j) to transform_hand_to_base (n, 4, 4) and each joint's twist in the base's frame then, (n, j, 6)."""
        transform = np.broadcast_to(np.eye(4), (len(angles), 4, 4))
        twists = np.empty((len(angles), len(self.names), 6))
        for joint, twist in enumerate(self.twists):
            twists[:, joint] = adjoint(transform) @ twist
            transform = transform @ exp(angles[:, joint, None] * twist)
        return transform @ self.home, twists


def chain_of(model: str, hand: str = "gripper", base: str = "base") -> Chain:
    """The chain from body `base` to body `hand` of a model.

    Args:
        model: `so101`, or the path of an MJCF or URDF file.

    Raises:
        CalibrationError: there is no such model or body, or a joint between them is no hinge.
    """
    import mujoco

    if model == OWN_MODEL:
        from robot_agent_sim.so101.arm import arm_spec

        compiled = arm_spec().compile()
    else:
        if not Path(model).is_file():
            raise CalibrationError(f"there is no model {model!r}: expected {OWN_MODEL} or an MJCF or URDF file")
        try:
            compiled = mujoco.MjModel.from_xml_path(model)
        except ValueError as error:
            raise CalibrationError(f"{model} cannot be compiled ({' '.join(str(error).split())})") from error
    return _chain(compiled, hand, base)


def _chain(model: object, hand: str, base: str) -> Chain:
    import mujoco

    assert isinstance(model, mujoco.MjModel)
    for body in (hand, base):
        if mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_BODY, body) < 0:
            known = ", ".join(model.body(index).name for index in range(model.nbody))
            raise CalibrationError(f"the model has no body {body!r}, only {known}")
    data = mujoco.MjData(model)
    data.qpos[:] = 0
    mujoco.mj_kinematics(model, data)
    base_to_world = _pose(data, base)
    world_to_base = inverse(base_to_world)
    names, twists, ranges = [], [], []
    body = model.body(hand).id
    while body not in (0, model.body(base).id):
        for joint in reversed(range(model.body_jntadr[body], model.body_jntadr[body] + model.body_jntnum[body])):
            if int(model.jnt_type[joint]) != int(mujoco.mjtJoint.mjJNT_HINGE):
                raise CalibrationError(
                    f"joint {model.joint(joint).name!r} of the model is no hinge, expected hinges only"
                )
            axis = world_to_base[:3, :3] @ data.xaxis[joint]
            anchor = world_to_base[:3, :3] @ data.xanchor[joint] + world_to_base[:3, 3]
            names.append(model.joint(joint).name)
            twists.append(np.concatenate([axis, -np.cross(axis, anchor)]))
            ranges.append(model.jnt_range[joint] if model.jnt_limited[joint] else (-np.pi, np.pi))
        body = model.body_parentid[body]
    if not names:
        raise CalibrationError(
            f"no joint lies between the bodies {base!r} and {hand!r}: name the arm's base and its hand"
        )
    home = world_to_base @ _pose(data, hand)
    return Chain(tuple(names[::-1]), np.array(twists[::-1]), home, np.array(ranges[::-1], np.float64))


def _pose(data: object, body: str) -> Array:
    transform = np.eye(4)
    transform[:3, :3] = data.body(body).xmat.reshape(3, 3)  # type: ignore[attr-defined]
    transform[:3, 3] = data.body(body).xpos  # type: ignore[attr-defined]
    return transform
