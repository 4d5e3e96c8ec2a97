"""Lives in worlds that change: what the records say of it, and that a resumed life goes on where it was."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from robot_agent_sim.drift.change import Change
from robot_agent_sim.life.chapter import Chapter
from robot_agent_sim.life.stream import LifeStream
from robot_agent_sim.rover.tasks import RoverGoalEnv

from robot_agent.cli.main import main
from robot_agent.report.runs import RunRecord
from robot_agent.run.life import Life
from tests.small import run_config

CHAPTERS = (Chapter("summer", 60), Chapter("summer", 40, (Change("friction", 0.2), Change("light", 0.5, over=40))))


def make_body() -> LifeStream:
    return LifeStream(CHAPTERS, lambda name: RoverGoalEnv(streams=("proprio",), episode_steps=20))


def episodes(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_the_metrics_say_what_changed_and_when(tmp_path: Path):
    Life(tmp_path / "run", run_config(frames=160), make_body).live()
    records = episodes(tmp_path / "run")
    assert [record["chapter"] for record in records] == [0, 0, 0, 1, 1, 2, 2, 2]
    assert records[0]["drift"] == {}
    assert records[3]["drift"] == pytest.approx({"friction": 0.2, "light": 0.7625})  # 19 of 40 steps along its ramp
    assert all(record["success"] in (True, False) for record in records)
    assert RunRecord.read(tmp_path / "run").changes() == [(60.0, "friction, light"), (100.0, "as made")]


def test_a_resumed_life_goes_on_in_its_chapter(tmp_path: Path):
    config = run_config(frames=80)
    Life(tmp_path / "run", config, make_body).live()
    Life(tmp_path / "run", replace(config, frames=120), make_body, resume=True).live()
    assert [record["chapter"] for record in episodes(tmp_path / "run")] == [0, 0, 0, 1, 1, 2]


def test_a_named_life_can_be_trained_on_and_evaluated(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    small = ["--online.random-decisions", "20", "--online.learner.batch-size", "8"]
    assert main(["train", "--world", "life/arm-year", "--frames", "160", "--out", str(tmp_path / "run"), *small]) == 0
    assert main(["evaluate", str(tmp_path / "run"), "--episodes", "2", "--no-video"]) == 0
    assert "success in" in capsys.readouterr().out
    later = ["--chapter", "2", "--chapter-step", "2500"]
    assert main(["evaluate", str(tmp_path / "run"), "--episodes", "1", "--no-video", *later]) == 0
    assert "evaluation-chapter-2-step-2500.json" in capsys.readouterr().out
    assert json.loads((tmp_path / "run/evaluation-chapter-2-step-2500.json").read_text())["chapter"] == 2
    for flags, complaint in (
        (["--chapter", "9"], "there is no chapter 9, expected 1 to 6"),
        (["--chapter-step", "5"], "give --chapter too"),
        (["--learn", "--chapter", "2"], "leave --chapter or --learn out"),
        (["--chapter", "1", "--world", "so101/reach"], "so101/reach is no life and has no chapters"),
    ):
        assert main(["evaluate", str(tmp_path / "run"), "--no-video", *flags]) == 2
        assert complaint in capsys.readouterr().err
    evaluation = json.loads((tmp_path / "run/evaluation.json").read_text())
    assert len(evaluation["successes"]) == 2
    assert 0 <= evaluation["success_interval_95"][0] <= evaluation["success_rate"]
