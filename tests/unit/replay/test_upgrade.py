"""An older replay in the current version: the same rows at the same addresses, whatever interrupts it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from robot_agent.cli.main import main
from robot_agent.replay import upgrade as module
from robot_agent.replay.replay import Replay, ReplayWriter
from robot_agent.replay.schema import SCHEMA_FILE, Lived, version_1_dtype
from robot_agent.replay.segment import FRAMES_FILE, PREFIX, ROWS_FILE
from robot_agent.replay.summary import SUMMARY_FILE
from robot_agent.replay.upgrade import upgrade
from robot_agent.types import Source
from tests.transitions import SPEC, episode


def make_version_1(replay: Path) -> None:
    """Rewrites each segment as version 1 had it."""
    for number, reader in Replay(replay).segments.items():
        folder = replay / f"{PREFIX}{number:06d}"
        new = reader.read()
        old = np.zeros(len(new), version_1_dtype(SPEC))
        for name in old.dtype.names:
            old[name] = new[name]
        (folder / ROWS_FILE).write_bytes(old.tobytes())
        for name in (FRAMES_FILE, SUMMARY_FILE):
            (folder / name).unlink(missing_ok=True)
        schema = json.loads((folder / SCHEMA_FILE).read_text())
        for name in ("columns", "frames", "lived_before"):
            del schema[name]
        (folder / SCHEMA_FILE).write_text(json.dumps({**schema, "version": 1}))


def two_lives(folder: Path, source: Source = Source.PLAN) -> None:
    """Two segments of a life and one that was given between them."""
    life = ReplayWriter(folder, SPEC, lived=Lived())
    for step in episode(0, 4):
        life.append(step)
    life.close()
    given = ReplayWriter(folder, SPEC)
    for step in episode(0, 3):
        given.append(step.__class__(**{**vars(step), "source": Source.DEMO}))
    given.close()
    for step in episode(1, 5):
        life.append(step)
    life.close()


def content(folder: Path) -> list[list[object]]:
    names = ("episode", "step", "reward", "proprio", "camera/main", "source", "skill")
    return [[reader.read()[name].tolist() for name in names] for _, reader in sorted(Replay(folder).segments.items())]


def test_rows_counters_and_addresses_stay(tmp_path: Path):
    two_lives(tmp_path)
    make_version_1(tmp_path)
    before, lived = content(tmp_path), Replay(tmp_path).lived
    assert lived == Lived(9, 9, 2)
    assert upgrade(tmp_path) == 3
    assert content(tmp_path) == before
    replay = Replay(tmp_path)
    assert replay.lived == lived
    assert [reader.schema.lived_before for _, reader in sorted(replay.segments.items())] == [
        Lived(),
        None,
        Lived(4, 4, 1),
    ]
    assert all(reader.summary for reader in replay.segments.values())
    assert upgrade(tmp_path) == 0


def test_a_segment_whose_writer_died_gets_its_summary(tmp_path: Path):
    ReplayWriter(tmp_path, SPEC, lived=Lived()).append(episode(0, 2)[0])
    assert upgrade(tmp_path) == 1
    assert upgrade(tmp_path) == 0


@pytest.mark.parametrize("at", range(1, 6))
def test_wherever_it_is_cut_short_the_next_one_finishes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int):
    two_lives(tmp_path)
    make_version_1(tmp_path)
    before = content(tmp_path)
    calls = 0

    def dying(real):
        def call(*args, **options):
            nonlocal calls
            calls += 1
            if calls == at:
                raise KeyboardInterrupt
            return real(*args, **options)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(module, "sync_folder", dying(module.sync_folder))
        patch.setattr(module, "write_schema", dying(module.write_schema))
        patch.setattr(module.Path, "rename", dying(module.Path.rename))
        with pytest.raises(KeyboardInterrupt):
            upgrade(tmp_path)
    upgrade(tmp_path)
    assert content(tmp_path) == before
    assert {path.name for path in tmp_path.iterdir()} == {f"{PREFIX}{number:06d}" for number in range(3)}


def test_the_command_says_what_it_did(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "config.yaml").write_text("{}")
    two_lives(tmp_path / "replay")
    make_version_1(tmp_path / "replay")
    assert main(["replay", "upgrade", str(tmp_path)]) == 0
    assert "3 segments upgraded" in capsys.readouterr().out
    assert main(["replay", "upgrade", str(tmp_path)]) == 0
    assert "is of this version" in capsys.readouterr().out
