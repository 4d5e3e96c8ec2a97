"""The tables of measurements: what writes them, and what the README says of them."""

from __future__ import annotations

import csv
import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from robot_agent.report.runs import RunRecord
from robot_agent.run.config import RunConfig, to_tree
from robot_agent.run.folder import RunFolder

ROOT = Path(__file__).parents[3]
RESULTS = ROOT / "benchmarks" / "results"


def script(name: str) -> ModuleType:
    specification = importlib.util.spec_from_file_location(f"benchmark_{name}", ROOT / "benchmarks" / f"{name}.py")
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module  # dataclasses look their module up
    specification.loader.exec_module(module)
    return module


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_no_rows_leave_a_table_as_it_is(tmp_path: Path):
    table = script("table")
    table.write_rows(tmp_path / "a.csv", [], ("seed",))
    assert not (tmp_path / "a.csv").exists()
    table.write_rows(tmp_path / "a.csv", [{"seed": 1}], ("seed",))
    table.write_rows(tmp_path / "a.csv", [], ("seed",))
    assert rows(tmp_path / "a.csv") == [{"seed": "1"}]


def test_a_row_that_is_measured_again_replaces_the_old(tmp_path: Path):
    table = tmp_path / "results" / "a.csv"
    for changes in ({}, {"seed": 1}, {"frames": 50}, {"value": 2.0}):
        script("table").write_row(table, {"seed": 0, "frames": 100, "value": 1.0, **changes}, key=("seed", "frames"))
    assert [tuple(line.values()) for line in rows(table)] == [
        ("1", "100", "1.0"),
        ("0", "50", "1.0"),
        ("0", "100", "2.0"),
    ]


def test_a_life_measured_again_replaces_its_whole_curve_and_no_other(tmp_path: Path):
    table = tmp_path / "curves.csv"
    write_rows = script("table").write_rows
    for seed, steps in ((0, (10, 20, 30)), (1, (10,)), (0, (10, 20))):
        write_rows(table, [{"seed": seed, "steps": step} for step in steps], key=("seed",))
    assert [tuple(line.values()) for line in rows(table)] == [("1", "10"), ("0", "10"), ("0", "20")]


def test_a_curve_is_of_the_episodes_that_end_in_each_stretch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    own_worlds = script("own_worlds")
    folder = RunFolder.create(tmp_path / "run")
    config = RunConfig(world="so101/reach", streams=("proprio",))
    folder.write_config(to_tree(config))
    with folder.metrics.open("w") as file:
        for frames, success, gained in ((1500, False, 1.0), (3000, True, 2.0), (4500, True, 4.0)):
            record = {"frames": frames, "success": success, "episode_return": gained}
            file.write(json.dumps(record) + "\n")
    found = own_worlds.curve(RunRecord.read(folder.path), config)
    assert [(row["steps"], row["success_rate"], row["return_mean"], row["episodes"]) for row in found] == [
        (3000, 0.5, 1.5, 2),
        (6000, 1.0, 4.0, 1),
    ]
    drawn = own_worlds.picture([{name: str(value) for name, value in row.items()} for row in found])
    assert drawn.startswith("<svg")


def test_the_readme_gives_the_figures_of_the_table():
    text = (ROOT / "README.md").read_text()
    for line in rows(RESULTS / "dmc.csv"):
        if line["frames"] != "100000":
            continue
        streams = line["streams"].replace("+", " + ")
        figure = f"{float(line['return_mean']):.1f} ± {float(line['return_std']):.1f}"
        task = line["world"].removeprefix("dmc/")
        wanted = f"| {task} | {streams} | {line['seed']} | {figure} |"
        assert re.search(f"^{re.escape(wanted)}", text, flags=re.MULTILINE), f"the README lacks {wanted}"


def test_a_life_that_was_interrupted_is_no_measurement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    dmc = script("dmc")

    class Interrupted:
        def __init__(self, *args: object, **options: object) -> None:
            pass

        def live(self) -> dict[str, str]:
            return {"status": "interrupted"}

    monkeypatch.setattr(dmc, "Life", Interrupted)
    argv = ["--rows", "cartpole-swingup:proprio:0", "--out", str(tmp_path / "dmc.csv"), "--keep", str(tmp_path)]
    with pytest.raises(SystemExit, match="interrupted"):
        dmc.main(argv)
    assert not (tmp_path / "dmc.csv").exists()
