"""Where a mind that starts from nothing keeps its run."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest
from robot_agent_ros.agent import mind
from robot_agent_ros.agent.config import AgentConfig
from robot_agent_ros.agent.mind import make_mind
from robot_agent_ros.errors import ParameterError

CONFIG = AgentConfig(
    joints=("a",), lower=(-1.0,), upper=(1.0,), control_rate=10.0, streams=("proprio",), reward="topic",
)  # fmt: skip


class NoLearner:
    """In place of a learner that cannot start."""

    def __init__(self, *_: object) -> None:
        raise ParameterError("no learner today")


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(time, "strftime", lambda form: "now")
    return tmp_path / "robot_agent_runs"


def test_robots_that_start_in_the_same_second_take_different_folders(folders: Path, monkeypatch: pytest.MonkeyPatch):
    taken: list[Path] = []

    def run(folder: Path, *_: object, **__: object) -> None:
        taken.append(folder)
        raise ParameterError("enough")

    monkeypatch.setattr(mind, "LearningRun", run)
    monkeypatch.setattr(mind, "_discard", lambda folder: None)
    for _ in range(3):
        with pytest.raises(ParameterError, match="enough"):
            make_mind(CONFIG)
    assert taken == [folders / "now", folders / "now-2", folders / "now-3"]


def test_a_start_that_failed_leaves_no_folder(folders: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(mind, "SupervisedLearner", NoLearner)
    with pytest.raises(ParameterError, match="no learner today"):
        make_mind(CONFIG)
    assert list(folders.iterdir()) == []


def test_a_named_folder_that_holds_something_is_refused_and_kept_with_advice_that_the_node_understands(tmp_path: Path):
    kept = tmp_path / "kept"
    kept.write_text("a thesis")
    with pytest.raises(ParameterError, match="set checkpoint to it") as refusal:
        make_mind(replace(CONFIG, run_folder=str(tmp_path)))
    assert "--" not in str(refusal.value)
    assert kept.exists()
