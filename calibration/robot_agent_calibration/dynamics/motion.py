"""How an arm answers commands: predicted by MuJoCo for many candidates at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import mujoco
import mujoco.rollout
import numpy as np
from numpy.typing import NDArray
from robot_agent_sim.so101.arm import JOINTS, arm_spec
from robot_agent_sim.so101.calibrated import add_payload

_STATE = mujoco.mjtState.mjSTATE_FULLPHYSICS


@dataclass(frozen=True)
class Run:
    """One excitation and what the arm did; all stamps in s, of one clock.

    Attributes:
        stamps: (n,) of the joint positions.
        positions: (n, joints) in rad, as the encoders read them.
        command_stamps: (m,).
        commands: (m, joints) in rad; each holds until the next.
        effort_stamps, efforts: (k,), (k, joints) in N·m, if the servos measure them.
        payload: kg between the jaws.
    """

    stamps: NDArray[np.float64]
    positions: NDArray[np.float64]
    command_stamps: NDArray[np.float64]
    commands: NDArray[np.float64]
    effort_stamps: NDArray[np.float64] | None = None
    efforts: NDArray[np.float64] | None = None
    payload: float = 0.0


def arm_model(timestep: float = 0.002, payload: float = 0.0) -> mujoco.MjModel:
    """The SO-101 as it is believed to be, nothing touching, no delay of its own."""
    spec = arm_spec()
    for actuator in spec.actuators:
        actuator.nsample = 0
        spec.add_sensor(
            name=actuator.name, type=mujoco.mjtSensor.mjSENS_ACTUATORFRC, objtype=mujoco.mjtObj.mjOBJ_ACTUATOR,
            objname=actuator.name,
        )  # fmt: skip
    if payload:
        add_payload(spec, payload)
    model = spec.compile()
    model.opt.timestep = timestep
    model.opt.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_CONTACT)
    return model


def held(run: Run, start: float, steps: int, timestep: float, delay: float) -> NDArray[np.float64]:
    """What the motors are told in each physics step, (steps, joints): the mean of commands that hold until the next one
    arrives, `delay` late, which makes the motion a smooth function of the delay.

    The mean is over half a step before and half a step after. MuJoCo moves positions by the velocity after the step;
    read as a leapfrog, forces act at the beginning of the step and velocities are those of its middle. The commands of
    the step itself would act half a step early, and that would be found again as delay.
    """
    edges = start + timestep * (np.arange(steps + 1) - 0.5) - delay
    before = np.concatenate(([min(edges[0], run.command_stamps[0]) - 1.0], run.command_stamps))
    values = np.concatenate((run.positions[:1], run.commands))
    after = max(edges[-1], before[-1]) + 1.0
    times = np.append(before, after)
    areas = np.concatenate((np.zeros((1, values.shape[1])), np.cumsum(values * np.diff(times)[:, None], axis=0)))
    area = np.stack([np.interp(edges, times, column) for column in areas.T], axis=1)
    mean: NDArray[np.float64] = np.diff(area, axis=0) / timestep
    return mean


def predict(
    run: Run,
    models: Sequence[mujoco.MjModel],
    delays: Sequence[float],
    threads: int = 1,
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Positions (models, n, joints) in rad at the run's stamps, and efforts (models, k, joints) in N·m at theirs.

    The arm starts at rest where the first reading puts it. `rollout` gives states after each step, at
    t = (i + 1) dt, but the forces of sensors as they were before it, at t = i dt.
    """
    timestep = models[0].opt.timestep
    start = run.stamps[0]
    steps = int(np.ceil((run.stamps[-1] - start) / timestep)) + 1
    data = mujoco.MjData(models[0])
    data.qpos[: len(JOINTS)] = run.positions[0]
    state = np.empty(mujoco.mj_stateSize(models[0], _STATE))
    mujoco.mj_getState(models[0], data, state, _STATE)
    control = np.stack([held(run, start, steps, timestep, delay) for delay in delays])
    workers = [mujoco.MjData(models[0]) for _ in range(min(threads, len(models)))]
    with mujoco.rollout.Rollout(nthread=len(workers) if len(workers) > 1 else 0) as roll:
        states, sensors = roll.rollout(list(models), workers, np.tile(state, (len(models), 1)), control)
    joints = states[:, :, 1 : 1 + len(JOINTS)]
    joints = np.concatenate((np.tile(run.positions[0], (len(models), 1, 1)), joints), axis=1)
    positions = _sampled(joints, (run.stamps - start) / timestep)
    if run.effort_stamps is None:
        return positions, None
    return positions, _sampled(sensors, (run.effort_stamps - start) / timestep)


def _sampled(values: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.float64]:
    """(models, steps, joints) at fractional steps, by the cubic through four neighbours."""
    at = np.clip(at, 0, values.shape[1] - 1.000001)
    before = np.clip(at.astype(int), 1, values.shape[1] - 3)
    rest = (at - before)[:, None]
    weights = (
        -rest * (rest - 1) * (rest - 2) / 6,
        (rest + 1) * (rest - 1) * (rest - 2) / 2,
        -(rest + 1) * rest * (rest - 2) / 2,
        (rest + 1) * rest * (rest - 1) / 6,
    )
    sampled: NDArray[np.float64] = sum(weight * values[:, before + near - 1] for near, weight in enumerate(weights))
    return sampled
