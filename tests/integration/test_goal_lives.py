"""Lives in goal worlds of strangers: what is odd about one is said in a sentence and ends no life."""

from __future__ import annotations

import fcntl
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from robot_agent.run.life import Life
from robot_agent.types import BodySpec
from tests.small import ONLINE, run_config
from tests.worlds import Reach

BEYOND_RANDOM = run_config(frames=240, online=replace(ONLINE, updates_per_decision=0.1))
ONE_BY_ONE = replace(BEYOND_RANDOM, deterministic=True)
BESIDE = replace(BEYOND_RANDOM, deterministic=False)


class OnlyOne(Reach):
    """Holds a device of which there is one on this machine, until it is closed."""

    def __init__(self, device: Path) -> None:
        super().__init__()
        self.device = device.open("w")
        fcntl.flock(self.device, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def close(self) -> None:
        self.device.close()


class NotBatched(Reach):
    def compute_reward(self, achieved: np.ndarray, desired: np.ndarray, info: dict[str, Any]) -> float:
        return 1.0 if np.linalg.norm(achieved - desired) < 0.15 else 0.0


class ReadsInfo(Reach):
    def compute_reward(self, achieved: np.ndarray, desired: np.ndarray, info: dict[str, Any]) -> np.ndarray:
        return super().compute_reward(achieved, desired, info) - info["effort"]

    def step(self, action: np.ndarray):
        self.effort = float(np.square(action).sum())
        return super().step(action)

    def judged(self, observation: dict[str, np.ndarray]) -> float:
        info = {"effort": self.effort}
        return float(self.compute_reward(observation["achieved_goal"], observation["desired_goal"], info))


class Dense(Reach):
    def compute_reward(self, achieved: np.ndarray, desired: np.ndarray, info: dict[str, Any]) -> np.ndarray:
        return -np.linalg.norm(achieved - desired, axis=-1)


class Closed(Reach):
    """Leaves a file behind when it is closed."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def close(self) -> None:
        (self.folder / f"closed-{len(list(self.folder.iterdir()))}").touch()


def finishes(run: Path, config: Any, make_body: Any) -> None:
    summary = Life(run, config, make_body).live()
    assert (summary["status"], summary["frames"]) == ("finished", 240)
    assert summary["updates"] > 0
    assert summary["skipped_updates"] == 0


def test_a_world_of_which_there_is_one_is_learned_in_with_hindsight(tmp_path: Path):
    finishes(tmp_path / "run", ONE_BY_ONE, partial(OnlyOne, tmp_path / "device"))


def test_a_learner_in_a_process_of_its_own_that_gets_no_second_world_says_so(tmp_path: Path):
    with pytest.warns(UserWarning, match=r"hindsight is off: .*cannot build the world a second time \(BlockingIOErr"):
        finishes(tmp_path / "run", BESIDE, partial(OnlyOne, tmp_path / "device"))


@pytest.mark.parametrize(("config", "bodies"), [(ONE_BY_ONE, 1), (BESIDE, 2)])
def test_each_world_that_is_built_is_closed(tmp_path: Path, config: Any, bodies: int):
    (tmp_path / "closed").mkdir()
    finishes(tmp_path / "run", config, partial(Closed, tmp_path / "closed"))
    assert len(list((tmp_path / "closed").iterdir())) == bodies


def test_a_reward_that_is_not_batched_is_learned_from(tmp_path: Path):
    finishes(tmp_path / "run", ONE_BY_ONE, NotBatched)


@pytest.mark.parametrize(
    ("make_body", "sentence"),
    [
        (lambda: gymnasium.wrappers.TransformReward(Dense(), lambda reward: np.cos(9 * reward)), "does not give the"),
        (lambda: gymnasium.wrappers.TransformReward(Dense(), lambda reward: 9 * reward + 1), r"is 9 \* computed \+1"),
    ],
)
def test_rewards_below_a_wrapper_are_spoken_of(tmp_path: Path, make_body: Any, sentence: str):
    with pytest.warns(UserWarning, match=sentence):
        finishes(tmp_path / "run", ONE_BY_ONE, make_body)


def test_without_hindsight_no_function_of_goals_is_asked_for(tmp_path: Path):
    online = replace(ONE_BY_ONE.online, hindsight=replace(ONE_BY_ONE.online.hindsight, share=0.0))
    finishes(tmp_path / "run", replace(ONE_BY_ONE, online=online), ReadsInfo)


def test_a_reward_that_reads_info_is_said_to(tmp_path: Path):
    with pytest.warns(UserWarning, match=r"hindsight is off: compute_reward cannot be called .*KeyError: 'effort'"):
        finishes(tmp_path / "run", ONE_BY_ONE, ReadsInfo)


def test_a_goal_world_without_compute_reward_is_said_to_be_one(tmp_path: Path):
    class Silent(gymnasium.Env):
        def __init__(self) -> None:
            self.inner = Reach()
            self.action_space, self.observation_space = self.inner.action_space, self.inner.observation_space

        def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
            return self.inner.reset(seed=seed)

        def step(self, action: np.ndarray):
            return self.inner.step(action)

    assert BodySpec.from_env(Silent()).goal_dim == 2
    with pytest.warns(UserWarning, match="hindsight is off: the world has goals and no compute_reward"):
        finishes(tmp_path / "run", ONE_BY_ONE, Silent)
