"""The learner's process dies, or the disk fills: one clear sentence, and the run can go on."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from robot_agent.errors import ReplayError, RobotAgentError
from robot_agent.replay import segment
from robot_agent.replay.replay import Replay
from robot_agent.run.life import Life
from tests.small import ONLINE, run_config
from tests.worlds import PointMass


def test_a_killed_learner_ends_the_life_with_a_sentence_and_the_run_resumes(tmp_path: Path):
    config = run_config(frames=2000, deterministic=False, online=replace(ONLINE, random_decisions=40))
    life = Life(tmp_path / "run", config, PointMass)
    append, process = life.replay.append, life.learner._process

    def kill_after_100(transition):
        if life.decisions == 100:
            os.kill(process.pid, signal.SIGKILL)
            process.join()
        return append(transition)

    life.replay.append = kill_after_100
    with pytest.raises(RobotAgentError, match="resume the run"):
        life.live()
    lived = Replay(tmp_path / "run/replay").decisions
    assert lived >= 101
    again = Life(tmp_path / "run", replace(config, frames=lived + 20), PointMass, resume=True).live()
    assert again["frames"] == lived + 20


def test_a_full_disk_ends_the_life_with_a_sentence_and_the_run_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    config = run_config(frames=150)
    life = Life(tmp_path / "run", config, PointMass)
    write, written = os.pwrite, []

    def full_after_100(*args):
        written.append(args)
        if len(written) > 100:
            raise OSError(28, "No space left on device")
        return write(*args)

    monkeypatch.setattr(segment.os, "pwrite", full_after_100)
    with pytest.raises(ReplayError, match="disk is full"):
        life.live()
    monkeypatch.undo()
    lived = Replay(tmp_path / "run/replay").decisions
    assert 95 <= lived <= 100
    summary = Life(tmp_path / "run", config, PointMass, resume=True).live()
    assert summary["frames"] == 150
