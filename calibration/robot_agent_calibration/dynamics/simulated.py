"""Runs whose truth is known: an SO-101 with other numbers, encoders that count, and stamps that jitter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import mujoco
import numpy as np
from numpy.typing import NDArray
from robot_agent_sim.cameras.rig import CameraRig
from robot_agent_sim.so101.arm import Servo

from robot_agent_calibration.dynamics.motion import Run, predict
from robot_agent_calibration.dynamics.unknowns import DELAY, DELAY_PRIOR, PRIOR, Unknowns

_AT_REST = 1.0
"""s before the first sample in which the arm comes to rest under the first command."""


@dataclass(frozen=True)
class Sensing:
    """How motion is recorded.

    Attributes:
        rate: Hz of the joint states.
        encoder_step: rad.
        jitter: s, standard deviation of the stamps of joint states.
        effort_noise: N·m, standard deviation; None for servos that measure no effort.
    """

    rate: float = 50.0
    encoder_step: float = Servo().encoder_step
    jitter: float = 5e-4
    effort_noise: float | None = None


def drawn_body(unknowns: Unknowns, rng: np.random.Generator, factor: float = 2.0) -> NDArray[np.float64]:
    """z (entries,) of an arm whose servos differ from the model's by up to `factor` either way, whose links differ by
    as much as is believed, and whose commands are 0 to 60 ms late."""
    z = rng.standard_normal(unknowns.size)
    for at, name in enumerate(unknowns.names):
        kind = name.partition(".")[2]
        if kind in ("stiffness", "friction", "damping", "armature", "stall_torque"):
            most = min(np.log(factor), 2 * PRIOR[kind])
            z[at] = rng.uniform(-most, most) / PRIOR[kind]
    z[-1] = (rng.uniform(0.0, 0.06) - DELAY) / DELAY_PRIOR
    return z


def simulated(
    unknowns: Unknowns,
    z: NDArray[np.float64],
    stamps: NDArray[np.float64],
    commands: NDArray[np.float64],
    rng: np.random.Generator,
    sensing: Sensing | None = None,
    payload: float = 0.0,
) -> Run:
    """What an arm with the numbers z does on commands (m, joints) in rad that hold from `stamps` (m,) on."""
    sensing = sensing or Sensing()
    read = np.arange(stamps[0], stamps[-1], 1 / sensing.rate) + rng.uniform(0, 1 / sensing.rate)
    times = np.concatenate(([stamps[0] - _AT_REST], read))
    at_start = np.tile(commands[0], (len(times), 1))
    before = np.concatenate(([stamps[0] - 2 * _AT_REST], stamps))
    rested = Run(times, at_start, before, np.concatenate((commands[:1], commands)), payload=payload)
    if sensing.effort_noise is not None:
        rested = replace(rested, effort_stamps=times, efforts=np.zeros_like(at_start))
    positions, efforts = predict(rested, [unknowns.build(z)], [unknowns.delay(z)])
    seen = positions[0, 1:]
    if sensing.encoder_step:
        seen = np.rint(seen / sensing.encoder_step) * sensing.encoder_step
    jittered = np.sort(read + sensing.jitter * rng.standard_normal(len(read)))
    run = Run(jittered, seen, stamps, commands, payload=payload)
    if efforts is None or sensing.effort_noise is None:
        return run
    felt = efforts[0, 1:] + sensing.effort_noise * rng.standard_normal(seen.shape)
    return replace(run, effort_stamps=jittered, efforts=felt)


def filmed(
    unknowns: Unknowns,
    z: NDArray[np.float64],
    run: Run,
    late: float,
    rng: np.random.Generator,
    rate: float = 30.0,
    size: tuple[int, int] = (120, 160),
) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """Stamps in s, each `late` after what its grey image (height, width) shows: the arm of a run, seen from overhead.

    Images are blurred by half a frame's exposure, noisy, and stamped with a jitter of a millisecond.
    """
    model = unknowns.build(z)
    data = mujoco.MjData(model)
    rig = CameraRig(model, data, None)
    shown = np.arange(run.stamps[0], run.stamps[-1], 1 / rate)
    exposed = np.add.outer(shown, np.linspace(-0.25, 0.25, 4) / rate)
    dense = replace(run, stamps=np.maximum(exposed.ravel(), run.stamps[0]), effort_stamps=None, efforts=None)
    dense = replace(dense, positions=np.tile(run.positions[0], (exposed.size, 1)))
    positions = predict(dense, [model], [unknowns.delay(z)])[0][0].reshape(*exposed.shape, -1)
    for time, poses in zip(shown, positions, strict=True):
        light = np.zeros(size)
        for pose in poses:
            data.qpos[:] = pose
            mujoco.mj_forward(model, data)
            light += rig.image("overhead", size).mean(axis=2)
        image = light / len(poses) + 2.0 * rng.standard_normal(size)
        yield time + late + 1e-3 * rng.standard_normal(), np.clip(image, 0, 255).astype(np.uint8)
    rig.close()
