"""Learning beside living: what is owed, what is learned from, what is kept of a batch that was skipped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from robot_agent.learning.goal_functions import GoalFunctions
from robot_agent.learning.learner import LearnerConfig
from robot_agent.learning.online import OnlineConfig, OnlineLearner
from robot_agent.learning.weight_store import LocalWeightStore
from robot_agent.replay.replay import Replay, ReplayWriter
from robot_agent.types import BodySpec
from tests.small import MIND
from tests.unit.learning.lived import SPEC, live, live_in
from tests.worlds import Reach

CONFIG = OnlineConfig(random_decisions=10, learner=LearnerConfig(batch_size=8))


def make_learner(folder: Path, config: OnlineConfig = CONFIG, spec: BodySpec = SPEC, **more) -> OnlineLearner:
    return OnlineLearner(spec, MIND, config, Replay(folder / "replay"), LocalWeightStore(), **more)


@pytest.mark.parametrize(("ratio", "due"), [(1.0, 11), (0.5, 5), (2.0, 22), (0.0, 0)])
def test_updates_are_owed_after_the_random_decisions_and_for_them(tmp_path: Path, ratio: float, due: int):
    live(tmp_path, [20])
    learner = make_learner(tmp_path, replace(CONFIG, updates_per_decision=ratio))
    assert learner.owed(9) == 0
    assert learner.owed(11) == due
    if due:
        learner.update()
        assert learner.owed(11) == due - 1


@pytest.mark.parametrize("lived", ["nothing", "quarantined"])
def test_nothing_is_owed_while_there_is_nothing_to_learn_from(tmp_path: Path, lived: str):
    if lived == "quarantined":
        live(tmp_path, [20], reward=float("nan"))
    learner = make_learner(tmp_path)
    assert learner.owed(5) == 0
    assert not learner.starved
    assert learner.owed(20) == 0
    assert learner.starved
    live(tmp_path, [4])
    assert learner.owed(24) == 24
    assert not learner.starved


@pytest.mark.parametrize("length", [1, 2])
def test_episodes_that_are_shorter_than_the_horizon_are_learned_from(tmp_path: Path, length: int):
    live(tmp_path, [length] * 20)
    learner = make_learner(tmp_path)
    assert learner.owed(20) == 20
    before = [parameter.detach().clone() for parameter in learner.learner.mind.reward.parameters()]
    assert learner.update()["skipped"] == 0
    after = list(learner.learner.mind.reward.parameters())
    assert any(bool((old != new).any()) for old, new in zip(before, after, strict=True))


def test_a_dump_holds_the_batch_as_it_was_learned_from(tmp_path: Path):
    """Here with goals that hindsight chose."""

    def reward(achieved: np.ndarray, desired: np.ndarray, info: object) -> np.ndarray:
        return np.ones(len(achieved))

    spec = replace(SPEC, goal_dim=2)
    live(tmp_path, [20], spec)
    losses = replace(CONFIG.learner.losses, entropy=float("nan"))
    config = replace(CONFIG, largest_dumps=2, learner=replace(CONFIG.learner, losses=losses))
    functions = GoalFunctions(reward)
    learner = make_learner(tmp_path, config, spec, goal_functions=functions, dump_folder=tmp_path / "dumps")
    assert learner.owed(20) == 20
    for _ in range(3):
        learner.update()
    learner.count_skipped()
    assert (learner.updates, learner.skipped_updates, learner.owed(20)) == (0, 3, 17)
    dumps = sorted((tmp_path / "dumps").iterdir())
    assert len(dumps) == 2
    with np.load(dumps[0]) as arrays:
        relabelled = (arrays["desired_goal"] == arrays["future_achieved_goal"][:, None]).all((1, 2))
    assert relabelled.any()


@pytest.mark.parametrize("within", [1.0, 1e9])
def test_relabelled_rewards_that_are_not_finite_skip_no_update(tmp_path: Path, within: float):
    def reward(achieved: np.ndarray, desired: np.ndarray, info: object) -> np.ndarray:
        return np.where(np.linalg.norm(achieved - desired, axis=-1) < within, np.inf, 1.0)

    spec = replace(SPEC, goal_dim=2)
    live(tmp_path, [20], spec)
    learner = make_learner(tmp_path, spec=spec, goal_functions=GoalFunctions(reward))
    assert learner.owed(20)
    with pytest.warns(UserWarning, match="compute_reward is not finite"):
        learner.update()
    counted = [float(learner.update()["hindsight_not_finite"]) for _ in range(3)]
    assert (learner.attempts, learner.learner.skipped_updates) == (4, 0)
    assert (sum(counted) > 0) == (within == 1.0)  # where all is infinite, hindsight is off


def test_a_lived_life_is_learned_from(tmp_path: Path):
    writer = ReplayWriter(tmp_path / "replay", SPEC)
    writer.close()
    live(tmp_path, [20])
    learner = make_learner(tmp_path)
    assert learner.owed(20) == 20
    assert "loss_reward" in learner.update()
    learner.publish()
    assert (learner.weights.latest() or (0, {}))[0] == 1


def test_values_stay_below_the_largest_return_where_success_ends_an_episode(tmp_path: Path):
    """Were new goals no ends, a value of 1.8 would be reached here, on the way to 20."""
    body = Reach(success_ends=True)
    live_in(tmp_path, body, 1500)
    config = replace(CONFIG, learner=LearnerConfig(batch_size=64, target_rate=0.1))
    spec, functions = BodySpec.from_env(body), GoalFunctions.of_env(body)
    learner = make_learner(tmp_path, config, spec, goal_functions=functions)
    assert learner.owed(1500)
    values = [float(learner.update()["value_target"]) for _ in range(200)]
    assert max(values) < 1
    assert values[-1] > 0.4
