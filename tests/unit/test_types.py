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
