"""The run folder and its records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
import pytest

from robot_agent.errors import RunError
from robot_agent.run import folder as module
from robot_agent.run.config import RunConfig, default_config, from_tree, to_tree
from robot_agent.run.folder import RunFolder, plain, read_lines, write_whole
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
    assert imageio_ffmpeg.count_frames_and_secs(str(tmp_path / "videos" / "a.mp4"))[0] == 10
    assert [path.name for path in (tmp_path / "videos").iterdir()] == ["a.mp4"]


@pytest.mark.parametrize(
    ("frames", "complaint"),
    [
        (np.zeros((0, 8, 8, 3), np.uint8), "no frames"),
        (np.zeros((5, 8, 8, 3)), "is float64"),
        (np.zeros((5, 8, 8, 4), np.uint8), r"\(8, 8, 4\)"),
        (np.zeros((5, 8, 8), np.uint8), r"\(8, 8\)"),
        (np.zeros((5, 1, 8, 3), np.uint8), r"\(1, 8, 3\)"),
        ([np.zeros((8, 8, 3), np.uint8), np.zeros((8, 9, 3), np.uint8)], "expected one size"),
    ],
)
def test_frames_that_make_no_video_are_refused_and_leave_none(tmp_path: Path, frames: Any, complaint: str):
    with pytest.raises(RunError, match=complaint):
        write_video(tmp_path / "a.mp4", frames, fps=25)
    assert not list(tmp_path.iterdir())


def test_an_ffmpeg_that_fails_is_noticed_and_the_older_video_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    broken = tmp_path / "ffmpeg"
    broken.write_text("#!/bin/sh\ncat >/dev/null\nexit 1\n")
    broken.chmod(0o755)
    video = tmp_path / "a.mp4"
    video.write_bytes(b"older")
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(broken))
    with pytest.raises(RunError, match="ffmpeg could not write"):
        write_video(video, np.zeros((5, 8, 8, 3), np.uint8), fps=25)
    assert video.read_bytes() == b"older"


def test_what_is_no_json_becomes_text_or_lists():
    tree: dict[Any, Any] = {
        1: np.float32(0.5),
        "nan": [float("nan"), np.inf],
        "array": np.arange(3),
        "large": np.zeros((64, 64)),
        "path": Path("a"),
        "flag": np.True_,
    }
    tree["itself"] = tree
    flat = json.loads(json.dumps(plain(tree), allow_nan=False))
    assert flat["1"] == 0.5
    assert flat["nan"] == [None, None]
    assert flat["array"] == [0, 1, 2]
    assert flat["large"] == "array of shape (64, 64)"
    assert (flat["path"], flat["flag"]) == ("a", True)
