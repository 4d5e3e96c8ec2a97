"""Configurations: what is refused, and what a resumed run may change."""

from __future__ import annotations

from dataclasses import replace

import pytest

from robot_agent.errors import RunError
from robot_agent.run.config import RunConfig, default_config, from_tree, resumed, to_tree, validate


def test_defaults_are_valid_and_survive_yaml():
    for streams in (("proprio",), ("camera",), ("proprio", "camera")):
        config = default_config(streams)
        validate(config)
        assert from_tree(RunConfig(), to_tree(config)) == config
    calibrated = RunConfig(body="calibration.yaml", randomise_body=True)
    assert from_tree(RunConfig(), to_tree(calibrated)) == calibrated


def test_two_streams_have_a_wider_latent_than_one():
    widths = [
        default_config(streams).agent.mind.encoder.latent_dim
        for streams in (("proprio",), ("camera",), ("camera", "proprio"))
    ]
    assert widths == [64, 64, 128]


@pytest.mark.parametrize(
    ("tree", "sentence"),
    [
        ({"frames": -5}, "frames is -5, expected at least 1"),
        ({"minutes": -1.0}, "minutes is -1.0, expected more than 0"),
        ({"keep_checkpoints_every": 0}, "keep_checkpoints_every is 0, expected at least 1"),
        ({"seed": -1}, "seed is -1, expected at least 0"),
        ({"streams": ["proprio", "proprio"]}, "streams are proprio proprio, expected"),
        ({"streams": []}, "streams are none, expected"),
        ({"online": {"learner": {"horizon": 0}}}, "online.learner.horizon is 0, expected at least 1"),
        ({"online": {"learner": {"batch_size": 0}}}, "online.learner.batch_size is 0"),
        ({"online": {"updates_per_decision": -1.0}}, "online.updates_per_decision is -1.0"),
        ({"agent": {"planner": {"search": {"max_std": -1.0}}}}, "search.max_std is -1.0, expected more than 0"),
        ({"agent": {"planner": {"search": {"samples": 0, "policy_samples": 0}}}}, "give at least one of them"),
    ],
)
def test_values_with_which_a_run_cannot_go_on_are_refused(tree: dict, sentence: str):
    with pytest.raises(RunError, match=sentence):
        validate(from_tree(RunConfig(), tree))


@pytest.mark.parametrize(
    ("tree", "sentence"),
    [
        ({"device": "gpu"}, "device in the configuration is 'gpu', expected one of auto, cpu, cuda"),
        ({"streams": ["lidar"]}, "streams in the configuration is 'lidar', expected one of proprio, camera"),
        ({"agent": {"mind": {"encoder": {"latent": "fsqq"}}}}, "latent in the configuration is 'fsqq'"),
        ({"body": 3}, "body in the configuration is 3, expected"),
        ({"minutes": "3"}, "minutes in the configuration is '3', expected"),
        ({"online": 3}, "^online is 3, expected a mapping"),
    ],
)
def test_values_that_a_field_cannot_have_are_refused(tree: dict, sentence: str):
    with pytest.raises(RunError, match=sentence):
        from_tree(RunConfig(), tree)


def test_a_resumed_run_may_change_its_budget_and_device_and_nothing_else():
    kept = RunConfig(frames=100, device="cpu")
    assert resumed(kept, replace(kept, frames=200, minutes=3.0, device="auto")).frames == 200
    with pytest.raises(
        RunError, match="seed is 0 and 4 was asked for; only frames, minutes, device and opponent may change"
    ):
        resumed(kept, replace(kept, seed=4))
    other = replace(kept, agent=replace(kept.agent, mind=replace(kept.agent.mind, discount=0.5)))
    with pytest.raises(RunError, match=r"agent.mind.discount is 0.99 and 0.5 was asked for"):
        resumed(kept, other)
