"""`robot-agent bench`: rows for programs, a table for people, and what was measured before is kept."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from robot_agent.cli import bench
from robot_agent.errors import RobotAgentError


def test_a_case_is_measured_against_a_baseline_and_joins_the_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    out = tmp_path / "planner.csv"
    monkeypatch.setattr(bench.torch.cuda, "is_available", lambda: False)
    assert bench.run(["--case", "published-gpu", "--out", str(out)]) == 0
    assert bench.run(["--case", "default-cpu", "--plans", "10", "--out", str(out)]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == bench.COLUMNS == tuple(lines[0])
    assert len(rows) == len(lines)
    gpu, *cpu = rows
    assert gpu["case"] == "published-gpu"
    assert gpu["p50_ms"] == gpu["ratio"] == bench.NOT_MEASURED
    assert {row["case"] for row in cpu} <= {"default-cpu"}
    for row in cpu:
        assert row["baseline"] == "reference"
        assert 0 < float(row["floor_ms"]) < float(row["p50_ms"]) <= float(row["p99_ms"]) < 1e3
        assert float(row["ratio"]) == pytest.approx(float(row["baseline_p50_ms"]) / float(row["p50_ms"]), rel=0.01)


def test_a_case_is_replaced_and_others_stay(tmp_path: Path):
    out = tmp_path / "planner.csv"
    rows = [bench.Row(case, "cpu", "here", 1.0, 2.0, "other", 3.0, 3.0, 0.5) for case in ("a", "b")]
    bench.write(rows, out)
    bench.write([bench.Row("a", "cpu", "here", 0.5, 2.0, "other", 3.0, 6.0, 0.5)], out)
    with out.open(newline="") as file:
        assert [(row["case"], row["p50_ms"]) for row in csv.DictReader(file)] == [("b", "1.0"), ("a", "0.5")]


def test_no_plans_are_refused():
    with pytest.raises(RobotAgentError, match="--plans is 0, expected at least 1"):
        bench.run(["--plans", "0"])


def test_the_table_for_people_names_the_machine(capsys: pytest.CaptureFixture[str]):
    bench.show([bench.Row("a", "cpu", "here", 1.0, 2.0, "other", 3.0, 3.0, 0.5)])
    assert bench.cpu_name()[:10] in capsys.readouterr().out
