"""The most probable numbers given a recording, and how far they can be trusted."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from mujoco import sysid
from numpy.typing import NDArray

from robot_agent_calibration.dynamics.motion import Run
from robot_agent_calibration.dynamics.problem import SETTLING, Problem, Weights
from robot_agent_calibration.dynamics.unknowns import Unknowns

_FURTHEST = 5.0
"""Standard deviations of what was believed before, beyond which nothing is looked for."""
_LEAST_POSITION, _LEAST_EFFORT = 2.5e-4, 1e-3
"""rad and N·m; no sensor is trusted more than this."""
_STRETCH = 0.3
"""s in which errors belong together, at least: a joint that sticks reads the same wrong step for about so long."""
_FEWEST_STRETCHES = 15
_ALIKE = 0.05
"""Correlation below which what is left of two samples counts as independent."""


@dataclass(frozen=True)
class Fit:
    """What a recording says.

    Attributes:
        unknowns: what the numbers mean.
        z: (entries,).
        covariance: (entries, entries) of z, what was believed before included.
        information: (entries, entries), the Fisher information of z in the data alone; what was believed before has 1.
        noise: (joints,) in rad, RMS of what is left.
        correlation: (joints,), samples that what is left stays the same for; 1 for white noise.
        left: measured minus predicted positions, a run each, (n, joints) in rad.
    """

    unknowns: Unknowns
    z: NDArray[np.float64]
    covariance: NDArray[np.float64]
    information: NDArray[np.float64]
    noise: NDArray[np.float64]
    correlation: NDArray[np.float64]
    left: tuple[NDArray[np.float64], ...]


def fit(
    runs: Sequence[Run],
    scale: str = "assumed",
    timestep: float = 0.002,
    threads: int = 1,
    start: NDArray[np.float64] | None = None,
) -> Fit:
    """Least squares on positions (and efforts) against what was believed before, by `mujoco.sysid`.

    Each joint's samples are weighed by what is left of them and by how long that stays alike: a model that is wrong
    leaves waves, not noise, and a wave is one observation, not as many as it has samples. Without that, a wrong model
    would be bent to fit this one recording, and be trusted without bound.

    Args:
        runs: of the same arm.
        scale: what fixes the scale of forces; see `Unknowns`.
        timestep: of the simulation, s.
        threads: that simulate.
        start: z (entries,) at which to begin rather than at what was believed before.
    """
    problem = Problem(runs, scale, timestep, threads)
    z, weights = start, Weights.coarse(problem.joints)
    if z is None:
        # Motion first: efforts at all joints answer each other's numbers, and a search that begins far off goes astray.
        motion = replace(weights, efforts=np.zeros_like(weights.efforts))
        z = _search(problem, np.zeros(problem.unknowns.size), motion, problem.quick_jacobian, iterations=16)
        weights = _weighed(problem, z)[0]
        has_efforts = any(run.efforts is not None for run in runs)
        z = _search(problem, z, weights, problem.jacobian if has_efforts else problem.quick_jacobian, iterations=6)
    weights = _weighed(problem, z)[0]
    z = _search(problem, z, weights, problem.jacobian, iterations=2)
    weights, noise, correlation = _weighed(problem, z)
    jacobian = problem.cautious(problem.jacobian(z, weights), z, weights)
    information = jacobian.T @ jacobian
    alike = max(_STRETCH, float(correlation.max() * np.median(np.diff(runs[0].stamps))))
    lasted = sum(float(run.stamps[-1] - run.stamps[0]) for run in runs) - SETTLING * len(runs)
    stretches = problem.stretches(min(alike, lasted / _FEWEST_STRETCHES))
    covariance = _covariance(problem.rows(z[None], weights)[0], jacobian, stretches)
    left = tuple(-apart.positions[0] for apart in problem.apart(z[None]))
    return Fit(problem.unknowns, z, covariance, information, noise, correlation, left)


_Jacobian = Callable[[NDArray[np.float64], Weights], NDArray[np.float64]]


def _search(
    problem: Problem, start: NDArray[np.float64], weights: Weights, jacobian: _Jacobian, iterations: int
) -> NDArray[np.float64]:
    parameters = sysid.ParameterDict()
    for name, value in zip(problem.unknowns.names, start, strict=True):
        parameters.add(
            sysid.Parameter(name, float(np.clip(value, 0.9 - _FURTHEST, _FURTHEST - 0.9)), -_FURTHEST, _FURTHEST)
        )

    def residual(x: NDArray[np.float64], _: sysid.ParameterDict) -> tuple[list[NDArray[np.float64]], None, None]:
        columns = x.reshape(len(start), -1)
        rows = problem.rows(columns.T, weights).reshape(columns.shape[1], -1).T
        rows = np.concatenate((rows, columns))  # what was believed before is as many measurements
        return [rows if x.ndim > 1 else rows[:, 0]], None, None

    def derivative(x: NDArray[np.float64], _: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.concatenate((jacobian(x.ravel(), weights), np.eye(len(start))))

    _, result = sysid.optimize(
        parameters, residual, verbose=False, max_iters=iterations, jacobian=derivative, xtol=1e-4, output=io.StringIO()
    )
    found: NDArray[np.float64] = np.asarray(result.x, dtype=np.float64).ravel()
    return found


def _covariance(
    rows: NDArray[np.float64], jacobian: NDArray[np.float64], stretches: NDArray[np.int64]
) -> NDArray[np.float64]:
    """The sandwich H⁻¹ (S + 1) H⁻¹ with H = JᵀJ + 1 and S the scatter of what each stretch of time pulls at z.

    JᵀJ alone would believe that errors are alike at all speeds and that joints err each for itself. A late stamp does
    neither: it moves all joints of a sample, the faster the more. A stretch lasts as long as what is left stays alike,
    and has the efforts of its time beside the positions: a model that is wrong then is wrong in both. `stretches` says
    of each sample in which it is.
    What is left of a stretch is smaller than its errors were, as z was fitted to it too; each pulls as it would at a z
    that was fitted without it, (1 - J H⁻¹ Jᵀ)⁻¹ of what is left (the jackknife of Bell and McCaffrey, 2002).
    """
    entries = jacobian.shape[1]
    by_sample = jacobian.reshape(*rows.shape, entries)
    bread = np.linalg.inv(jacobian.T @ jacobian + np.eye(entries))
    scatter = np.eye(entries)
    for stretch in np.unique(stretches):
        here = stretches == stretch
        own, left = by_sample[here].reshape(-1, entries), rows[here].ravel()
        pull = np.linalg.solve(np.eye(entries) - own.T @ own @ bread, own.T @ left)  # the same in fewer dimensions
        scatter += np.outer(pull, pull)
    covariance: NDArray[np.float64] = bread @ scatter @ bread
    return covariance


def _weighed(problem: Problem, z: NDArray[np.float64]) -> tuple[Weights, NDArray[np.float64], NDArray[np.float64]]:
    """Weights from what is left at z, with its RMS and how long it stays alike."""
    apart = problem.apart(z[None])
    noise, correlation = _noise([one.positions[0] for one in apart], _LEAST_POSITION)
    weights = Weights(1 / (noise * np.sqrt(correlation)), Weights.coarse(problem.joints).efforts)
    efforts = [one.efforts[0] for one in apart if one.efforts is not None]
    if efforts:
        rms, alike = _noise(efforts, _LEAST_EFFORT)
        weights = Weights(weights.positions, 1 / (rms * np.sqrt(alike)))
    return weights, noise, correlation


def _noise(parts: list[NDArray[np.float64]], least: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Per joint, RMS and integrated autocorrelation time in samples, up to where the correlation ends."""
    rms = np.sqrt(np.mean(np.concatenate(parts) ** 2, axis=0))
    longest = max(parts, key=len)
    correlation = np.ones_like(rms)
    for joint, series in enumerate(longest.T):
        products = np.correlate(series, series, "full")[len(series) - 1 :]
        ended = np.flatnonzero(products < _ALIKE * products[0])
        if products[0] > 0 and len(ended):
            correlation[joint] = 1 + 2 * products[1 : ended[0]].sum() / products[0]
    return np.maximum(rms, least), correlation
