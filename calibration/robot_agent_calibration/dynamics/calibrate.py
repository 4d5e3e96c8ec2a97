"""`robot-agent calibrate dynamics`: what an arm's servos and links are, from an excitation run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from robot_agent_sim.calibration import Estimate
from robot_agent_sim.calibration.body import QUANTITIES, RATIOS, BodyParameters
from robot_agent_sim.so101.arm import JOINTS

from robot_agent_calibration.dynamics.evidence import run_of
from robot_agent_calibration.dynamics.fit import Fit, fit
from robot_agent_calibration.dynamics.motion import Run
from robot_agent_calibration.dynamics.page import dynamics_page
from robot_agent_calibration.dynamics.unknowns import DELAY_PRIOR, LINKS
from robot_agent_calibration.errors import CalibrationError
from robot_agent_calibration.outcome import Outcome
from robot_agent_calibration.recording import open_recording
from robot_agent_calibration.recording.recording import Recording

TOLD_LITTLE = 0.7
"""Standard error over what was believed before, above which the data count as silent."""
MOST_LEFT = 5.0
"""Degrees RMS after the fit, above which the recording is of something else."""


@dataclass(frozen=True)
class Config:
    """What is known besides the recording."""

    known: Literal["nothing", "masses", "stiffness"] = "nothing"
    """What the model has right already: the masses of its links (they were weighed), or the stiffness of its servos.
    Without it, with no efforts and no payload, motion tells ratios only. With it, recorded efforts are not used."""

    payload: float = 0.0
    """kg that the gripper held in the recording."""

    also: tuple[Path, ...] = ()
    """More recordings of the same arm, its gripper empty; with a payload in the first, they fix the scale of forces."""

    timestep: float = 0.002
    """s, of the simulation."""


def calibrate(recording: Recording, config: Config) -> Outcome:
    """Estimates the dynamics.

    Raises:
        CalibrationError: the recording, or what is said of it, cannot be used.
    """
    if config.payload < 0:
        raise CalibrationError(f"--payload is {config.payload:g}, expected kg, at least 0")
    if not 1e-4 <= config.timestep <= 0.01:
        raise CalibrationError(f"--timestep is {config.timestep:g}, expected 0.0001 to 0.01 s")
    efforts = config.known == "nothing"
    runs = [run_of(recording, config.payload, efforts)]
    runs += [run_of(open_recording(path), use_efforts=efforts) for path in config.also]
    scale = _scale(runs, config)
    found = fit(runs, scale, config.timestep, threads=os.cpu_count() or 1)
    worst = int(np.argmax(found.noise))
    left = float(np.rad2deg(found.noise[worst]))
    if left > MOST_LEFT:
        raise CalibrationError(
            f"no SO-101 moves as {recording.path} says: {left:.1f}° are left at {JOINTS[worst]} after the best fit, "
            f"expected less than {MOST_LEFT:g}°; check for collisions, joint zeros and stamps"
        )
    body = body_parameters(found, config.payload)
    return Outcome(
        {"dynamics": body.to_yaml()}, list(_lines(found, body)), dynamics_page(recording.path, runs, found, body)
    )


def _scale(runs: list[Run], config: Config) -> str:
    if config.known != "nothing":
        return config.known
    if any(run.efforts is not None for run in runs):
        return "effort"
    return "payload" if config.payload else "assumed"


def body_parameters(found: Fit, payload: float = 0.0) -> BodyParameters:
    """A fit in the terms of a calibration file."""
    unknowns = found.unknowns
    values = unknowns.values(found.z)
    errors = log_errors(found)
    believed = np.linalg.norm(unknowns.matrix, axis=1)
    estimates: dict[str, Estimate] = {}
    undetermined = []
    for path, value, error, before in zip(unknowns.paths, values, errors, believed, strict=True):
        unit = _unit(path)
        interval = (float(value * np.exp(-1.96 * error)), float(value * np.exp(1.96 * error)))
        estimates[path] = Estimate(float(value), float(value * error), unit, interval)
        if before > 0 and error > TOLD_LITTLE * before:
            undetermined.append(path)
    delay_error = float(np.sqrt(found.covariance[-1, -1]) * DELAY_PRIOR)
    delay = max(0.0, unknowns.delay(found.z))
    low, high = max(0.0, delay - 1.96 * delay_error), delay + 1.96 * delay_error
    return BodyParameters(
        scale=unknowns.scale,
        joints={
            joint: {what: estimates[f"joints.{joint}.{what}"] for what in ("stiffness", *RATIOS)} for joint in JOINTS
        },
        ratios={joint: {what: estimates[f"ratios.{joint}.{what}"] for what in RATIOS} for joint in JOINTS},
        masses={link: estimates[f"masses.{link}"] for link in LINKS},
        command_delay=Estimate(delay, delay_error, "s", (low, high)),
        undetermined=undetermined,
    )


def log_errors(found: Fit) -> NDArray[np.float64]:
    """Standard errors of the logarithms of all quantities, in the order of `Unknowns.paths`."""
    matrix = found.unknowns.matrix
    errors: NDArray[np.float64] = np.sqrt(np.einsum("ij,jk,ik->i", matrix, found.covariance, matrix))
    return errors


def _unit(path: str) -> str:
    kind, _, rest = path.partition(".")
    if kind == "masses":
        return "kg"
    what = rest.rpartition(".")[2]
    return RATIOS[what] if kind == "ratios" else QUANTITIES[what]


def _lines(found: Fit, body: BodyParameters) -> Iterator[str]:
    yield f"command delay {1e3 * _value(body.command_delay):.2f} ms (95 %: {_interval(body.command_delay, 1e3)})"
    for joint in JOINTS:
        parts = []
        for what, estimate in body.joints[joint].items():
            mark = "?" if f"joints.{joint}.{what}" in body.undetermined else ""
            parts.append(f"{what} {estimate}{mark}")
        yield f"{joint}: {', '.join(parts)}"
    masses = (
        f"{link} {mass}{'?' if f'masses.{link}' in body.undetermined else ''}" for link, mass in body.masses.items()
    )
    yield f"masses: {', '.join(masses)}"
    yield scale_sentence(body.scale)
    if body.undetermined:
        yield f"not determined by this recording (marked ?, kept near the model): {', '.join(body.undetermined)}"
    strong = int((np.linalg.eigvalsh(found.information) > 1.0).sum())
    yield f"the recording determines {strong} of {len(found.z)} directions better than the model did"
    left = ", ".join(f"{joint} {np.rad2deg(noise):.3f}°" for joint, noise in zip(JOINTS, found.noise, strict=True))
    yield f"left after the fit, RMS: {left}"


def scale_sentence(scale: str) -> str:
    """What the absolute values rest on."""
    return {
        "assumed": "scale of forces: assumed, for positions alone cannot tell it; stiffness, friction, damping, "
        "armature, stall torque and masses may all be larger by one common factor, and only their ratios hold (give "
        "--payload, --known masses, or record efforts)",
        "effort": "scale of forces: from the measured efforts",
        "stiffness": "scale of forces: from the known stiffness of the servos",
        "masses": "scale of forces: from the known masses of the links",
        "payload": "scale of forces: from the known payload",
    }[scale]


def _value(estimate: Estimate | None) -> float:
    return estimate.value if estimate else 0.0


def _interval(estimate: Estimate | None, factor: float) -> str:
    low, high = estimate.interval_95 if estimate else (0.0, 0.0)
    return f"{factor * low:.2f} to {factor * high:.2f}"
