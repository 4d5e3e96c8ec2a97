"""The table of damaged recordings counts every traceback and every message that was lost."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.bag_fuzz import Outcome

ROOT = Path(__file__).parents[3]


@pytest.fixture
def benchmark() -> Iterator[ModuleType]:
    path = ROOT / "benchmarks" / "import_fuzz.py"
    specification = importlib.util.spec_from_file_location("benchmark_import_fuzz", path)
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "benchmarks")
        specification.loader.exec_module(module)
        yield module


def test_what_went_wrong_is_counted_and_summed(
    benchmark: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    outcomes = [
        Outcome("zstd", "bit", 10, 0, "", True),
        Outcome("zstd", "bit", 10, 2, "", False),
        Outcome("zstd", "cut", 5, 0, "Traceback: ValueError", False),
    ]
    monkeypatch.setattr(benchmark, "fuzz", lambda folder, count, seed: outcomes)
    config = benchmark.Benchmark(3, out=tmp_path / "table.csv", ground=tmp_path / "ground.csv")
    benchmark.main(config)
    assert '"lost": 2' in capsys.readouterr().out
    table = (tmp_path / "table.csv").read_text().splitlines()
    assert table[1:] == ["zstd,bit,2,0,20,2,1,0", "zstd,cut,1,1,5,0,0,0"]
    assert (tmp_path / "ground.csv").read_text().splitlines()[1] == "G5,3,,,3,lower,0,"
    benchmark.main(benchmark.Benchmark(summary=True, ground=tmp_path / "ground.csv"))
    assert "below the floor 0" in capsys.readouterr().out
