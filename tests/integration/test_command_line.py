"""A person's first session: train, resume, evaluate, go on learning, report; all by the command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from robot_agent.cli.main import main
from robot_agent.replay.replay import Replay
from robot_agent.run.config import to_tree
from robot_agent.run.folder import RunFolder
from tests.small import AGENT, ONLINE

WORLD = "gym/Pendulum-v1"


@pytest.fixture
def settings(tmp_path: Path) -> str:
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump({"agent": to_tree(AGENT), "online": to_tree(ONLINE)}))
    return str(path)


def test_train_resume_evaluate_learn_on_and_report(tmp_path: Path, settings: str, capsys: pytest.CaptureFixture[str]):
    run = tmp_path / "run"
    argv = ["train", "--world", WORLD, "--out", str(run), "--config", settings, "--deterministic", "--device", "cpu"]
    assert main([*argv, "--frames", "400"]) == 0
    assert "finished: 400 frames" in capsys.readouterr().out

    assert main(["train", "--resume", str(run), "--frames", "600"]) == 0
    assert "finished: 600 frames" in capsys.readouterr().out
    assert Replay(run / "replay").decisions == 600

    assert main(["evaluate", str(run), "--episodes", "2", "--no-video"]) == 0
    assert "over 2 episodes" in capsys.readouterr().out
    evaluation = json.loads((run / "evaluation.json").read_text())
    assert len(evaluation["returns"]) == 2
    assert evaluation["frames"] == 600
    assert evaluation["learn"] is False
    assert Replay(run / "replay").decisions == 600

    assert main(["evaluate", str(run), "--episodes", "1", "--learn", "--no-video"]) == 0
    evaluation = json.loads((run / "evaluation.json").read_text())
    assert evaluation["learn"] is True
    assert evaluation["frames"] == Replay(run / "replay").decisions == 800

    assert main(["report", str(run)]) == 0
    assert (run / "report.html").stat().st_size > 50_000
    assert main(["replay-dump", str(run)]) == 0
    assert "800 decisions in 4 episodes, 0 quarantined" in capsys.readouterr().out


def test_a_resumed_run_keeps_what_it_was_given(tmp_path: Path, settings: str, capsys: pytest.CaptureFixture[str]):
    run = tmp_path / "run"
    argv = ["train", "--world", WORLD, "--out", str(run), "--config", settings, "--deterministic", "--device", "cpu"]
    assert main([*argv, "--frames", "210", "--online.random-decisions", "1000"]) == 0
    lived = (run / "summary.json").read_text()

    refused = {
        ("--resume", str(run)): "has spent its budget already (210 frames",
        ("--resume", str(run), "--frames", "100"): "has spent its budget already",
        ("--resume", str(run), "--frames", "300", "--seed", "5"): "seed is 0 and 5 was asked for",
        ("--resume", str(run), "--out", "elsewhere"): "name a folder each",
        ("--resume", str(run), "--config", settings): "takes no --config",
        ("--resume",): "--resume needs the folder of a run",
    }
    for flags, sentence in refused.items():
        assert main(["train", *flags]) == 2
        assert sentence in capsys.readouterr().err
    assert (run / "summary.json").read_text() == lived
    assert Replay(run / "replay").decisions == 210

    assert main(["train", "--resume", str(run), "--frames", "250"]) == 0
    summary = json.loads((run / "summary.json").read_text())
    assert summary["seconds"] > json.loads(lived)["seconds"]
    assert summary["return_last_5_mean"] == json.loads(lived)["return_last_5_mean"]  # no episode ended since
    assert yaml.safe_load((run / "config.yaml").read_text())["frames"] == 250
    (newest,) = [max((run / "checkpoints").iterdir())]
    assert json.loads((newest / "state.json").read_text())["config"]["frames"] == 250


def test_a_run_of_another_body_is_not_touched_even_before_its_first_checkpoint(
    tmp_path: Path, settings: str, capsys: pytest.CaptureFixture[str]
):
    run = tmp_path / "run"
    argv = ["train", "--world", WORLD, "--out", str(run), "--config", settings, "--deterministic", "--device", "cpu"]
    assert main([*argv, "--frames", "30", "--online.random-decisions", "1000"]) == 0
    shutil.rmtree(run / "checkpoints")
    (run / "checkpoints").mkdir()
    config = yaml.safe_load((run / "config.yaml").read_text())
    (run / "config.yaml").write_text(yaml.safe_dump({**config, "world": "dmc/cartpole-swingup"}))
    before = sorted(path.name for path in (run / "replay").iterdir())
    assert main(["train", "--resume", str(run), "--frames", "60"]) == 2
    assert "another shape" in capsys.readouterr().err
    assert sorted(path.name for path in (run / "replay").iterdir()) == before


def test_a_folder_in_use_is_refused(tmp_path: Path, settings: str, capsys: pytest.CaptureFixture[str]):
    run = tmp_path / "run"
    argv = ["train", "--world", WORLD, "--out", str(run), "--config", settings, "--deterministic", "--device", "cpu"]
    assert main([*argv, "--frames", "30", "--online.random-decisions", "1000"]) == 0
    with RunFolder.open(run).lock():
        assert main(["train", "--resume", str(run), "--frames", "60"]) == 2
    assert "in use by another process" in capsys.readouterr().err
    assert main(["train", "--resume", str(run), "--frames", "60"]) == 0


def test_several_seeds_share_a_report(tmp_path: Path, settings: str, capsys: pytest.CaptureFixture[str]):
    argv = ["train", "--world", WORLD, "--out", str(tmp_path / "runs"), "--config", settings, "--deterministic"]
    assert main([*argv, "--frames", "220", "--seeds", "3", "4"]) == 0
    assert "report: " in capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["report.html", "seed-3", "seed-4"]
    assert main([*argv, "--seeds", "4", "5"]) == 2
    assert not (tmp_path / "runs" / "seed-5").exists()


def test_minutes_end_a_run(tmp_path: Path, settings: str):
    argv = ["train", "--world", WORLD, "--out", str(tmp_path / "run"), "--config", settings, "--deterministic"]
    assert main([*argv, "--minutes", "0.02", "--online.random-decisions", "1000000"]) == 0
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["status"] == "finished"
    assert summary["seconds"] < 30
    assert summary["frames"] < 100_000
