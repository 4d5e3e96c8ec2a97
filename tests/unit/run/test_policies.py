"""Policies by name: which checkpoint is meant, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from robot_agent.errors import RunError
from robot_agent.learning.checkpoint import CheckpointStore
from robot_agent.run.config import RunConfig, to_tree
from robot_agent.run.folder import RunFolder
from robot_agent.run.policies import named_policies


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = RunFolder.create(tmp_path / "arm")
    folder.write_config(to_tree(RunConfig(world="so101/reach")))
    for step in (100, 200, 300):
        CheckpointStore(folder.checkpoints).save(step, {"w": torch.zeros(1)}, {})
    return folder.path


def test_a_run_alone_is_its_newest_checkpoint(run: Path):
    (policy,) = named_policies([str(run)])
    assert (policy.name, policy.step, policy.decisions, policy.newest) == ("arm", None, 300, True)
    assert policy.config.world == "so101/reach"


def test_one_checkpoint_or_all_and_the_last_of_each_run_is_marked(run: Path):
    policies = named_policies([f"{run}@200", f"{run}@100"])
    assert [(policy.name, policy.newest) for policy in policies] == [("arm@200", True), ("arm@100", False)]
    policies = named_policies([str(run)], all_checkpoints=True)
    assert [policy.decisions for policy in policies] == [100, 200, 300]
    assert [policy.newest for policy in policies] == [False, False, True]


def test_runs_whose_folders_are_called_alike_are_told_apart(run: Path, tmp_path: Path):
    other = tmp_path / "elsewhere" / "arm"
    shutil.copytree(run, other)
    assert [policy.name for policy in named_policies([str(run), f"{other}@100"])] == [str(run), f"{other}@100"]


def test_what_names_no_policy_is_refused(run: Path, tmp_path: Path):
    with pytest.raises(RunError, match="arm@late names no policy: expected the folder of a run, or RUN@DECISIONS"):
        named_policies([f"{run}@late"])
    with pytest.raises(RunError, match="arm is named twice"):
        named_policies([str(run), str(run)])
    with pytest.raises(RunError, match="nothing is not a run folder"):
        named_policies([str(tmp_path / "nothing")])
    empty = RunFolder.create(tmp_path / "empty")
    empty.write_config(to_tree(RunConfig()))
    with pytest.raises(RunError, match="holds no checkpoint"):
        named_policies([str(empty.path)], all_checkpoints=True)
