"""Nonlinear least squares by Levenberg and Marquardt on manifolds, for problems of some hundred unknowns."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
from scipy import linalg

from robot_agent_calibration.errors import CalibrationError
from robot_agent_calibration.geometry import Array

S = TypeVar("S")


def minimise(
    normal_equations: Callable[[S], tuple[float, Array, Array]],
    cost: Callable[[S], float],
    move: Callable[[S, Array], S],
    start: S,
    most_steps: int = 60,
) -> tuple[S, Array]:
    """Minimises a sum of squares over states that are moved by vectors.

    Args:
        normal_equations: cost r·r, gradient Jᵀr (n,) and matrix JᵀJ (n, n) at a state.
        cost: the cost alone.
        move: the state moved by a step (n,).
        start: the first state.

    Returns:
        the state of the least cost, and JᵀJ there.

    Raises:
        CalibrationError: it does not converge.
    """
    state, damping = start, 1e-4
    value, gradient, matrix = normal_equations(state)
    for _ in range(most_steps):
        scale = np.sqrt(np.maximum(np.diag(matrix), 1e-30))
        scaled = matrix / np.outer(scale, scale)
        while damping < 1e12:
            step = linalg.solve(scaled + damping * np.eye(len(scale)), -gradient / scale, assume_a="sym") / scale
            moved = move(state, step)
            new = cost(moved)
            if np.isfinite(new) and new <= value * (1 + 1e-12):
                break
            damping *= 10
        else:
            return state, matrix
        gain = value - new
        state, damping = moved, max(damping / 10, 1e-12)
        value, gradient, matrix = normal_equations(state)
        if gain <= 1e-9 * value:
            return state, matrix
    raise CalibrationError("the fit does not converge: the views contradict each other, or are too few or too alike")


def covariance(matrix: Array) -> Array:
    """The inverse of JᵀJ, where residuals have unit variance.

    Raises:
        CalibrationError: the data do not determine the unknowns.
    """
    scale = np.sqrt(np.maximum(np.diag(matrix), 1e-300))
    try:
        factor = linalg.cho_factor(matrix / np.outer(scale, scale))
    except linalg.LinAlgError as error:
        raise CalibrationError(
            "the views do not determine the answer: add views that differ more in place and tilt"
        ) from error
    return np.asarray(linalg.cho_solve(factor, np.eye(len(matrix)))) / np.outer(scale, scale)
