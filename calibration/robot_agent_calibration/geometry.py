"""Rigid transforms as 4×4 matrices, and their tangent space.

`transform_a_to_b` maps the coordinates of a point in frame a to those in frame b. A twist is (ω, v): rotation vector in
rad before translation in m; `exp(twist) @ transform` moves `transform` as seen in the frame that it maps into. Base and
hand frames are right-handed with x forward, y left, z up (REP-103); camera frames are optical: x right, y down,
z forward (REP-103, suffix `_optical`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


def hat(vectors: Array) -> Array:
    """(..., 3) to the skew matrices (..., 3, 3) with hat(a) @ b = a × b."""
    x, y, z = np.moveaxis(np.asarray(vectors, np.float64), -1, 0)
    zero = np.zeros_like(x)
    return np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*x.shape, 3, 3)


def exp(twists: Array) -> Array:
    """Twists (..., 6) to transforms (..., 4, 4)."""
    omega, v = np.asarray(twists, np.float64)[..., :3], np.asarray(twists, np.float64)[..., 3:]
    angle = np.linalg.norm(omega, axis=-1)[..., None, None]
    small = angle < 1e-6
    safe = np.where(small, 1.0, angle)
    a = np.where(small, 1 - angle**2 / 6, np.sin(safe) / safe)
    b = np.where(small, 0.5 - angle**2 / 24, (1 - np.cos(safe)) / safe**2)
    c = np.where(small, 1 / 6 - angle**2 / 120, (safe - np.sin(safe)) / safe**3)
    skew = hat(omega)
    square = skew @ skew
    transform = np.zeros((*omega.shape[:-1], 4, 4))
    transform[..., :3, :3] = np.eye(3) + a * skew + b * square
    transform[..., :3, 3] = ((np.eye(3) + b * skew + c * square) @ v[..., None])[..., 0]
    transform[..., 3, 3] = 1
    return transform


def log(transforms: Array) -> Array:
    """Transforms (..., 4, 4) to twists (..., 6); rotations by less than π."""
    rotation, translation = transforms[..., :3, :3], transforms[..., :3, 3]
    vector = 0.5 * np.stack(
        [
            rotation[..., 2, 1] - rotation[..., 1, 2],
            rotation[..., 0, 2] - rotation[..., 2, 0],
            rotation[..., 1, 0] - rotation[..., 0, 1],
        ],
        axis=-1,
    )
    sine = np.linalg.norm(vector, axis=-1)
    cosine = (np.trace(rotation, axis1=-2, axis2=-1) - 1) / 2
    angle = np.arctan2(sine, cosine)
    scale = np.where(sine < 1e-9, 1.0, angle / np.where(sine < 1e-9, 1.0, sine))
    omega = scale[..., None] * vector
    skew = hat(omega)
    small = angle < 1e-4
    safe = np.where(small, 1.0, angle)
    half = safe / 2
    factor = np.where(small, 1 / 12, (1 - half * np.cos(half) / np.sin(half)) / safe**2)[..., None, None]
    inverse_jacobian = np.eye(3) - 0.5 * skew + factor * skew @ skew
    return np.concatenate([omega, (inverse_jacobian @ translation[..., None])[..., 0]], axis=-1)


def inverse(transforms: Array) -> Array:
    """Of transforms (..., 4, 4)."""
    result = np.zeros_like(transforms)
    transposed = np.swapaxes(transforms[..., :3, :3], -1, -2)
    result[..., :3, :3] = transposed
    result[..., :3, 3] = -(transposed @ transforms[..., :3, 3, None])[..., 0]
    result[..., 3, 3] = 1
    return result


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
    from scipy.spatial.transform import Rotation

    return np.asarray(Rotation.from_matrix(transform[:3, :3]).as_quat(canonical=True))
