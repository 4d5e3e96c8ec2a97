"""Whatever happens to a file, reading gives what was whole before it, and importing ends in a sentence at worst."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from robot_agent_calibration.errors import CalibrationError
from robot_agent_calibration.recording import open_recording

from tests.bag_fuzz import KINDS, bases, damaged, fuzz, mutations
from tests.unit.ros.bags.arms import JOINTS


def test_a_few_hundred_damaged_recordings_lose_nothing_that_was_whole_and_end_in_sentences(tmp_path: Path):
    outcomes = list(fuzz(tmp_path, 256, seed=0))
    assert [one for one in outcomes if one.traceback] == []
    assert [one for one in outcomes if one.lost] == []
    assert {one.base for one in outcomes} >= {"zstd", "lz4", "none", "split", "sqlite3"}
    assert sum(one.imported for one in outcomes) > 100  # much is still whole
    assert sum(one.whole for one in outcomes) > 5000


def test_calibration_refuses_what_is_damaged_in_sentences(tmp_path: Path):
    refused = 0
    for base, _, _ in mutations(tmp_path, 200, seed=1):
        try:
            assert open_recording(base.path).need_joints().names == JOINTS
        except CalibrationError:
            refused += 1
    assert 80 < refused < 190


def test_what_is_not_damaged_is_whole_to_the_last_message(tmp_path: Path):
    for base in bases(tmp_path):
        size = base.file.stat().st_size
        assert len(base.ends) + len(base.others) > 100
        assert all(8 < end <= size for end, _ in base.ends)
        assert [end for end, _ in base.ends] == sorted(end for end, _ in base.ends)


@pytest.mark.parametrize("kind", KINDS)
def test_damage_begins_where_it_says(kind: str):
    rng, data = random.Random(0), bytes(range(256)) * 40
    for _ in range(200):
        new, first = damaged(data, kind, rng)
        assert new[:first] == data[:first]
        assert new[first : first + 1] != data[first : first + 1] or new == data
