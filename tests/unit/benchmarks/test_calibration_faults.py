"""What counts as a calibration that missed, and what row G6 makes of it."""

from __future__ import annotations

import csv
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def benchmark() -> Iterator[ModuleType]:
    path = ROOT / "benchmarks" / "calibration_faults.py"
    specification = importlib.util.spec_from_file_location("benchmark_calibration_faults", path)
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "benchmarks")
        specification.loader.exec_module(module)
        yield module


def test_a_number_that_is_far_from_the_truth_is_missed_whether_it_was_warned_of_or_not(
    benchmark: ModuleType, tmp_path: Path
):
    rows = [
        benchmark.measure("near", lambda seed: ({"a": 1.0, "b": -3.9}, []), 0),
        benchmark.measure("far", lambda seed: ({"a": 1.0, "b": -4.1}, ["look"]), 0),
        benchmark.measure("arm: degrees", benchmark.cases()["arm: degrees"], 0),
    ]
    assert [row["outcome"] for row in rows] == ["given", "warned", "refused"]
    assert [row["held"] for row in rows] == [1, 1, 0]
    assert [row["missed"] for row in rows] == [0, 1, 0]
    assert "degrees" in str(rows[2]["said"])
    for row in rows:
        benchmark.write_row(tmp_path / "table.csv", row, key=("case", "seed"))
    benchmark.summarise(tmp_path / "table.csv", tmp_path / "ground.csv")
    with (tmp_path / "ground.csv").open() as file:
        (line,) = csv.DictReader(file)
    assert (line["row"], line["value"], line["n"], line["floor"]) == ("G6", "1", "3", "0")
