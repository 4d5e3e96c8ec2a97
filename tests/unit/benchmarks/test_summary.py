"""The summary of an issue's table: lines are replaced by id, and what falls short is said."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


@pytest.fixture
def summary(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCHMARKS)
    specification = importlib.util.spec_from_file_location("benchmark_summary", BENCHMARKS / "summary.py")
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_a_line_is_replaced_by_its_id_and_the_others_keep_their_place(summary: ModuleType, tmp_path: Path):
    path = tmp_path / "results" / "summary.csv"
    summary.write_rows(path, [{"row": "G1", "better": "lower", "floor": 0}, {"row": "G8", "value": 3, "floor": 0}])
    summary.write_rows(path, [{"row": "G2", "value": 0.9, "better": "higher", "floor": 0.95, "goal": 0.99}])
    summary.write_rows(path, [{"row": "G8", "value": 0, "n": 12, "better": "lower", "floor": 0}])
    assert path.read_text().splitlines() == [
        "row,value,low,high,n,better,floor,goal",
        "G1,,,,,lower,0,",
        "G8,0,,,12,lower,0,",
        "G2,0.9,,,,higher,0.95,0.99",
    ]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"better": "lower", "floor": 0}, "not measured  floor 0"),
        ({"value": 0, "better": "lower", "floor": 0}, "good"),
        ({"value": 2, "better": "lower", "floor": 0}, "below the floor 0 (lower is better)"),
        ({"value": 0.9, "better": "higher", "floor": 0.95}, "below the floor 0.95"),
        ({"value": 0.97, "better": "higher", "floor": 0.95, "goal": 0.99}, "below the goal 0.99"),
    ],
)
def test_what_falls_short_is_said(
    summary: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], fields: dict[str, object], said: str
):
    summary.write_rows(tmp_path / "a.csv", [{"row": "G1", **fields}])
    summary.print_summary(tmp_path / "a.csv")
    assert said in capsys.readouterr().out
