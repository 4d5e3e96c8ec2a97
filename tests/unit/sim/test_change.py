"""A change is there as much as it says at each step, and one that could never be is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from robot_agent_sim.drift.change import Change, Range


def amounts(change: Change, steps: range) -> list[float]:
    return [change.amount(step) for step in steps]


def test_a_change_comes_at_once_along_a_ramp_or_for_a_while() -> None:
    assert amounts(Change("gain", 0.5), range(3)) == [1, 1, 1]
    assert amounts(Change("gain", 0.5, at=2), range(5)) == [0, 0, 1, 1, 1]
    assert amounts(Change("gain", 0.5, at=2, over=4), range(8)) == [0, 0, 0, 0.25, 0.5, 0.75, 1, 1]
    assert amounts(Change("gain", 0.5, at=1, until=3), range(5)) == [0, 1, 1, 0, 0]
    assert amounts(Change("gain", 0.5, at=1, over=4, until=4), range(6)) == [0, 0, 0.25, 0.5, 0, 0]


def test_a_recurring_change_is_there_for_the_first_half_of_each_period() -> None:
    assert amounts(Change("gain", 0.5, at=2, every=4), range(11)) == [0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1]
    assert amounts(Change("gain", 0.5, at=2, every=4, until=7), range(11)) == [0, 0, 1, 1, 0, 0, 1, 0, 0, 0, 0]


def test_a_smooth_recurring_change_comes_and_goes_in_each_period() -> None:
    smooth = np.array(amounts(Change("gain", 0.5, at=3, every=20, over=1), range(63)))
    assert np.all(smooth[:4] == 0)
    period = smooth[3:23]
    assert np.allclose(period, smooth[23:43])
    assert np.allclose([period[0], period[5], period[10], period[15]], [0, 0.5, 1, 0.5])
    assert np.all(np.diff(period[:11]) > 0)
    assert np.all(np.diff(period[10:]) < 0)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"at": -1}, "at of a change is -1, expected at least 0"),
        ({"over": -5}, "over of a change is -5, expected at least 0"),
        ({"every": -5}, "every of a change is -5, expected at least 0"),
        ({"at": 5, "until": 5}, "ends at 5 and begins at 5, expected an end after the start"),
        ({"to": float("nan")}, "nan"),
    ],
)
def test_an_impossible_change_is_refused(arguments: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Change(**{"what": "gain", "to": 0.5, **arguments})


def test_an_empty_range_is_refused() -> None:
    for low, high in ((2.0, 1.0), (float("nan"), 1.0)):
        with pytest.raises(ValueError, match=r"range of gain is .*, expected two finite numbers, the lower first"):
            Range("gain", low, high)
