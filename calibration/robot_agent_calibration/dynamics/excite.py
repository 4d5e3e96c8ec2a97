"""`robot-agent calibrate excite`: the commands of an excitation run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from robot_agent_sim.so101.arm import JOINTS

from robot_agent_calibration.dynamics.excitation import Limits, designed
from robot_agent_calibration.errors import CalibrationError
from robot_agent_calibration.recording.recording import Samples
from robot_agent_calibration.recording.tables import write_samples


@dataclass(frozen=True)
class Config:
    """How the arm may move."""

    seconds: float = 20.0
    """Of the motion."""

    rate: float = 50.0
    """Commands a second."""

    candidates: int = 8
    """Random motions, of which the most telling is kept."""

    seed: int = 0
    """Of the motions."""

    speed: float = 3.0
    """rad/s that no command exceeds."""

    clearance: float = 0.02
    """m over the table, and between hand and base."""


def make(out: Path, config: Config) -> list[str]:
    """Writes `commands.csv` into the folder `out`.

    Raises:
        CalibrationError: a value makes no motion, or the file cannot be written.
    """
    for name, low, high in (("seconds", 4, 300), ("rate", 20, 500), ("candidates", 1, 1000), ("speed", 0.1, 4.7)):
        value = getattr(config, name)
        if not low <= value <= high:
            raise CalibrationError(f"--{name} is {value:g}, expected {low:g} to {high:g}")
    file = out / "commands.csv"
    if file.exists():
        raise CalibrationError(f"{file} exists already: choose another folder")
    limits = Limits(speed=config.speed, clearance=config.clearance)
    motion = designed(config.seconds, config.rate, config.candidates, config.seed, limits)
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_samples(file, Samples(JOINTS, motion.stamps, motion.commands))
    except OSError as error:
        raise CalibrationError(f"cannot write {file} ({error.strerror}): choose another folder") from error
    fastest = np.abs(np.diff(motion.commands, axis=0)).max() * config.rate
    table, itself = 100 * motion.table, 100 * motion.itself
    return [
        f"{config.seconds:g} s of commands for {', '.join(JOINTS)}, the best of {config.candidates}",
        f"fastest command {fastest:.2f} rad/s, {table:.1f} cm over the table, {itself:.1f} cm between hand and base "
        "in the model: watch the first run with a hand on the power switch",
        f"send them to the arm at {config.rate:g} Hz while joint states are recorded",
        f"written: {file}",
    ]
