"""The run folder and its records."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from robot_agent.errors import RunError
from robot_agent.run import folder as module
from robot_agent.run.config import RunConfig, default_config, from_tree, to_tree
from robot_agent.run.folder import RunFolder, read_lines, write_whole
from robot_agent.run.metrics import MetricsWriter
from robot_agent.run.video import write_video


def test_a_configuration_survives_yaml(tmp_path: Path):
    folder = RunFolder.create(tmp_path / "run")
    for config in (RunConfig(seed=5, minutes=2.5), default_config(("camera",))):
        folder.write_config(to_tree(config))
        assert from_tree(RunConfig(), folder.read_config()) == config


def test_a_folder_with_other_files_or_a_file_in_its_place_is_refused(tmp_path: Path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RunError, match="holds other files"):
        RunFolder.create(tmp_path)
    with pytest.raises(RunError, match="cannot make"):
        RunFolder.create(tmp_path / "notes.txt" / "run")
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_torn_line_is_left_out_and_repaired(tmp_path: Path):
    folder = RunFolder.create(tmp_path / "run")
    folder.metrics.write_text('{"frames": 1, "episode_return": 2}\n{"frames": 2, "epis')
    assert read_lines(folder.metrics) == [{"frames": 1, "episode_return": 2}]
    writer = MetricsWriter(folder)
    writer.episode({"frames": 3, "episode_return": 4.0, "latent_rank": float("nan")})
    writer.close()
    lines = [json.loads(line) for line in folder.metrics.read_text().splitlines()]
    assert [line["frames"] for line in lines] == [1, 3]
    assert lines[1]["latent_rank"] is None


def test_a_full_disk_leaves_the_older_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "summary.json"
    write_whole(path, "old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "fsync", full)
    with pytest.raises(RunError, match="No space left"):
        write_whole(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_video_is_an_mp4(tmp_path: Path):
    frames = np.random.default_rng(0).integers(0, 255, (10, 17, 21, 3), np.uint8)
    write_video(tmp_path / "videos" / "a.mp4", frames, fps=25)
    content = (tmp_path / "videos" / "a.mp4").read_bytes()
    assert content[4:8] == b"ftyp"
    assert len(content) > 500
