"""Configurations: what is refused, and what a resumed run may change."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from robot_agent.errors import RunError
from robot_agent.run.bounds import numbers
from robot_agent.run.config import (
    RunConfig,
    default_config,
    from_tree,
    resumed,
    to_tree,
    validate,
    with_current_names,
)


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
        ({"seed": 99999999999999999999}, "seed is 99999999999999999999, expected at most 4294967295"),
        ({"camera_size": [100000, 100000]}, "camera_size is 100000, expected at most 2048"),
        ({"camera_size": [64, 0]}, "camera_size is 0, expected at least 4"),
        ({"action_repeat": 100000}, "action_repeat is 100000, expected at most 1000"),
        ({"minutes": float("nan")}, "minutes is nan, expected a finite number"),
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


def changed(config: Any, path: str, value: Any) -> Any:
    """A config with one of its numbers, or all numbers of one of its tuples or mappings, replaced."""
    name, _, rest = path.partition(".")
    if isinstance(config, dict):
        return {**config, name: value}
    current = getattr(config, name)
    if rest:
        return replace(config, **{name: changed(current, rest, value)})
    return replace(config, **{name: (value,) * len(current) if isinstance(current, tuple) else value})


OPTIONAL = {
    "minutes": 1.0,
    "action_repeat": 1,
    "keep_checkpoints_every": 1,
    "agent.planner.deadline_ms": 1.0,
    "agent.planner.search.carry_spread": 1.0,
    "online.sampler.capacity": 1,
}
"""Numbers that may be None, and are by default."""
FILLED = RunConfig()
for path, number in OPTIONAL.items():
    FILLED = changed(FILLED, path, number)
NUMBERS = sorted({path: type(value) for path, value in numbers(FILLED)}.items())


def test_every_number_is_known():
    names = {path for path, _ in NUMBERS}
    assert {"seed", "camera_size", "replay.segment_megabytes", "online.learner.losses.weights.value"} <= names
    validate(FILLED)


@pytest.mark.parametrize(("path", "kind"), NUMBERS)
def test_a_number_that_no_run_can_have_is_one_sentence(path: str, kind: type):
    wrong = [10**30, -(10**30)] if kind is int else [float("nan"), float("inf"), float("-inf")]
    for value in wrong:
        with pytest.raises(RunError, match=re.escape(f"{path} is {value}, expected")):
            validate(changed(FILLED, path, value))


def test_a_decision_longer_than_the_whole_run_is_refused():
    with pytest.raises(RunError, match=r"one decision lasts 200 frames .* the whole run 100"):
        validate(RunConfig(frames=100, action_repeat=200))
    validate(RunConfig(frames=200, action_repeat=200))


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


def test_weights_of_the_loss_are_fields_and_only_terms_have_them():
    tree = {"online": {"learner": {"losses": {"weights": {"guard": 0.5}}}}}
    weights = from_tree(RunConfig(), tree).online.learner.losses.weights
    assert weights == {**RunConfig().online.learner.losses.weights, "guard": 0.5}
    wrong = {"online": {"learner": {"losses": {"weights": {"gaurd": 0.5}}}}}
    with pytest.raises(RunError, match=r"unknown field 'online\.learner\.losses\.weights\.gaurd'.*guard"):
        from_tree(RunConfig(), wrong)


def test_a_configuration_of_an_older_version_keeps_its_weights_of_the_loss():
    old = {"frames": 7, "online": {"learner": {"losses": {"guard": 0.5, "temporal_decay": 0.3, "entropy": 0.2}}}}
    config = from_tree(RunConfig(), with_current_names(old))
    losses = config.online.learner.losses
    assert (config.frames, losses.weights["guard"], losses.terms.temporal_decay, losses.entropy) == (7, 0.5, 0.3, 0.2)
    assert with_current_names(to_tree(config)) == to_tree(config)
