"""Lags are found to a fraction of a sample, with errors that they keep, and where there is none to find it is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from robot_agent_calibration.delay import Config, calibrate, image_delay, response_lag
from robot_agent_calibration.dynamics.excitation import Limits, fourier
from robot_agent_calibration.errors import CalibrationError
from robot_agent_calibration.recording.recording import Frame, Recording, Samples
from robot_agent_sim.so101.arm import JOINTS


def joints_of(seconds: float = 12.0, seed: int = 0) -> Samples:
    stamps, positions = fourier(seconds, 100.0, np.random.default_rng(seed))
    return Samples(JOINTS, stamps, positions)


def fourier_at(bandwidth: float) -> tuple[np.ndarray, np.ndarray]:
    return fourier(12.0, 100.0, np.random.default_rng(0), Limits(bandwidth=bandwidth))


def seen_motion(joints: Samples, late: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """What a camera of 30 Hz sees move, each picture `late`: all joints, some more than others, and noise."""
    shown = np.arange(0.1, joints.stamps[-1] - 0.1, 1 / 30)
    paths = np.concatenate((np.zeros((1, 6)), np.cumsum(np.abs(np.diff(joints.values, axis=0)), axis=0)))
    far = np.stack([np.interp(shown, joints.stamps, path) for path in paths.T], axis=1)
    moved = np.diff(far, axis=0) @ np.array([9.0, 7.0, 5.0, 2.0, 0.5, 0.2]) + 0.1
    return shown + late, moved + 0.1 * moved.mean() * rng.standard_normal(len(moved))


def test_the_delay_of_a_camera_is_found_to_a_fraction_of_a_frame() -> None:
    inside = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        late = rng.uniform(0.0, 0.06)
        joints = joints_of(seed=seed)
        found = image_delay(*seen_motion(joints, late, rng), joints)
        assert abs(found.value - late) < 0.004
        assert found.standard_error < 0.003
        inside += abs(found.value - late) < 1.96 * found.standard_error
    assert inside >= 16


def test_the_lag_of_an_answer_is_its_delay_where_there_is_no_servo_between() -> None:
    commands = joints_of()
    answer = Samples(JOINTS, commands.stamps + 0.0234, commands.values + 1e-4)
    found = response_lag(commands, answer)
    assert abs(found.value - 0.0234) < 1e-3
    assert found.likeness > 0.95


def test_a_recording_with_nothing_to_compare_is_refused() -> None:
    joints, where = joints_of(), Path("somewhere")
    still = Samples(JOINTS, joints.stamps, np.zeros_like(joints.values))
    noise = Samples(JOINTS, joints.stamps, np.random.default_rng(0).standard_normal(joints.values.shape).cumsum(axis=0))
    stopped = Samples(JOINTS, joints.stamps, np.ones_like(joints.values))
    another_clock = Samples(JOINTS, joints.stamps + 0.5, joints.values)
    slow = Samples(JOINTS, *fourier_at(0.3))
    slower_clock = Samples(JOINTS, slow.stamps + 0.4, slow.values)
    picture = np.zeros((120, 160), dtype=np.uint8)
    alike = [Frame(0.1 * number, str(number), lambda: picture) for number in range(70)]
    few = [Frame(0.1 * number, str(number), lambda: picture) for number in range(5)]
    for recording, complaint in (
        (Recording(where, commands=joints), "has no joint states"),
        (Recording(where, joints=joints), "has neither images nor commands"),
        (Recording(where, joints=joints, commands=still), "nothing can be timed"),
        (Recording(where, joints=joints, commands=noise), "commands and joints of somewhere do not move together"),
        (Recording(where, joints=stopped, commands=joints), "did not move when commanded to"),
        (Recording(where, joints=another_clock, commands=joints), "do not move together"),
        (Recording(where, joints=slower_clock, commands=slow), "outside of -100 to 300 ms: are their stamps"),
        (Recording(where, joints=joints, frames=alike), "the pictures do not change"),
        (Recording(where, joints=joints, frames=few), "5 images are too few to time a camera, expected at least 60"),
    ):
        with pytest.raises(CalibrationError, match=complaint):
            calibrate(recording, Config())


def test_what_was_found_is_said_and_kept() -> None:
    joints = joints_of()
    answer = Samples(JOINTS, joints.stamps + 0.02, joints.values)
    outcome = calibrate(Recording(Path("somewhere"), joints=answer, commands=joints), Config())
    assert outcome.sections["delays"]["command_response"]["unit"] == "s"
    assert outcome.sections["delays"]["command_response"]["value"] == pytest.approx(0.02, abs=1e-3)
    assert "tells apart" in outcome.lines[0]
    assert outcome.page.startswith("<!doctype html>")
