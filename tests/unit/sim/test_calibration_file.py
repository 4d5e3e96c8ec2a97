"""`calibration.yaml`: sections are merged, and nothing half is ever written."""

from __future__ import annotations

from pathlib import Path

import pytest
from robot_agent_sim.calibration import CalibrationFileError, Estimate, merge_sections, read_calibration


def test_an_estimate_survives_the_file():
    estimate = Estimate(0.25, 0.01, "rad")
    assert estimate.interval_95 == pytest.approx((0.2304, 0.2696), abs=1e-5)
    assert Estimate.from_yaml(estimate.to_yaml()) == estimate


@pytest.mark.parametrize("mapping", [{}, {"value": 1}, {"value": "x", "standard_error": 1, "unit": "m"}])
def test_what_is_no_estimate_is_refused(mapping: dict[str, object]):
    with pytest.raises(ValueError, match="expected value, standard_error"):
        Estimate.from_yaml(mapping)


def test_sections_are_merged(tmp_path: Path):
    path = tmp_path / "new" / "calibration.yaml"
    merge_sections(path, {"joints": {"a": 1}})
    merge_sections(path, {"camera": {"width": 640}})
    merge_sections(path, {"joints": {"b": 2}})
    assert read_calibration(path) == {"camera": {"width": 640}, "joints": {"b": 2}}
    assert [file.name for file in path.parent.iterdir()] == ["calibration.yaml"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("a: [", "YAML"), ("x: 1\n", "no calibration"), ("schema: 99\n", "schema 99"), ("schema: 1\nx: {}\n", "'x'")],
)
def test_a_file_that_is_no_calibration_stays_as_it_is(text: str, sentence: str, tmp_path: Path):
    path = tmp_path / "calibration.yaml"
    path.write_text(text)
    with pytest.raises(CalibrationFileError, match=sentence):
        merge_sections(path, {"joints": {}})
    assert path.read_text() == text
