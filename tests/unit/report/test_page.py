"""The report: complete, self-contained, and honest about what is missing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from robot_agent.errors import RunError
from robot_agent.report import write_report
from robot_agent.report.figures import learning_curves
from robot_agent.report.runs import RunRecord, anchors
from robot_agent.run.video import write_video


def make_run(path: Path, seed: int = 0, complete: bool = True, world: str = "dmc/cartpole-swingup") -> Path:
    path.mkdir(parents=True)
    config = {"world": world, "streams": ["camera"], "seed": seed, "device": "cpu", "frames": 8000}
    (path / "config.yaml").write_text(yaml.safe_dump(config))
    rng = np.random.default_rng(seed)
    records = [
        {
            "frames": 1000 * (episode + 1),
            "episode": episode,
            "episode_return": 100 * episode + rng.normal(),
            "seconds": 20.0 * (episode + 1),
            "updates": 500 * (episode + 1),
            "plan_ms_p50": 6 + rng.random(),
            "plan_ms_p99": 9 + rng.random(),
            "latent_rank": 20 + episode,
            "retrieval": 1.0,
            "retrieval_random": 2.0,
            "retrieval_oracle": 0.5,
            **{f"model_error_{ahead}": 0.5 / (episode + 1) + 0.1 * ahead for ahead in range(1, 6)},
        }
        for episode in range(8 if complete else 1)
    ]
    (path / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    if complete:
        updates = [{"updates": 100 * i, "loss_value": 1 / (i + 1), "loss_reward": 0.3} for i in range(40)]
        (path / "updates.jsonl").write_text("".join(json.dumps(record) + "\n" for record in updates))
        (path / "summary.json").write_text(json.dumps({"status": "finished", "decisions_per_second": 41.5}))
        evaluation = {
            "episodes": 3,
            "returns": [1, 2, 3],
            "return_mean": 712.5,
            "return_std": 1.0,
            "interval_95": [700.0, 725.0],
            "frames": 8000,
            "learn": False,
            "video": "videos/evaluation.mp4",
            "retrieval": {"retrieval": 1.0, "retrieval_random": 2.0, "retrieval_oracle": 0.5},
        }
        (path / "evaluation.json").write_text(json.dumps(evaluation))
        frames = rng.integers(0, 255, (12, 32, 32, 3), np.uint8)
        write_video(path / "videos/evaluation.mp4", frames, 10)
        rewards = {name: rng.random(12) for name in ("reward_real", "reward_imagined", "latent_error")}
        np.savez(path / "imagination.npz", frames_real=frames, frames_imagined=frames, **rewards)
    return path


def test_a_whole_run(tmp_path: Path):
    page = write_report([make_run(tmp_path / "a")], tmp_path / "out" / "report.html").read_text()
    for text in (
        "Return against frames",
        "Return against time",
        "What the planner imagined",
        "How well the world model predicts",
        "Effective rank",
        "neighbouring latents",
        "Time of a decision",
        "Losses",
        "712.5",
        "700.0 to 725.0",
        "41.5",
        "data:video/mp4;base64,",
    ):
        assert text in page, text
    assert page.count("<svg") >= 8


def test_curves_of_a_life_are_marked_where_the_world_changed(tmp_path: Path):
    """Each change is a dotted line with its words; what has not changed since the last episode is not said again."""
    folder = make_run(tmp_path / "life", world="life/arm-year")
    records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    told = [
        {},
        {},
        {"payload:gripper": 0.1},
        {"payload:gripper": 0.15},
        {"payload:gripper": 0.15},
        {},
        {"gain": 0.5},
        {},
    ]
    chapters = [0, 0, 1, 1, 1, 2, 2, 3]
    for record, drift, chapter in zip(records, told, chapters, strict=True):
        record |= {"drift": drift, "chapter": chapter, "world": "so101/reach"}
    (folder / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    run = RunRecord.read(folder)
    assert run.changes() == [(2000.0, "payload:gripper"), (5000.0, "as made"), (6000.0, "gain"), (7000.0, "as made")]
    (axis,) = drawn_axes(lambda: learning_curves([run], "frames"))
    marks = [line.get_xdata()[0] for line in axis.lines if line.get_linestyle() == ":"]
    assert marks == [2000, 5000, 6000, 7000]
    assert [text.get_text() for text in axis.texts] == ["payload:gripper", "as made", "gain", "as made"]
    assert "<!-- payload:gripper -->" in write_report([folder], tmp_path / "report.html").read_text()


def drawn_axes(draw: Callable[[], str]) -> list[Axes]:
    """The axes of the figure that a function draws."""
    figures: list[Figure] = []
    made = Figure.__init__

    def noted(figure: Figure, *arguments: Any, **options: Any) -> None:
        made(figure, *arguments, **options)
        figures.append(figure)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "__init__", noted)
        draw()
    return [axis for figure in figures for axis in figure.axes]


def test_nothing_comes_from_elsewhere(tmp_path: Path):
    page = write_report([make_run(tmp_path / "a")], tmp_path / "report.html").read_text()
    loaded = re.findall(r"(?:src|href|url)\s*[=(]\s*[\"']?([^\"')\s>]+)", page)
    assert [link[:40] for link in loaded if not link.startswith(("data:", "#"))] == []


def test_a_run_that_ended_after_its_first_episode_says_what_is_missing(tmp_path: Path):
    page = write_report([make_run(tmp_path / "a", complete=False)], tmp_path / "report.html").read_text()
    assert "Not evaluated yet" in page
    assert "No video yet" in page
    assert "No update has been recorded yet" in page
    assert "still running" in page


def test_several_seeds_share_a_curve_with_an_interval(tmp_path: Path):
    runs = [make_run(tmp_path / f"seed-{seed}", seed) for seed in range(3)]
    page = write_report(runs, tmp_path / "report.html").read_text()
    assert "3 runs" in page
    assert all(f"seed {seed}" in page for seed in range(3))


def test_what_is_no_run_and_what_has_no_episode_yet_is_one_sentence(tmp_path: Path):
    with pytest.raises(RunError, match="not a run folder"):
        write_report([tmp_path], tmp_path / "report.html")
    run = make_run(tmp_path / "a")
    (run / "metrics.jsonl").unlink()
    with pytest.raises(RunError, match="no episode"):
        write_report([run], tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


def test_public_curves_are_known_for_some_worlds():
    methods = {curve.method: curve for curve in anchors("dmc/cartpole-swingup", "proprio")}
    curve = methods["TD-MPC2"]
    assert curve.returns[curve.frames.index(100_000)] == pytest.approx(839.4, abs=0.1)
    assert anchors("dmc/cartpole-swingup", "camera+proprio") == []
    assert anchors("gym/Pendulum-v1", "proprio") == []


def test_a_run_in_one_endless_episode_has_a_page(tmp_path: Path):
    run = make_run(tmp_path / "endless")
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    for record in records:
        record["return_so_far"] = record.pop("episode_return")
    (run / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    (run / "evaluation.json").unlink()
    page = write_report([run], tmp_path / "report.html").read_text()
    assert page.count("no episode has ended") == 2, "against frames and against time"
    both = write_report([run, make_run(tmp_path / "other", seed=1)], tmp_path / "both.html").read_text()
    assert "no episode has ended" not in both
