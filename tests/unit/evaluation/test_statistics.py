"""Intervals against a table and against simulation."""

from __future__ import annotations

import numpy as np
import pytest

from robot_agent.evaluation.statistics import mean_interval, rate_interval, spoken_rate


def test_the_interval_is_that_of_students_t():
    # t(0.975, 3 degrees of freedom) = 3.182
    low, high = mean_interval([1.0, 2.0, 3.0, 4.0])
    half = 3.182 * np.std([1, 2, 3, 4], ddof=1) / 2
    assert (low, high) == pytest.approx((2.5 - half, 2.5 + half), abs=1e-3)


def test_it_holds_the_mean_as_often_as_it_says():
    rng = np.random.default_rng(0)
    held = [low <= 5 <= high for low, high in (mean_interval(rng.normal(5, 2, 6)) for _ in range(2000))]
    assert np.mean(held) == pytest.approx(0.95, abs=0.015)


def test_one_value_has_no_width_and_none_is_refused():
    assert mean_interval([3.0]) == (3.0, 3.0)
    with pytest.raises(ValueError, match="at least one"):
        mean_interval([])


def test_the_interval_of_a_share_is_wilsons():
    # Newcombe 1998, table I: 81 of 263 gives 0.2553 to 0.3662.
    assert rate_interval([True] * 81 + [False] * 182) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    low, high = rate_interval([True] * 20)
    assert high == 1.0
    assert 0.8 < low < 0.9
    with pytest.raises(ValueError, match="at least one"):
        rate_interval([])


def test_a_share_is_spoken_with_its_interval():
    assert spoken_rate([True] * 8 + [False] * 2) == "80 % of 10, 95 % interval 49 to 94 %"
