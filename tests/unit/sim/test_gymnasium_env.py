from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
import robot_agent_sim
from gymnasium.spaces import Box, Dict, Discrete, Tuple
from robot_agent_sim.gymnasium_env import adapt


class Tiny(gymnasium.Env):
    """Returns samples of its observation space and remembers the action."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 25}  # noqa: RUF012

    def __init__(
        self, observation_space: gymnasium.Space, action_space: gymnasium.Space | None = None, picture: bool = False
    ) -> None:
        self.observation_space = observation_space
        self.action_space = action_space or Box(-2.0, 4.0, (2,), np.float32)
        self.render_mode = "rgb_array" if picture else None
        self.action: Any = None

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple[Any, dict]:
        super().reset(seed=seed)
        self.observation_space.seed(seed)
        return self.observation_space.sample(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict]:
        self.action = action
        return self.observation_space.sample(), 1.5, False, False, {}

    def render(self) -> np.ndarray:
        picture = np.zeros((100, 100, 3), np.uint8)
        picture[:50] = 255
        return picture


class TinyReach(Tiny):
    def __init__(self) -> None:
        goal = Box(-1, 1, (3,), np.float64)
        super().__init__(
            Dict(
                {
                    "observation": Box(-1, 1, (4,), np.float64),
                    "achieved_goal": goal,
                    "desired_goal": goal,
                    "eye": Box(0, 255, (32, 32, 3), np.uint8),
                    "arm": Box(-1, 1, (), np.float32),
                }
            )
        )

    def compute_reward(self, achieved: np.ndarray, desired: np.ndarray, info: Any) -> np.ndarray:
        return -np.linalg.norm(achieved - desired, axis=-1)


def test_a_vector_becomes_proprio() -> None:
    env = adapt(Tiny(Box(-1, 1, (5,), np.float64)), ("proprio",), (64, 64))
    observation, _ = env.reset(seed=0)
    assert set(observation) == {"proprio"}
    assert observation["proprio"].shape == (5,)
    assert env.metadata["control_dt"] == pytest.approx(1 / 25)


def test_an_image_becomes_the_main_camera() -> None:
    env = adapt(Tiny(Box(0, 255, (64, 64, 3), np.uint8)), ("camera",), (64, 64))
    observation, _ = env.reset(seed=3)
    space = Box(0, 255, (64, 64, 3), np.uint8, seed=3)
    assert set(observation) == {"camera/main"}
    assert np.array_equal(observation["camera/main"], space.sample())


def test_a_goal_world_passes_through() -> None:
    env = adapt(TinyReach(), ("camera", "proprio"), (16, 16))
    observation, _ = env.reset(seed=0)
    assert set(observation) == {"camera/eye", "proprio", "achieved_goal", "desired_goal"}
    assert observation["camera/eye"].shape == (16, 16, 3)
    assert env.observation_space.contains(observation)
    raw = TinyReach().reset(seed=0)[0]
    sorted_by_name = np.concatenate([[raw["arm"]], raw["observation"]]).astype(np.float32)
    assert np.array_equal(observation["proprio"], sorted_by_name)
    assert np.array_equal(observation["desired_goal"], raw["desired_goal"])
    achieved, desired = np.zeros((7, 3)), np.ones((7, 3))
    for compute_reward in (env.unwrapped.compute_reward, env.get_wrapper_attr("compute_reward")):
        assert np.allclose(compute_reward(achieved, desired, {}), -np.sqrt(3) * np.ones(7))


def test_rendering_stands_in_for_a_camera() -> None:
    env = adapt(Tiny(Box(-1, 1, (5,), np.float64), picture=True), ("camera", "proprio"), (64, 64))
    observation, _ = env.reset(seed=0)
    assert observation["camera/main"].shape == (64, 64, 3)
    assert np.all(observation["camera/main"][:32] == 255)
    assert np.all(observation["camera/main"][32:] == 0)
    assert env.observation_space.contains(env.step(np.zeros(2))[0])


def test_a_stream_that_cannot_be_had_is_named() -> None:
    with pytest.raises(ValueError, match="no rgb_array rendering"):
        adapt(Tiny(Box(-1, 1, (5,))), ("camera",), (64, 64))
    with pytest.raises(ValueError, match="no numeric vectors for the stream proprio"):
        adapt(Tiny(Box(0, 255, (8, 8, 3), np.uint8)), ("proprio",), (64, 64))
    with pytest.raises(ValueError, match="expected a Box"):
        adapt(Tiny(Tuple([Discrete(2)])), ("proprio",), (64, 64))
    with pytest.raises(ValueError, match="expected a vector or a uint8 image"):
        adapt(Tiny(Box(0, 255, (8, 8), np.uint8)), ("proprio",), (64, 64))


def test_actions_are_mapped_to_the_worlds_own_bounds_and_shape() -> None:
    tiny = Tiny(Box(-1, 1, (1,)), Box(-2.0, 4.0, (2, 2), np.float32))
    env = adapt(tiny, ("proprio",), (64, 64))
    assert env.action_space == Box(-1.0, 1.0, (4,), np.float32)
    env.reset(seed=0)
    env.step(np.array([-1, 0, 0.5, 1]))
    assert np.allclose(tiny.action, [[-2, 1], [2.5, 4]])
    assert tiny.action.dtype == np.float32


def test_actions_beyond_the_bounds_are_clipped_and_counted() -> None:
    tiny = Tiny(Box(-1, 1, (1,)))
    env = adapt(tiny, ("proprio",), (64, 64), action_repeat=3)
    assert env.reset(seed=0)[1]["clipped_actions"] == 0
    _, reward, *_, info = env.step(np.array([7.0, -3.0]))
    assert np.allclose(tiny.action, [4, -2])
    assert (reward, info["clipped_actions"], info["frames"]) == (4.5, 1, 3)
    assert env.step(np.array([1.0, -1.0]))[4]["clipped_actions"] == 1
    assert env.reset(seed=0)[1]["clipped_actions"] == 0


@pytest.mark.parametrize(
    ("action", "complaint"),
    [
        (np.array([np.nan, 0.0]), "finite numbers"),
        (np.array([0.0, np.inf]), "finite numbers"),
        (np.zeros(3), r"shape \(3,\), expected \(2,\)"),
        (np.zeros((1, 2)), r"shape \(1, 2\), expected \(2,\)"),
    ],
)
def test_a_broken_action_is_an_error_before_it_reaches_the_body(action: np.ndarray, complaint: str) -> None:
    tiny = Tiny(Box(-1, 1, (1,)))
    env = adapt(tiny, ("proprio",), (64, 64))
    env.reset(seed=0)
    with pytest.raises(ValueError, match=complaint):
        env.step(action)
    assert tiny.action is None


def test_a_discrete_or_unbounded_action_space_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"gym/CartPole-v1 does not fit: the action space is Discrete\(2\)"):
        robot_agent_sim.make("gym/CartPole-v1")
    with pytest.raises(ValueError, match="infinite bounds"):
        adapt(Tiny(Box(-1, 1, (1,)), Box(-np.inf, np.inf, (2,))), ("proprio",), (64, 64))


def test_a_registered_mujoco_world_has_a_camera() -> None:
    env = robot_agent_sim.make("gym/InvertedPendulum-v5", streams=("camera", "proprio"), camera_size=(32, 48))
    observation, _ = env.reset(seed=0)
    assert observation["camera/main"].shape == (32, 48, 3)
    assert observation["camera/main"].std() > 5
    assert env.metadata["control_dt"] == pytest.approx(env.unwrapped.dt)
    env.close()
