"""What episodes came to, from measures that are known."""

from __future__ import annotations

import pytest

from robot_agent.evaluation.episodes import EpisodeMeasures
from robot_agent.evaluation.summaries import gap, summarised


def lived(success: bool | None, returned: float, seconds: float | None = None) -> EpisodeMeasures:
    return EpisodeMeasures(returned, success, seconds, 3.0, 0.1, 20.0, 0.25, [1.0, 3.0])


def test_a_summary_as_worked_by_hand():
    found = summarised([lived(True, 10.0, 1.0), lived(True, 12.0, 2.0), lived(False, 2.0), lived(True, 8.0, 1.5)])
    assert found["episodes"] == 4
    assert found["success"]["value"] == 0.75
    assert found["success"]["low"] == pytest.approx(0.3006, abs=1e-4)  # Wilson, 3 of 4
    assert found["return"]["value"] == 8.0
    assert found["seconds_to_success"] == {"median": 1.5, "of": 3}
    assert found["limit_use"] == 0.25
    assert found["decision_ms"]["p50"] == 2.0
    assert found["per_episode"] == {"success": [True, True, False, True], "return": [10.0, 12.0, 2.0, 8.0]}


def test_where_nobody_tells_success_there_is_none():
    found = summarised([lived(None, 1.0), lived(None, 3.0)])
    assert found["success"] is None
    assert found["seconds_to_success"] is None
    assert (found["return"]["value"], found["return"]["low"]) == (2.0, None), "two are too few for an interval"
    assert gap([lived(None, 1.0)] * 3, [lived(None, 2.0)] * 3)["success"] is None


def test_the_gap_is_reality_less_simulation():
    found = gap([lived(True, 10.0)] * 10, [lived(False, 7.0)] * 10)
    assert found["success"]["value"] == -1.0
    assert found["return"] == {"value": -3.0, "low": -3.0, "high": -3.0}
    one = gap([lived(True, 10.0)], [lived(True, 7.0)])
    assert one["return"] == {"value": -3.0, "low": None, "high": None}, "one episode is no interval of no width"
