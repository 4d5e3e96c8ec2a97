"""Dumps of batches: what people read about the numbers that were not finite."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from robot_agent.errors import RunError
from robot_agent.learning.batch_dump import describe_dump, dump_batch
from robot_agent.replay.replay import Replay, ReplayWriter
from robot_agent.replay.sampler import SequenceBatch, SequenceSampler
from tests.transitions import SPEC, episode


@pytest.fixture
def batch(tmp_path: Path) -> SequenceBatch:
    writer = ReplayWriter(tmp_path / "replay", SPEC)
    for step in episode(0, 10):
        writer.append(step)
    writer.close()
    sampler = SequenceSampler(Replay(tmp_path / "replay"), horizon=3)
    sampler.refresh()
    return sampler.sample(8, np.random.default_rng(0))


def line_of(path: Path, name: str) -> str:
    return next(line for line in describe_dump(path) if line.startswith(f"{name} "))


def test_a_dump_says_where_it_is_not_finite(tmp_path: Path, batch: SequenceBatch):
    batch.rewards[2, 1] = np.nan
    batch.actions[:] = np.inf
    path = dump_batch(tmp_path / "dumps", 7, batch)
    assert path.name == "batch-000000007.npz"
    assert "1 not finite, first at (2, 1)" in line_of(path, "rewards")
    assert "24 not finite, first at (0, 0, 0)" in line_of(path, "actions")
    assert "not finite" not in line_of(path, "proprio")
    assert "uint8" in line_of(path, "cameras/main")


@pytest.mark.parametrize("kept", [0, 20, 1000])
def test_a_damaged_dump_is_one_sentence(tmp_path: Path, batch: SequenceBatch, kept: int):
    path = dump_batch(tmp_path, 1, batch)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(RunError, match="not a dumped batch"):
        describe_dump(path)
