"""Rigid transforms as 4×4 matrices, and their tangent space.

`transform_a_to_b` maps the coordinates of a point in frame a to those in frame b. A twist is (ω, v): rotation vector in
rad before translation in m; `exp(twist) @ transform` moves `transform` as seen in the frame that it maps into. Base and
hand frames are right-handed with x forward, y left, z up (REP-103); camera frames are optical: x right, y down,
z forward (REP-103, suffix `_optical`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import RigidTransform, Rotation

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


def hat(vectors: Array) -> Array:
    """(..., 3) to the skew matrices (..., 3, 3) with hat(a) @ b = a × b."""
    x, y, z = np.moveaxis(np.asarray(vectors, np.float64), -1, 0)
    zero = np.zeros_like(x)
    return np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*x.shape, 3, 3)


def exp(twists: Array) -> Array:
    """Twists (..., 6) to transforms (..., 4, 4)."""
    return np.asarray(RigidTransform.from_exp_coords(twists).as_matrix())


def log(transforms: Array) -> Array:
    """Transforms (..., 4, 4) to twists (..., 6); rotations by less than π."""
    return np.asarray(RigidTransform.from_matrix(transforms).as_exp_coords())


def inverse(transforms: Array) -> Array:
    """Of transforms (..., 4, 4)."""
    return np.asarray(RigidTransform.from_matrix(transforms).inv().as_matrix())


def adjoint(transforms: Array) -> Array:
    """(..., 6, 6) with T exp(twist) T⁻¹ = exp(adjoint(T) twist)."""
    rotation = transforms[..., :3, :3]
    result = np.zeros((*transforms.shape[:-2], 6, 6))
    result[..., :3, :3] = result[..., 3:, 3:] = rotation
    result[..., 3:, :3] = hat(transforms[..., :3, 3]) @ rotation
    return result


def small_adjoint(twists: Array) -> Array:
    """(..., 6, 6), the Lie bracket with a twist; J_l⁻¹ ≈ 1 - ad/2 and J_r⁻¹ ≈ 1 + ad/2 for small ones."""
    result = np.zeros((*twists.shape[:-1], 6, 6))
    result[..., :3, :3] = result[..., 3:, 3:] = hat(twists[..., :3])
    result[..., 3:, :3] = hat(twists[..., 3:])
    return result


def angle_between(a: Array, b: Array) -> float:
    """rad between the orientations of two transforms."""
    return float(np.linalg.norm(log(inverse(a) @ b)[:3]))


def quaternion_xyzw(transform: Array) -> Array:
    """The rotation as ROS writes it, (x, y, z, w)."""
    return np.asarray(Rotation.from_matrix(transform[:3, :3]).as_quat(canonical=True))
