"""The shape of a body, as it is read from an environment."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict

from robot_agent.errors import BodyError
from robot_agent.types import BodySpec


class Shaped(gymnasium.Env):
    def __init__(self, **streams: Box) -> None:
        self.action_space = Box(-1, 1, (2,), np.float32)
        self.observation_space = Dict({"proprio": vector(4), **streams})


def vector(width: int) -> Box:
    return Box(-np.inf, np.inf, (width,), np.float32)


@pytest.mark.parametrize(
    "goals",
    [
        {"desired_goal": vector(3)},
        {"achieved_goal": vector(3)},
        {"desired_goal": vector(3), "achieved_goal": vector(2)},
        {"desired_goal": vector(0), "achieved_goal": vector(0)},
    ],
)
def test_a_goal_without_its_like_is_refused(goals: dict[str, Box]):
    with pytest.raises(BodyError, match=r"(achieved|desired)_goal of \d numbers.*, expected achieved_goal and desired"):
        BodySpec.from_env(Shaped(**goals))


def test_goals_of_one_width_are_taken():
    assert BodySpec.from_env(Shaped(desired_goal=vector(3), achieved_goal=vector(3))).goal_dim == 3
    assert BodySpec.from_env(Shaped()).goal_dim == 0


def test_a_decision_lasts_the_frames_of_its_time_and_is_whole_where_that_is_unknown():
    spec = BodySpec((), 1, 1, control_dt=0.2, frames_per_step=4)
    dt = np.array([0.0, 0.01, 0.05, 0.1, 0.15, 0.2, 0.5], np.float32)
    assert list(spec.frames_in(dt)) == [4, 1, 1, 2, 3, 4, 4]


@pytest.mark.parametrize(
    ("name", "shape", "sentence"),
    [
        ("camera/left.far", (8, 8, 3), "without dots: rename it"),
        ("camera/", (8, 8, 3), "without dots: rename it"),
        ("camera/tiny", (3, 8, 3), "at least 4 pixels a side"),
    ],
)
def test_a_camera_that_no_network_can_see_with_is_refused(name: str, shape: tuple[int, ...], sentence: str):
    with pytest.raises(BodyError, match=sentence):
        BodySpec.from_env(Shaped(**{name: Box(0, 255, shape, np.uint8)}))


@pytest.mark.parametrize("value", [0, -1, np.nan, np.inf, "fast", None, True])
def test_metadata_that_is_no_positive_number_is_refused(value: object):
    for name in ("control_dt", "frames_per_step"):
        body = Shaped()
        body.metadata = {name: value}
        with pytest.raises(BodyError, match=f"declares {name}"):
            BodySpec.from_env(body)


def test_metadata_may_be_any_kind_of_number():
    body = Shaped()
    body.metadata = {"control_dt": np.float32(0.25), "frames_per_step": np.int64(3)}
    spec = BodySpec.from_env(body)
    assert (spec.control_dt, spec.frames_per_step) == (0.25, 3)
    body.metadata = {"control_dt": 2}
    assert BodySpec.from_env(body).control_dt == 2.0


def test_integer_actions_are_refused_where_nothing_converts_them():
    body = Shaped()
    body.action_space = Box(-1, 1, (2,), np.int64)
    with pytest.raises(BodyError, match=r"expected Box\(-1, 1\) of floats: wrap"):
        BodySpec.from_env(body)


def test_frames_follow_from_how_long_a_decision_was():
    spec = BodySpec((), 1, 1, control_dt=0.08, frames_per_step=4)
    assert spec.frames_in([0.08, 0.02, 0.0599, 0.0, 0.001, 9.0]).tolist() == [4, 1, 3, 4, 1, 4]
