"""Lags are found to a fraction of a sample, with errors that they keep, and where there is none to find it is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from robot_agent_calibration.delay.calibrate import Config, calibrate, image_delay, response_lag
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


def slow_motion(late: float, rng: np.random.Generator, lag_of_one: float = 0.0) -> tuple[Samples, Samples]:
    """15 s of slow sines as commands, and the joints' answers in steps of a 12-bit encoder, at 100 Hz."""
    phases = rng.uniform(0, 2 * np.pi, (len(JOINTS), 2))
    rates = 2 * np.pi * 0.25 * np.outer(1 + 0.3 * np.arange(len(JOINTS)), [1.0, 2.3])

    def positions(stamps: np.ndarray) -> np.ndarray:
        return (np.sin(stamps[:, None, None] * rates + phases) * (0.3, 0.15)).sum(axis=-1)

    asked, stamps = np.arange(0, 15, 0.02), np.arange(0, 15, 0.01) + rng.uniform(0, 0.01)
    answers = positions(stamps - late) + 1e-3 * rng.standard_normal((len(stamps), len(JOINTS)))
    answers[:, 0] = positions(stamps - late - lag_of_one)[:, 0]
    step = 2 * np.pi / 4096
    return Samples(JOINTS, asked, positions(asked)), Samples(JOINTS, stamps, np.round(answers / step) * step)


def test_the_lag_of_a_slow_motion_in_encoder_steps_is_as_exact_as_it_says() -> None:
    inside = 0
    for seed in range(20):
        found = response_lag(*slow_motion(0.06, np.random.default_rng(seed)))
        assert abs(found.value - 0.06) < 1e-4
        assert found.standard_error < 1e-4
        inside += abs(found.value - 0.06) < 1.96 * found.standard_error
    assert inside >= 17


def test_joints_that_are_late_by_different_times_widen_the_interval() -> None:
    commands, joints = slow_motion(0.06, np.random.default_rng(0), lag_of_one=0.02)
    found = response_lag(commands, joints)
    assert found.value - 1.96 * found.standard_error < 0.06
    assert found.standard_error > 1e-3


def test_the_error_that_is_printed_is_the_95_percent_interval() -> None:
    commands, joints = slow_motion(0.06, np.random.default_rng(0))
    outcome = calibrate(Recording(Path("somewhere"), joints=joints, commands=commands), Config())
    error = outcome.sections["delays"]["command_response"]["standard_error"]
    assert f"± {1.96e3 * error:.2f} ms (± is the 95 % interval" in outcome.lines[0]


def test_a_recording_with_nothing_to_compare_is_refused() -> None:
    joints, where = joints_of(), Path("somewhere")
    still = Samples(JOINTS, joints.stamps, np.zeros_like(joints.values))
    noise = Samples(JOINTS, joints.stamps, np.random.default_rng(0).standard_normal(joints.values.shape).cumsum(axis=0))
    stopped = Samples(JOINTS, joints.stamps, np.ones_like(joints.values))
    another_clock = Samples(JOINTS, joints.stamps + 0.5, joints.values)
    another_day = Samples(JOINTS, joints.stamps + 2.0, joints.values)
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
        (Recording(where, joints=another_clock, commands=joints), "outside of -100 to 300 ms: are their stamps"),
        (Recording(where, joints=another_day, commands=joints), "do not move together"),
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
