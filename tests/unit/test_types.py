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
