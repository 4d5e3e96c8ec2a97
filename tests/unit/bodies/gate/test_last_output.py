"""A gate that is started again knows where the one before rested, and nothing else."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from robot_agent_bodies.gate.last_output import LastOutput, folder_of_user


def test_where_it_rested_is_known_to_the_next_and_nothing_is_known_of_one_that_moved(tmp_path: Path):
    path = tmp_path / "gate.json"
    first = LastOutput(path)
    assert first.read() is None
    first.keep({"a": 0.5, "b": -1.0})
    assert LastOutput(path).read() == {"a": 0.5, "b": -1.0}
    second = LastOutput(path)
    second.keep(None)  # it moves, and is killed
    assert LastOutput(path).read() is None
    second.keep({"a": 0.7, "b": -1.0})
    assert LastOutput(path).read() == {"a": 0.7, "b": -1.0}
    assert [one.name for one in tmp_path.iterdir()] == ["gate.json"]


@pytest.mark.parametrize("text", ["", "[1]", "{", '{"a": "x"}', '{"a": null}', "3"])
def test_a_file_that_says_nothing_is_no_error(tmp_path: Path, text: str):
    path = tmp_path / "gate.json"
    path.write_text(text)
    last = LastOutput(path)
    assert last.read() is None
    last.keep({"a": 1.0})
    assert last.read() == {"a": 1.0}


def test_what_was_kept_long_ago_is_forgotten(tmp_path: Path):
    path = tmp_path / "gate.json"
    LastOutput(path).keep({"a": 1.0})
    then = time.time() - 61
    os.utime(path, (then, then))
    assert LastOutput(path).read() is None


def test_little_is_written_while_it_rests(tmp_path: Path):
    path = tmp_path / "gate.json"
    last = LastOutput(path)
    last.keep({"a": 1.0})
    path.unlink()
    last.keep({"a": 1.0})
    assert not path.exists()


def test_the_folder_is_the_users_own():
    assert folder_of_user().stat().st_mode & 0o777 == 0o700
