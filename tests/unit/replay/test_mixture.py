"""Shares of kinds of experience in a batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from robot_agent.replay.gather import gather
from robot_agent.replay.index import StretchIndex
from robot_agent.replay.mixture import Entry, given, lived
from robot_agent.replay.replay import Replay, ReplayWriter
from robot_agent.replay.sampler import SequenceSampler
from robot_agent.replay.schema import Lived
from robot_agent.types import Source
from tests.transitions import SPEC, episode

HORIZON = 3
HALVES = (Entry("lived", lived, 0.75), Entry("given", given, 0.25))


def fill(folder: Path, lived_episodes: int, given_episodes: int) -> SequenceSampler:
    life, gift = ReplayWriter(folder, SPEC, lived=Lived()), ReplayWriter(folder, SPEC)
    for number in range(lived_episodes):
        for step in episode(number, 8):
            life.append(step)
    for number in range(100, 100 + given_episodes):
        for step in episode(number, 8):
            gift.append(step.__class__(**{**vars(step), "source": Source.DEMO}))
    sampler = SequenceSampler(Replay(folder), HORIZON, entries=HALVES)
    sampler.refresh()
    return sampler


def test_each_entry_has_its_share_of_every_batch_however_much_there_is_of_it(tmp_path: Path):
    batch = fill(tmp_path, lived_episodes=40, given_episodes=1).sample(64, np.random.default_rng(0))
    is_given = batch.proprio[:, 0, 0] >= 100
    assert is_given.sum() == 16
    assert (batch.entry == is_given).all()
    assert (batch.source == np.where(is_given, Source.DEMO, Source.PLAN)[:, None]).all()


@pytest.mark.parametrize(("lived_episodes", "given_episodes"), [(5, 0), (0, 5)])
def test_what_is_not_there_leaves_its_share_to_the_others(tmp_path: Path, lived_episodes: int, given_episodes: int):
    batch = fill(tmp_path, lived_episodes, given_episodes).sample(32, np.random.default_rng(0))
    assert set(batch.entry) == {0 if lived_episodes else 1}


def test_nothing_at_all_is_said(tmp_path: Path):
    with pytest.raises(ValueError, match="no sub-sequence"):
        fill(tmp_path, 0, 0).sample(32, np.random.default_rng(0))


def test_rows_around_an_address_are_those_of_its_stretch(tmp_path: Path):
    sampler = fill(tmp_path, lived_episodes=3, given_episodes=0)
    index = StretchIndex(sampler.replay)
    index.refresh()
    rows = np.array([0, 4, 8, 9])  # first, middle and last observation of an episode, and the first of the next
    around = gather(index, np.zeros(4, np.int64), rows, 2, 2, ["proprio", "camera/main", "action", "skill"])
    steps = around.columns["proprio"][..., 1]
    assert steps.tolist() == [[0, 0, 0, 1, 2], [2, 3, 4, 5, 6], [6, 7, 8, 8, 8], [0, 0, 0, 1, 2]]
    assert (around.columns["camera/main"][..., 0, 0, 0] == steps).all()
    assert around.observations_known.tolist() == [
        [False, False, True, True, True],
        [True] * 5,
        [True, True, True, False, False],
        [False, False, True, True, True],
    ]
    assert around.steps_known.tolist() == [
        [False, False, True, True],
        [True] * 4,
        [True, True, False, False],
        [False, False, True, True],
    ]
    assert around.columns["action"][..., 0].tolist() == [[0, 0, 0, 1], [2, 3, 4, 5], [6, 7, 0, 0], [0, 0, 0, 1]]
    assert (around.columns["skill"] == -1).all()
