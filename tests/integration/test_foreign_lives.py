"""Lives in environments that misbehave: nothing is lost, and what is wrong is said."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from robot_agent_sim.gymnasium_env import adapt

from robot_agent.errors import BodyError, RunError
from robot_agent.replay.replay import Replay
from robot_agent.run import life as life_module
from robot_agent.run.folder import RunFolder
from robot_agent.run.life import Life
from tests.lived import lived
from tests.small import ONLINE, run_config
from tests.worlds import PointMass, Reach


class Flat(gymnasium.Env[np.ndarray, np.ndarray]):
    """A counter in an environment of someone else: `length` frames an episode, each with reward 1."""

    metadata = {"render_modes": [], "render_fps": 10}  # noqa: RUF012

    def __init__(self, length: int = 5, info: Any = None) -> None:
        self.length, self.info = length, info
        self.action_space = gymnasium.spaces.Box(-1, 1, (1,), np.float32)
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (2,), np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        super().reset(seed=seed)
        self.frames = 0
        return np.zeros(2, np.float32), self.info

    def step(self, action: np.ndarray):
        self.frames += 1
        return np.full(2, self.frames, np.float32), 1.0, self.frames >= self.length, False, self.info


def test_frames_of_a_decision_that_an_episode_cut_short_are_counted_as_lived(tmp_path: Path):
    """Five frames an episode, four a decision: decisions of four frames and of one in turn."""

    def make_body():
        return adapt(Flat(), ("proprio",), action_repeat=4)

    summary = Life(tmp_path / "run", run_config(frames=50), make_body).live()
    assert (summary["frames"], summary["decisions"], summary["episodes"]) == (50, 20, 10)
    assert Replay(tmp_path / "run" / "replay").lived.frames == 50
    np.testing.assert_allclose(lived(tmp_path / "run")["dt"], [0.4, 0.1] * 10, rtol=1e-6)
    again = Life(tmp_path / "run", run_config(frames=100), make_body, resume=True).live()
    assert (again["frames"], again["decisions"]) == (100, 40)


@pytest.mark.parametrize(
    "info",
    [
        None,
        {"state": "moving", "success": np.ones(3), "world": np.zeros((99, 99)), "chapter": {1: np.int64(2)}},
        {"state": {"a": 1}, "success": "yes", "world": object(), "drift": [np.nan]},
        {"state": [[1], [1, 2]], "is_success": np.array([True]), "world": None},
    ],
)
def test_what_is_for_people_never_stops_a_life(tmp_path: Path, info: Any):
    summary = Life(tmp_path / "run", run_config(frames=20), lambda: adapt(Flat(info=info), ("proprio",))).live()
    assert (summary["frames"], summary["episodes"]) == (20, 4)
    assert len(RunFolder.open(tmp_path / "run").read_metrics()) == 4


def test_a_state_that_changes_its_shape_never_stops_a_life(tmp_path: Path):
    class Growing(PointMass):
        def step(self, action: np.ndarray):
            *returned, _ = super().step(action)
            return *returned, {"state": np.zeros(self.steps)}

    summary = Life(tmp_path / "run", run_config(frames=80), lambda: Growing(camera=True)).live()
    assert summary["episodes"] == 2


def test_a_body_whose_close_raises_leaves_a_summary(tmp_path: Path):
    class Stuck(PointMass):
        def close(self) -> None:
            raise OSError("the window is gone")

    with pytest.warns(UserWarning, match="close raised OSError: the window is gone"):
        Life(tmp_path / "run", run_config(frames=40), Stuck).live()
    assert RunFolder.open(tmp_path / "run").read_summary()["status"] == "finished"


def test_a_body_that_fails_leaves_a_checkpoint_and_the_run_goes_on(tmp_path: Path):
    class Failing(PointMass):
        def step(self, action: np.ndarray):
            if self.steps == 30:
                raise ValueError("no contact with the robot")
            return super().step(action)

    with pytest.raises(ValueError, match="no contact"):
        Life(tmp_path / "run", run_config(frames=300), Failing).live()
    assert Life(tmp_path / "run", run_config(frames=300), PointMass, resume=True).live()["frames"] == 300
    assert len(lived(tmp_path / "run")) == 300


def test_an_infinite_reading_is_said_while_it_happens(tmp_path: Path):
    class Lidar(PointMass):
        def step(self, action: np.ndarray):
            observation, *rest = super().step(action)
            if self.steps % 10 == 3:
                observation["proprio"][2] = np.inf
            return observation, *rest

    with pytest.warns(UserWarning, match=r"proprio\[2\] is inf: .* learns nothing") as said:
        Life(tmp_path / "run", run_config(frames=120), Lidar).live()
    texts = [str(warning.message) for warning in said]
    assert [text[text.index("(") :] for text in texts] == ["(1 of 4 so far)", "(10 of 94 so far)"]


@pytest.mark.parametrize("limit", [1000, 15])
def test_readings_that_are_never_finite_end_a_life_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int
):
    class Blind(PointMass):
        def _observe(self):
            return {"proprio": np.full(4, np.nan, np.float32)}

    monkeypatch.setattr("robot_agent.run.readings.LONGEST_STRETCH", limit)
    with (
        pytest.raises(BodyError, match=r"proprio\[0\] is nan.*declare finite bounds"),
        pytest.warns(UserWarning, match="proprio"),
    ):
        Life(tmp_path / "run", run_config(frames=40), Blind).live()
    assert len(lived(tmp_path / "run")) == min(limit, 40)


def test_a_life_in_one_endless_episode_writes_metrics_and_keeps_little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(life_module, "METRICS_SECONDS", 0.0)
    monkeypatch.setattr(life_module, "MOST_KEPT", 70)
    run = tmp_path / "run"
    summary = Life(run, run_config(frames=100), lambda: PointMass(camera=True, length=10**9)).live()
    assert (summary["episodes"], summary["frames"]) == (0, 100)
    folder = RunFolder.open(run)
    assert folder.read_metrics() == []
    lines = folder.read_progress()
    assert [line["length_so_far"] for line in lines] == list(range(1, 101))
    assert lines[-1]["frames"] == 100
    assert {"return_so_far", "latent_rank", "updates", "plan_ms_p50", "seconds"} <= set(lines[-1])
    assert json.loads((run / "metrics.jsonl").read_text().splitlines()[-1]) == lines[-1]


def test_a_body_that_cannot_be_given_to_the_learners_process_is_refused_before_anything_is_written(tmp_path: Path):
    with pytest.raises(RunError, match="define it at the top of a module"):
        Life(tmp_path / "run", run_config(deterministic=False), lambda: Reach())
    assert not (tmp_path / "run").exists()
    online = replace(ONLINE, hindsight=replace(ONLINE.hindsight, share=0.0))
    summary = Life(tmp_path / "run", run_config(frames=30, deterministic=False, online=online), lambda: Reach()).live()
    assert summary["frames"] == 30, "without hindsight nothing is given"
