"""Agents against each other, from the command line: one learns against another, which may learn meanwhile."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from robot_agent_sim.arena.games import PursuitEnv
from robot_agent_sim.arena.solo import SoloEnv, against

from robot_agent.cli.main import main
from robot_agent.cli.opponent import RunOpponent
from robot_agent.learning.checkpoint import CheckpointStore
from robot_agent.learning.learner import LearnerConfig
from robot_agent.run.config import to_tree
from robot_agent.run.folder import RunFolder
from tests.small import ONLINE, run_config

SEEING = run_config(
    frames=210,
    streams=("proprio", "camera"),
    camera_size=(16, 16),
    online=replace(ONLINE, random_decisions=195, updates_per_decision=0.05, learner=LearnerConfig(batch_size=4)),
)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A small agent, an episode and a bit."""
    file = tmp_path_factory.mktemp("settings") / "small.yaml"
    file.write_text(yaml.safe_dump(to_tree(SEEING)))
    return str(file)


def train(world: str, out: Path, settings: str, *flags: str) -> int:
    return main(["train", "--world", world, "--out", str(out), "--config", settings, *flags])


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory, settings: str) -> Path:
    """A runner that learned a little against the script."""
    out = tmp_path_factory.mktemp("runs") / "runner"
    assert train("arena/pursuit/runner", out, settings) == 0
    return out


def test_one_learns_against_another_and_each_can_be_watched_and_evaluated(
    runner: Path, settings: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chaser = tmp_path / "chaser"
    assert train("arena/pursuit", chaser, settings, "--opponent", str(runner)) == 0
    assert RunFolder.open(chaser).read_config()["opponent"] == str(runner)
    assert len(RunFolder.open(chaser).read_metrics()) == 1
    assert main(["evaluate", str(chaser), "--episodes", "1", "--no-video", "--opponent", "still"]) == 0
    evaluation = json.loads((chaser / "evaluation-against-still.json").read_text())
    assert (evaluation["opponent"], len(evaluation["successes"])) == ("still", 1)
    out = tmp_path / "both.mp4"
    assert main(["watch", "--policy", str(chaser), "--seconds", "1", "--out", str(out)]) == 0
    assert out.stat().st_size > 1000
    # The other one goes on learning, now against this one.
    assert main(["train", "--resume", str(runner), "--frames", "230", "--opponent", str(chaser)]) == 0
    assert RunFolder.open(runner).read_config()["opponent"] == str(chaser)
    capsys.readouterr()


def solo_against(opponent: RunOpponent) -> SoloEnv:
    return against(opponent, PursuitEnv(camera_size=(16, 16), camera_backend="raycast", episode_steps=5), "chaser")


def commands(solo: SoloEnv, seed: int = 0) -> np.ndarray:
    """What the runner was commanded in an episode, rad/s."""
    solo.reset(seed=seed)
    told = []
    for _ in range(5):
        solo.step(np.zeros(2))
        told.append(solo.arena.data.ctrl[2:].copy())
    return np.array(told)


def test_an_opponent_is_as_its_newest_checkpoint_from_the_next_episode_on(
    runner: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opponent = RunOpponent(runner)
    solo = solo_against(opponent)
    first = commands(solo)
    loop = opponent._loop
    assert loop is not None
    assert loop.agent.weights_version > 0
    assert not loop.explore
    commands(solo)
    assert opponent._loop is loop, "nothing is loaded while nothing is new"
    newest = CheckpointStore(RunFolder.open(runner).checkpoints).newest
    assert newest is not None
    newer = newest.with_name(f"checkpoint-{10**11:012d}")
    newest.rename(newer)
    try:
        commands(solo)
        assert opponent._loop is not loop
    finally:
        newer.rename(newest)
    assert np.array_equal(commands(solo_against(RunOpponent(runner))), first), "the same life from the same seed"


def test_before_its_first_checkpoint_an_opponent_acts_at_random(runner: Path, tmp_path: Path) -> None:
    begun = RunFolder.create(tmp_path / "begun")
    begun.write_config(RunFolder.open(runner).read_config())
    told = commands(solo_against(RunOpponent(begun.path)))
    assert np.ptp(told) > 3
    assert np.array_equal(told, commands(solo_against(RunOpponent(begun.path))))


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (
            ["--world", "arena/push", "--opponent", "nobody"],
            "the opponent is 'nobody', expected scripted, random, still, or the folder of a run",
        ),
        (["--world", "arena/push", "--opponent", "docs"], "docs is not a run folder"),
        (["--world", "rover/goal", "--opponent", "random"], "there is no opponent in rover/goal"),
        (["--world", "rover/goal", "--streams", "proprio"], "only the camera shows what shall be done in rover/goal"),
    ],
)
def test_what_cannot_be_an_opponent_or_be_lived_blind_is_one_sentence(
    flags: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    streams: list[Any] = [] if "--streams" in flags else ["--streams", "camera", "proprio"]
    assert main(["train", *flags, *streams, "--out", str(tmp_path / "run")]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith(f"robot-agent: error: {sentence}")
    assert not (tmp_path / "run").exists()


def test_an_opponent_of_another_shape_is_refused(
    runner: Path, settings: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train("arena/pursuit", tmp_path / "run", settings, "--opponent", str(runner), "--streams", "camera") == 2
    assert "is of a body with" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
