"""A run that learns: what is left when it cannot begin."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from robot_agent.errors import RobotAgentError
from robot_agent.run.config import default_config
from robot_agent.run.folder import RunFolder
from robot_agent.run.learning_run import LearningRun
from robot_agent.types import BodySpec
from tests.small import MIND


def test_a_run_whose_learner_cannot_start_keeps_nothing_open(tmp_path: Path):
    def fail(job):
        raise RobotAgentError("no memory")

    config = default_config(("proprio",))
    config = replace(config, device="cpu", agent=replace(config.agent, mind=MIND))
    with pytest.raises(RobotAgentError, match="no memory"):
        LearningRun(tmp_path / "run", config, BodySpec((), 3, 1), start_learner=fail)
    RunFolder.open(tmp_path / "run").lock().close()
