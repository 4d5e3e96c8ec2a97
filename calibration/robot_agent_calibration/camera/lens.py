"""Lens models: how a point in front of a camera becomes a pixel, with derivatives.

plumb_bob (Brown-Conrady; D. C. Brown, 1966), rational_polynomial and equidistant (Kannala and Brandt, 2006) as OpenCV
and ROS's CameraInfo name and order their coefficients. A pixel's centre has whole coordinates.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from robot_agent_calibration.geometry import Array

DISTORTION = {
    "plumb_bob": ("k1", "k2", "p1", "p2", "k3"),
    "rational_polynomial": ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6"),
    "equidistant": ("k1", "k2", "k3", "k4"),
}
"""Names of the coefficients of each model, in ROS's order."""
FOCAL = ("fx", "fy", "cx", "cy")


@dataclass(frozen=True)
class Lens:
    """Intrinsics of a camera.

    Args:
        model: one of `DISTORTION`.
        parameters: fx, fy, cx, cy in px, then the model's coefficients.
        size: (width, height) in px.
    """

    model: str
    parameters: Array
    size: tuple[int, int]

    @property
    def names(self) -> Sequence[str]:
        """Of the parameters."""
        return (*FOCAL, *DISTORTION[self.model])

    @property
    def matrix(self) -> Array:
        """The camera matrix, (3, 3)."""
        fx, fy, cx, cy = self.parameters[:4]
        return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]])

    @property
    def distortion(self) -> Array:
        """The coefficients."""
        return self.parameters[4:]

    @functools.cached_property
    def reach(self) -> float:
        """The largest x/z and y/z together, as a radius, that the image's border sees."""
        x, y = np.meshgrid(np.linspace(0, self.size[0] - 1, 9), np.linspace(0, self.size[1] - 1, 9))
        return float(np.linalg.norm(self.rays(np.stack([x.ravel(), y.ravel()], axis=1)), axis=1).max())

    def project(self, points: Array) -> Array:
        """Points (..., 3) in the camera's optical frame, in m, to pixels (..., 2)."""
        return self.project_with_derivatives(points)[0]

    def project_with_derivatives(self, points: Array) -> tuple[Array, Array, Array]:
        """Pixels (..., 2), their derivatives by the points (..., 2, 3) and by the parameters (..., 2, p)."""
        x, y, z = np.moveaxis(points, -1, 0)
        ideal = np.stack([x / z, y / z], axis=-1)
        zero = np.zeros_like(x)
        by_point = np.stack([1 / z, zero, -x / z**2, zero, 1 / z, -y / z**2], axis=-1).reshape(*x.shape, 2, 3)
        bend = _bend_equidistant if self.model == "equidistant" else _bend_polynomial
        bent, by_ideal, by_coefficients = bend(ideal, self.distortion)
        focal = self.parameters[:2]
        pixels = bent * focal + self.parameters[2:4]
        by_parameters = np.zeros((*x.shape, 2, len(self.parameters)))
        by_parameters[..., 0, 0], by_parameters[..., 1, 1] = bent[..., 0], bent[..., 1]
        by_parameters[..., 0, 2] = by_parameters[..., 1, 3] = 1
        by_parameters[..., 4:] = focal[:, None] * by_coefficients
        return pixels, focal[:, None] * (by_ideal @ by_point), by_parameters

    def rays(self, pixels: Array) -> Array:
        """Pixels (n, 2) back to ideal coordinates (x/z, y/z), (n, 2), by Newton's method."""
        aim = (pixels - self.parameters[2:4]) / self.parameters[:2]
        bend = _bend_equidistant if self.model == "equidistant" else _bend_polynomial
        if self.model == "equidistant":  # starts from the exact answer without coefficients
            radius = np.linalg.norm(aim, axis=1, keepdims=True)
            ideal = aim * np.where(radius > 1e-9, np.tan(np.minimum(radius, 1.4)) / np.maximum(radius, 1e-9), 1.0)
        else:
            ideal = aim.copy()
        for _ in range(30):
            bent, by_ideal, _ = bend(ideal, self.distortion)
            step = np.linalg.solve(by_ideal, (aim - bent)[..., None])[..., 0]
            ideal += np.clip(step, -0.3, 0.3)
            if np.abs(step).max() < 1e-10:
                break
        return ideal

    def camera_info(self, frame: str = "camera_optical_frame") -> dict[str, object]:
        """What ROS's camera_info_manager reads from a YAML file."""
        zeros = np.hstack([self.matrix, np.zeros((3, 1))])
        return {
            "image_width": self.size[0],
            "image_height": self.size[1],
            "camera_name": frame.removesuffix("_optical_frame"),
            "camera_matrix": _matrix(self.matrix),
            "distortion_model": self.model,
            "distortion_coefficients": _matrix(self.distortion[None]),
            "rectification_matrix": _matrix(np.eye(3)),
            "projection_matrix": _matrix(zeros),
        }


def _matrix(values: Array) -> dict[str, object]:
    rows, columns = values.shape
    return {"rows": rows, "cols": columns, "data": [float(value) for value in values.ravel()]}


def _bend_polynomial(ideal: Array, coefficients: Array) -> tuple[Array, Array, Array]:
    """x' = x R + 2 p1 x y + p2 (r² + 2 x²), y' alike, with R = (1 + k1 r² + k2 r⁴ + k3 r⁶) / (1 + k4 r² + …)."""
    k1, k2, p1, p2, k3, *rest = coefficients
    k4, k5, k6 = rest or (0.0, 0.0, 0.0)
    x, y = ideal[..., 0], ideal[..., 1]
    r2 = x * x + y * y
    above, below = 1 + r2 * (k1 + r2 * (k2 + r2 * k3)), 1 + r2 * (k4 + r2 * (k5 + r2 * k6))
    radial = above / below
    slope = (k1 + r2 * (2 * k2 + 3 * r2 * k3) - radial * (k4 + r2 * (2 * k5 + 3 * r2 * k6))) / below  # d radial / d r²
    bent = np.stack(
        [x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x), y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y],
        axis=-1,
    )
    cross = 2 * x * y * slope + 2 * p1 * x + 2 * p2 * y
    by_ideal = np.stack(
        [
            radial + 2 * x * x * slope + 2 * p1 * y + 6 * p2 * x,
            cross,
            cross,
            radial + 2 * y * y * slope + 6 * p1 * y + 2 * p2 * x,
        ],
        axis=-1,
    ).reshape(*x.shape, 2, 2)
    powers = np.stack([r2, r2**2, r2**3], axis=-1)
    by_above = ideal[..., None] * (powers / below[..., None])[..., None, :]
    by_coefficients = np.empty((*x.shape, 2, len(coefficients)))
    by_coefficients[..., :2], by_coefficients[..., 4] = by_above[..., :2], by_above[..., 2]
    by_coefficients[..., 0, 2], by_coefficients[..., 1, 2] = 2 * x * y, r2 + 2 * y * y
    by_coefficients[..., 0, 3], by_coefficients[..., 1, 3] = r2 + 2 * x * x, 2 * x * y
    if rest:
        by_coefficients[..., 5:] = -by_above * radial[..., None, None]
    return bent, by_ideal, by_coefficients


def _bend_equidistant(ideal: Array, coefficients: Array) -> tuple[Array, Array, Array]:
    """x' = x θ_d / r with θ = atan r and θ_d = θ (1 + k1 θ² + k2 θ⁴ + k3 θ⁶ + k4 θ⁸)."""
    k1, k2, k3, k4 = coefficients
    r2 = (ideal**2).sum(axis=-1)
    r = np.sqrt(np.maximum(r2, 1e-16))
    theta = np.arctan(r)
    t2 = theta**2
    bent_radius = theta * (1 + t2 * (k1 + t2 * (k2 + t2 * (k3 + t2 * k4))))
    scale = bent_radius / r
    slope = (1 + t2 * (3 * k1 + t2 * (5 * k2 + t2 * (7 * k3 + t2 * 9 * k4)))) / (1 + r2)
    by_r = (slope - scale) / r  # d scale / d r
    unit = ideal / r[..., None]
    outer = ideal[..., :, None] * unit[..., None, :]
    by_ideal = scale[..., None, None] * np.eye(2) + by_r[..., None, None] * outer
    powers = np.stack([t2, t2**2, t2**3, t2**4], axis=-1) * (theta / r)[..., None]
    return ideal * scale[..., None], by_ideal, ideal[..., :, None] * powers[..., None, :]
