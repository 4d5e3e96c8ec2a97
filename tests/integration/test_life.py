"""Whole lives in tiny worlds: they learn, they stop and go on, they keep what they saw."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from robot_agent.errors import CheckpointError, RunError
from robot_agent.evaluation.evaluate import evaluate
from robot_agent.learning.checkpoint import CheckpointStore
from robot_agent.replay.replay import Replay, ReplayWriter
from robot_agent.replay.sampler import SequenceSampler
from robot_agent.run.life import Life
from robot_agent.run.load import load_agent
from robot_agent.types import BodySpec, Transition
from tests.small import ONLINE, run_config
from tests.worlds import PointMass, Reach


def mean_return(folder: Path, episodes: int) -> float:
    lines = (folder / "metrics.jsonl").read_text().splitlines()[-episodes:]
    return float(np.mean([json.loads(line)["episode_return"] for line in lines]))


def evaluated(folder: Path, make_body, episodes: int = 20) -> list[float]:
    body = make_body()
    agent, _, _ = load_agent(folder, BodySpec.from_env(body))
    return evaluate(agent, body, episodes, render=False).returns


@pytest.mark.parametrize("updates_per_decision", [0.5, 0.0])
def test_the_agent_learns_a_point_mass_and_does_not_when_the_learner_is_off(
    tmp_path: Path, updates_per_decision: float
):
    online = replace(ONLINE, updates_per_decision=updates_per_decision)
    Life(tmp_path / "run", run_config(frames=2000, online=online), PointMass).live()
    learned = float(np.mean(evaluated(tmp_path / "run", PointMass)))
    # Random actions score about 12 of 40, standing still about 10.
    assert (learned > 24) == (updates_per_decision > 0), learned


@pytest.mark.long
def test_the_agent_learns_a_goal_world_with_hindsight(tmp_path: Path):
    online = replace(ONLINE, updates_per_decision=0.5)
    Life(tmp_path / "run", run_config(frames=6000, online=online), Reach).live()
    # About 7 of 25 decisions are needed to get there.
    assert np.mean(evaluated(tmp_path / "run", Reach)) > 12


@pytest.mark.long
def test_the_agent_learns_from_a_camera_alone(tmp_path: Path):
    def make_body() -> PointMass:
        return PointMass(camera=True)

    online = replace(ONLINE, updates_per_decision=0.5)
    Life(tmp_path / "run", run_config(frames=4000, online=online, streams=("camera",)), make_body).live()
    assert np.mean(evaluated(tmp_path / "run", make_body)) > 20


def test_a_run_folder_holds_what_it_promises(tmp_path: Path):
    summary = Life(tmp_path / "run", run_config(frames=320), PointMass).live()
    names = {path.name for path in (tmp_path / "run").iterdir()}
    wanted = {"config.yaml", "metrics.jsonl", "updates.jsonl", "tensorboard", "summary.json", "checkpoints", "replay"}
    assert wanted | {"videos"} <= names
    records = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert [record["frames"] for record in records] == list(range(40, 321, 40))
    for key in (
        "episode_return",
        "seconds",
        "updates",
        "plan_ms_p50",
        "plan_ms_p99",
        "model_error_1",
        "model_error_5",
        "latent_rank",
    ):
        assert all(record[key] is not None for record in records), key
    assert records[-1]["updates"] == 320
    assert records[-1]["elites_policy"] + records[-1]["elites_samples"] == pytest.approx(1.0, abs=1e-4)
    assert summary["status"] == "finished"
    assert Replay(tmp_path / "run/replay").decisions == 320
    assert list((tmp_path / "run/tensorboard").iterdir())


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    return CheckpointStore(folder / "checkpoints").load_latest().tensors


def test_stopping_at_the_end_of_an_episode_and_resuming_equals_never_stopping(tmp_path: Path):
    Life(tmp_path / "whole", run_config(frames=400), PointMass).live()
    Life(tmp_path / "parts", run_config(frames=280), PointMass).live()
    Life(tmp_path / "parts", run_config(frames=400), PointMass, resume=True).live()
    whole, parts = weights_of(tmp_path / "whole"), weights_of(tmp_path / "parts")
    assert whole.keys() == parts.keys()
    for name in whole:
        assert torch.equal(whole[name], parts[name]), name
    returns = [mean_return(tmp_path / name, 3) for name in ("whole", "parts")]
    assert returns[0] == returns[1]


class Ageing(PointMass):
    """A world that changes with the steps that were lived in it."""

    life_steps = 0


def test_a_recording_in_its_replay_is_no_part_of_a_life(tmp_path: Path):
    """It spends no frames, owes no updates, and does not age the world; it is learned from all the same."""
    Life(tmp_path / "run", run_config(frames=280), Ageing).live()
    recording = ReplayWriter(tmp_path / "run/replay", BodySpec.from_env(PointMass()))
    body = PointMass()
    observation, _ = body.reset(seed=0)
    for step in range(500):
        before, (observation, *_) = observation, body.step(np.zeros(2))
        recording.append(Transition(before, np.zeros(2, np.float32), 0.0, False, False, 0, step))
    recording.close()
    life = Life(tmp_path / "run", run_config(frames=400), Ageing, resume=True)
    assert life.frames == life.body.get_wrapper_attr("life_steps") == 280
    summary = life.live()
    assert (summary["frames"], summary["episodes"], summary["updates"]) == (400, 10, 400)
    sampler = SequenceSampler(Replay(tmp_path / "run/replay"), horizon=3)
    sampler.refresh()
    assert sampler.windows == 10 * 38 + 497


def test_learning_in_a_process_beside_acting_keeps_the_update_ratio(tmp_path: Path):
    config = run_config(frames=480, deterministic=False)
    summary = Life(tmp_path / "run", config, PointMass).live()
    assert summary["decisions"] == 480
    assert 420 <= summary["updates"] <= 480
    assert CheckpointStore(tmp_path / "run/checkpoints").load_latest().state["frames"] == 480
    again = Life(tmp_path / "run", replace(config, frames=560), PointMass, resume=True).live()
    assert again["frames"] == 560
    assert again["updates"] > summary["updates"]


@pytest.mark.parametrize("deterministic", [True, False])
def test_checkpoints_worth_keeping_are_all_there_and_can_act(tmp_path: Path, deterministic: bool):
    config = run_config(frames=210, keep_checkpoints_every=40, checkpoint_minutes=2e-3, deterministic=deterministic)
    Life(tmp_path / "run", config, PointMass).live()
    steps = CheckpointStore(tmp_path / "run/checkpoints").steps
    assert {40, 80, 120, 160, 200, 210} <= set(steps)
    assert len(steps) <= 6 + 3
    spec = BodySpec.from_env(PointMass())
    assert load_agent(tmp_path / "run", spec, step=80)[2].step == 80
    assert load_agent(tmp_path / "run", spec)[2].step == 210


@pytest.mark.gpu
@pytest.mark.parametrize("deterministic", [True, False])
def test_a_life_on_a_gpu_learns_and_goes_on_wherever(tmp_path: Path, deterministic: bool):
    def make_body() -> PointMass:
        return PointMass(camera=True)

    streams = ("camera", "proprio")
    config = run_config(frames=280, device="cuda", deterministic=deterministic, streams=streams)
    life = Life(tmp_path / "run", config, make_body)
    assert life.live()["updates"] > 200
    assert {parameter.device.type for parameter in life.agent.mind.parameters()} == {"cuda"}
    assert len(evaluated(tmp_path / "run", make_body, episodes=1)) == 1  # on the CPU
    again = Life(tmp_path / "run", replace(config, frames=320), make_body, resume=True).live()
    assert again["frames"] == 320


def test_a_run_killed_before_its_first_checkpoint_resumes_from_its_replay(tmp_path: Path):
    Life(tmp_path / "run", run_config(frames=280), PointMass).live()
    for checkpoint in (tmp_path / "run/checkpoints").iterdir():
        shutil.rmtree(checkpoint)
    summary = Life(tmp_path / "run", run_config(frames=320), PointMass, resume=True).live()
    assert (summary["frames"], summary["updates"]) == (320, 320)


def test_a_folder_that_holds_a_run_is_not_touched_without_resume(tmp_path: Path):
    Life(tmp_path / "run", run_config(frames=240), PointMass).live()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*")}
    with pytest.raises(RunError, match="already holds a run"):
        Life(tmp_path / "run", run_config(), PointMass)
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*")}
    with pytest.raises(RunError, match="not a run folder"):
        Life(tmp_path / "nothing", run_config(), PointMass, resume=True)


def test_a_checkpoint_of_another_body_is_one_sentence(tmp_path: Path):
    Life(tmp_path / "run", run_config(frames=240), PointMass).live()
    with pytest.raises(CheckpointError, match="proprio_dim 4, this one has 2"):
        load_agent(tmp_path / "run", BodySpec.from_env(Reach()))


class Poisoned(PointMass):
    """Gives a NaN in an observation and an Inf in a reward now and then."""

    def step(self, action: np.ndarray):
        assert np.isfinite(action).all()
        observation, reward, *rest = super().step(action)
        if self.steps % 13 == 5:
            observation["proprio"][1] = np.nan
        return observation, float("inf") if self.steps % 17 == 9 else reward, *rest


def test_numbers_that_are_not_finite_are_quarantined_and_learning_goes_on(tmp_path: Path):
    with pytest.warns(UserWarning, match="learns nothing from such decisions"):
        summary = Life(tmp_path / "run", run_config(frames=400), Poisoned).live()
    assert summary["quarantined"] == 50
    assert summary["updates"] == 400
    assert summary["skipped_updates"] == 0
    weights = weights_of(tmp_path / "run")
    assert all(torch.isfinite(tensor).all() for tensor in weights.values() if tensor.is_floating_point())


def test_a_batch_whose_loss_is_not_finite_is_dumped(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    from robot_agent.cli import replay_dump

    losses = ONLINE.learner.losses
    losses = replace(losses, weights={**losses.weights, "consistency": 1e300})
    online = replace(ONLINE, learner=replace(ONLINE.learner, losses=losses), random_decisions=80)
    summary = Life(tmp_path / "run", run_config(frames=100, online=online), PointMass).live()
    assert summary["updates"] == 0
    assert summary["skipped_updates"] == 100
    assert len(list((tmp_path / "run/dumps").iterdir())) == online.largest_dumps
    assert replay_dump.run([str(tmp_path / "run")]) == 0
    out = capsys.readouterr().out
    assert "100 decisions" in out
    assert "proprio" in out
