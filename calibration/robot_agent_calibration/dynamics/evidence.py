"""A recording as runs that can be compared with a simulation; what cannot be is refused here."""

from __future__ import annotations

import numpy as np
from robot_agent_sim.so101.arm import JOINTS

from robot_agent_calibration.dynamics.motion import Run
from robot_agent_calibration.errors import CalibrationError
from robot_agent_calibration.recording.recording import Recording, Samples

LEAST_SECONDS = 3.0
LEAST_RATE = 15.0
"""Hz; below, a servo's answer falls between two samples."""
MOST_EFFORT = 20.0
"""N·m; no servo of an SO-101 comes near, so larger numbers are of another unit."""
LEAST_MOTION = np.deg2rad(5.0)
"""rad between the extremes of a joint."""


def run_of(recording: Recording, payload: float = 0.0, use_efforts: bool = True) -> Run:
    """Joint positions, commands and efforts (if there are any and they are to be used) in the order of `JOINTS`.

    Raises:
        CalibrationError: something is missing, too short, too slow, of another robot, or does not move.
    """
    joints, commands = recording.need_joints(), recording.need_commands()
    _check_names(recording, joints, "joint states")
    _check_names(recording, commands, "commands")
    positions, told = _ordered(joints), _ordered(commands)
    seconds = joints.stamps[-1] - joints.stamps[0]
    if seconds < LEAST_SECONDS:
        raise CalibrationError(
            f"{recording.path} has {seconds:.1f} s of joint states, expected at least {LEAST_SECONDS:g} s: "
            "record longer"
        )
    rate = (len(joints.stamps) - 1) / seconds
    if rate < LEAST_RATE:
        raise CalibrationError(
            f"{recording.path} has {rate:.1f} joint states a second, expected at least {LEAST_RATE:g}: record faster"
        )
    if commands.stamps[0] > joints.stamps[-1] or commands.stamps[-1] < joints.stamps[0]:
        raise CalibrationError(
            f"{recording.path} has its commands from {commands.stamps[0]:.1f} to {commands.stamps[-1]:.1f} s and its "
            f"joint states from {joints.stamps[0]:.1f} to {joints.stamps[-1]:.1f} s, expected stamps of one clock"
        )
    still = [name for name, column in zip(JOINTS, positions.T, strict=True) if np.ptp(column) < LEAST_MOTION]
    if still:
        raise CalibrationError(
            f"{', '.join(still)} hardly moved in {recording.path}: record the motion that robot-agent calibrate "
            "excite makes"
        )
    _check_follows(recording, positions, joints.stamps, told, commands.stamps)
    efforts = recording.efforts if use_efforts else None
    if efforts is not None:
        _check_names(recording, efforts, "efforts")
        _check_efforts(recording, _ordered(efforts))
    return Run(
        joints.stamps,
        positions,
        commands.stamps,
        told,
        None if efforts is None else efforts.stamps,
        None if efforts is None else _ordered(efforts),
        payload,
    )


def _ordered(samples: Samples) -> np.ndarray:
    return np.stack([samples.column(name) for name in JOINTS], axis=1)


def _check_names(recording: Recording, samples: Samples, what: str) -> None:
    missing = [name for name in JOINTS if name not in samples.names]
    if missing:
        raise CalibrationError(
            f"the {what} of {recording.path} have no {missing[0]!r}, only {', '.join(samples.names)}: "
            "expected an SO-101's"
        )


def _check_efforts(recording: Recording, efforts: np.ndarray) -> None:
    constant = [name for name, column in zip(JOINTS, efforts.T, strict=True) if not np.ptp(column) > 0]
    if constant:
        raise CalibrationError(
            f"the efforts of {', '.join(constant)} in {recording.path} are the same throughout: leave efforts out, or "
            "say what is --known instead of them"
        )
    largest = float(np.abs(efforts).max())
    if largest > MOST_EFFORT:
        raise CalibrationError(
            f"the efforts in {recording.path} are up to {largest:.3g}, more than an SO-101 has N·m: convert them, or "
            "say what is --known instead of them"
        )


def _check_follows(
    recording: Recording, positions: np.ndarray, stamps: np.ndarray, told: np.ndarray, command_stamps: np.ndarray
) -> None:
    """Each joint does what it is told to, more or less: else columns, signs or units are mixed up."""
    commanded = np.stack([np.interp(stamps - 0.05, command_stamps, column) for column in told.T], axis=1)
    for name, column, command in zip(JOINTS, positions.T, commanded.T, strict=True):
        if np.ptp(command) < LEAST_MOTION:
            raise CalibrationError(
                f"{name} was hardly commanded to move in {recording.path}: record the motion that "
                "robot-agent calibrate excite makes"
            )
        likeness = float(np.corrcoef(column, command)[0, 1])
        if likeness < 0.5:
            raise CalibrationError(
                f"{name} does not follow its commands in {recording.path} (correlation {likeness:.2f}): "
                "check the order of the joints, their signs, and that both are in rad"
            )
