"""Motions that tell much: band-limited Fourier series within limits, the best of some by what they would reveal."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import mujoco
import numpy as np
from numpy.typing import NDArray
from robot_agent_sim.so101.arm import HOME, JOINTS

from robot_agent_calibration.dynamics.motion import Run, arm_model, predict
from robot_agent_calibration.dynamics.problem import Problem, Weights
from robot_agent_calibration.errors import CalibrationError

BOX = np.array([(-1.1, 1.1), (-1.2, -0.1), (-0.2, 1.2), (0.0, 1.4), (-1.4, 1.4), (0.1, 1.4)])
"""rad, (joints, 2), that commands stay in: bent over the table, away from all stops."""
_REST = 0.5
"""s at HOME at either end."""
_RAMP = 1.0
"""s from there to the full motion."""
_SENSOR = np.deg2rad(0.05)
"""rad that positions are known to when motions are compared."""
_NEAR_BODIES = (("gripper", "moving_jaw"), ("base", "shoulder"))
"""Links that could meet."""


@dataclass(frozen=True)
class Motion:
    """Commands that excite an arm.

    Attributes:
        stamps: (n,) in s, from 0.
        commands: (n, joints) in rad; they begin and end at HOME.
        information: log det of the information about all numbers, against what is believed before.
        table: m that is left over the table at least, in the model.
        itself: m that is left between the hand and the base at least.
    """

    stamps: NDArray[np.float64]
    commands: NDArray[np.float64]
    information: float
    table: float
    itself: float


@dataclass(frozen=True)
class Limits:
    """What a motion keeps.

    Attributes:
        speed: rad/s of a command.
        clearance: m over the table, and between the hand and the base.
        bandwidth: Hz of the fastest part. A servo answers up to some Hz; slower motion cannot tell delay from damping.
    """

    speed: float = 3.0
    clearance: float = 0.02
    bandwidth: float = 4.0


def designed(
    seconds: float, rate: float = 50.0, candidates: int = 8, seed: int = 0, limits: Limits | None = None
) -> Motion:
    """The most telling (D-optimal) of so many random motions.

    Raises:
        CalibrationError: no motion of this length is within the limits.
    """
    limits, rng = limits or Limits(), np.random.default_rng(seed)
    model = arm_model()
    found: list[Motion] = []
    for _ in range(candidates):
        stamps, commands = fourier(seconds, rate, rng, limits)
        # Smaller and smaller around HOME, which is clear of everything.
        for size in (1.0, 0.85, 0.7, 0.55, 0.4):
            shrunk = np.array(HOME) + size * (commands - np.array(HOME))
            table, itself = clearance(model, stamps, shrunk)
            if min(table, itself) >= limits.clearance:
                found.append(Motion(stamps, shrunk, information(stamps, shrunk), table, itself))
                break
    if not found:
        raise CalibrationError(
            f"none of {candidates} motions keeps {limits.clearance:g} m clearance: give a smaller --clearance, or more "
            "--candidates"
        )
    return max(found, key=lambda motion: motion.information)


def fourier(
    seconds: float, rate: float, rng: np.random.Generator, limits: Limits | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A random motion: stamps (n,) in s and commands (n, joints) in rad.

    Each joint is a sum of harmonics of the motion's length up to the bandwidth, amplitudes falling with frequency, some
    motions' faster than others', as large as the box and the speed allow.
    """
    limits = limits or Limits()
    stamps = np.arange(round(seconds * rate)) / rate
    moving = seconds - 2 * _REST
    frequencies = np.arange(1, int(limits.bandwidth * moving) + 1) / moving
    angles = 2 * np.pi * frequencies * stamps[:, None]
    commands = np.empty((len(stamps), len(JOINTS)))
    falling = rng.uniform(0.8, 2.0)
    for joint, (low, high) in enumerate(BOX):
        amplitudes = rng.standard_normal(len(frequencies)) / (frequencies + 0.2) ** falling
        wave = np.sin(angles + rng.uniform(0, 2 * np.pi, len(frequencies))) @ amplitudes
        wave = (wave - wave.min()) / np.ptp(wave)
        fastest = np.abs(np.diff(wave)).max() * rate
        size = min(high - low, limits.speed / fastest)
        middle = rng.uniform(low + size / 2, high - size / 2)
        commands[:, joint] = middle + size * (wave - 0.5)
    ends = np.minimum(stamps - _REST, seconds - _REST - stamps) / _RAMP
    there = np.clip(ends, 0, 1)[:, None]
    there = there**2 * (3 - 2 * there)
    away = there * (commands - np.array(HOME))
    fastest = np.abs(np.diff(away, axis=0)).max(axis=0) * rate
    return stamps, np.array(HOME) + np.minimum(1.0, limits.speed / fastest) * away


def information(stamps: NDArray[np.float64], commands: NDArray[np.float64]) -> float:
    """log det (1 + JᵀJ) at the model as it is believed to be."""
    run = Run(stamps, np.tile(commands[0], (len(stamps), 1)), stamps, commands)
    problem = Problem([run], timestep=0.004)
    weights = Weights(np.full(len(JOINTS), 1 / _SENSOR), np.ones(len(JOINTS)))
    jacobian = problem.quick_jacobian(np.zeros(problem.unknowns.size), weights)
    return float(np.linalg.slogdet(np.eye(jacobian.shape[1]) + jacobian.T @ jacobian)[1])


def clearance(model: mujoco.MjModel, stamps: NDArray[np.float64], commands: NDArray[np.float64]) -> tuple[float, float]:
    """m over the table, and between the hand and the base, at least, in the motion that the model makes of commands."""
    run = Run(stamps, np.tile(commands[0], (len(stamps), 1)), stamps, commands)
    positions = predict(run, [model], [0.02])[0][0]
    data, line = mujoco.MjData(model), np.zeros(6)
    hand, base = ([geom for geom in range(model.ngeom) if _body(model, geom) in bodies] for bodies in _NEAR_BODIES)
    table = itself = np.inf
    for position in positions[::5]:
        data.qpos[:] = position
        mujoco.mj_kinematics(model, data)
        table = min(table, *(_lowest(model, data, geom) for geom in hand))
        itself = min(itself, *(mujoco.mj_geomDistance(model, data, a, b, 0.1, line) for a, b in product(hand, base)))
    return float(table), float(itself)


def _body(model: mujoco.MjModel, geom: int) -> str:
    return str(model.body(model.geom_bodyid[geom]).name)


def _lowest(model: mujoco.MjModel, data: mujoco.MjData, box: int) -> float:
    """m, the height of a box's lowest corner."""
    rotation = data.geom_xmat[box].reshape(3, 3)
    return float(data.geom_xpos[box, 2] - np.abs(rotation[2]) @ model.geom_size[box])
