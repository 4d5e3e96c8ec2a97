"""Steady deadlines that drift towards the camera's rhythm, and no faster than they may."""

from __future__ import annotations

import numpy as np
import pytest
from robot_agent_ros.agent.cadence import LEAD, SLEW, Cadence

PERIOD = 1 / 30


def lived(camera_period: float, phase: float, jitter: float, decisions: int = 2000) -> tuple[np.ndarray, np.ndarray]:
    """Deadlines, and how old the newest picture was at each, of a camera with late pictures."""
    rng = np.random.default_rng(0)
    cadence = Cadence(PERIOD)
    arrivals = phase + camera_period * np.arange(decisions * 3) + rng.exponential(jitter, decisions * 3)
    seen, now, deadlines, ages = 0, 0.0, [], []
    for _ in range(decisions):
        now = cadence.next(now)
        while arrivals[seen] <= now:
            cadence.arrived(arrivals[seen])
            seen += 1
        deadlines.append(now)
        ages.append(now - arrivals[max(0, seen - 1)])
    return np.array(deadlines), np.array(ages)


@pytest.mark.parametrize("phase", [0.0, 0.011, 0.0166, 0.03])
@pytest.mark.parametrize("camera_period", [PERIOD, PERIOD * 1.001, PERIOD / 2])
def test_decisions_come_just_after_pictures_and_periods_stay_steady(phase: float, camera_period: float):
    deadlines, ages = lived(camera_period, phase, jitter=0.0005)
    periods = np.diff(deadlines)
    assert np.all(np.abs(periods - PERIOD) <= SLEW * PERIOD + 1e-9)
    settled = ages[1000:]
    assert np.quantile(settled, 0.85) < LEAD + 0.004
    assert np.mean(settled) > 0.0005


@pytest.mark.parametrize("phase", [0.002, 0.02, 0.05, 0.08, 0.099])
def test_where_nothing_is_commanded_it_is_just_behind_the_pictures_at_once(phase: float):
    cadence = Cadence(0.1)
    now = cadence.next(0.0)
    for picture in (phase, phase + 0.1, phase + 0.2):
        cadence.arrived(picture)
    assert (cadence.next(now, steady=False) - phase) % 0.1 == pytest.approx(LEAD, abs=1e-6)
    assert (cadence.next(now + 0.1) - phase) % 0.1 == pytest.approx(LEAD, abs=1e-6)


def test_pictures_that_come_again_in_another_rhythm_are_followed_without_those_of_before():
    cadence = Cadence(0.1)
    now = cadence.next(0.0)
    for picture in np.arange(0, 5, 0.1):
        cadence.arrived(picture)
    for picture in (6.03, 6.13, 6.23):
        cadence.arrived(picture)
    assert (cadence.next(now, steady=False) - 6.03) % 0.1 == pytest.approx(LEAD, abs=1e-6)


def test_a_phase_that_is_jumped_to_is_no_decision_that_was_skipped():
    cadence = Cadence(0.1)
    assert cadence.next(9.9) == pytest.approx(10.0)
    for picture in (10.053, 10.153, 10.253):
        cadence.arrived(picture)
    assert cadence.next(10.08, steady=False) == pytest.approx(10.153 + LEAD, abs=1e-6)
    assert cadence.skipped == 0


def test_pictures_of_before_a_clock_went_back_do_not_count():
    cadence = Cadence(0.1)
    now = cadence.next(0.0)
    for picture in (100.05, 100.15, 100.25, 1.03, 1.13, 1.23):
        cadence.arrived(picture)
    assert (cadence.next(now, steady=False) - 1.03) % 0.1 == pytest.approx(LEAD, abs=1e-6)


def test_a_camera_of_another_rate_leaves_the_rate_of_decisions_as_it_is():
    deadlines, _ = lived(PERIOD * 0.71, 0.0, jitter=0.0005)
    assert (deadlines[-1] - deadlines[0]) / (len(deadlines) - 1) == pytest.approx(PERIOD, rel=SLEW)


def test_without_pictures_deadlines_are_exact():
    cadence = Cadence(0.1)
    deadlines = [cadence.next(0.0) for _ in range(3)]
    assert deadlines == pytest.approx([0.1, 0.2, 0.3])


def test_what_was_missed_is_skipped_and_counted():
    cadence = Cadence(0.1)
    assert cadence.next(0.0) == pytest.approx(0.1)
    assert cadence.next(0.55) == pytest.approx(0.6)
    assert cadence.skipped == 4
    assert cadence.next(0.61) == pytest.approx(0.7)


def test_a_clock_that_goes_back_begins_anew():
    cadence = Cadence(0.1)
    cadence.next(1000.0)
    assert cadence.next(5.0) == pytest.approx(5.1)
