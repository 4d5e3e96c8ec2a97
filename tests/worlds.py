"""Tiny worlds that tests live in."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces


class PointMass(gymnasium.Env[dict[str, np.ndarray], np.ndarray]):
    """A point on a plane that is pushed towards the origin.

    The reward of a step is `1 - distance`, at least 0; an episode lasts 40 steps.

    Args:
        camera: show the point as a bright square in a 16 x 16 image instead of in numbers.
        length: decisions of an episode.
        terminate_beyond: distance from the origin at which the episode ends for good, None for never.
    """

    metadata = {"render_modes": ["rgb_array"], "control_dt": 0.1, "frames_per_step": 1}  # noqa: RUF012

    def __init__(self, camera: bool = False, length: int = 40, terminate_beyond: float | None = None) -> None:
        self.camera = camera
        self.length = length
        self.terminate_beyond = terminate_beyond
        self.render_mode = "rgb_array"
        self.action_space = spaces.Box(-1, 1, (2,), np.float32)
        box = spaces.Box(-np.inf, np.inf, (4,), np.float32)
        image = spaces.Box(0, 255, (16, 16, 3), np.uint8)
        self.observation_space = spaces.Dict({"camera/main": image} if camera else {"proprio": box})

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        super().reset(seed=seed)
        self.position = self.np_random.uniform(-1, 1, 2)
        self.velocity = np.zeros(2)
        self.steps = 0
        return self._observe(), {"state": self._state()}

    def step(self, action: np.ndarray):
        self.velocity = 0.7 * self.velocity + 0.1 * np.clip(action, -1, 1)
        self.position = np.clip(self.position + self.velocity, -1.5, 1.5)
        self.steps += 1
        distance = float(np.linalg.norm(self.position))
        terminated = self.terminate_beyond is not None and distance > self.terminate_beyond
        return (
            self._observe(),
            max(0.0, 1 - distance),
            terminated,
            self.steps >= self.length,
            {"state": self._state()},
        )

    def render(self) -> np.ndarray:
        image = np.zeros((16, 16, 3), np.uint8)
        row, column = ((self.position + 1.5) / 3 * 13).astype(int)
        image[row : row + 3, column : column + 3] = 255
        return image

    def _state(self) -> np.ndarray:
        return np.concatenate([self.position, self.velocity])

    def _observe(self) -> dict[str, np.ndarray]:
        return {"camera/main": self.render()} if self.camera else {"proprio": self._state().astype(np.float32)}


class Reach(gymnasium.Env[dict[str, np.ndarray], np.ndarray]):
    """A point that shall go to a goal which changes with each episode; the reward is 1 within 0.15 of it, else 0.

    Args:
        length: decisions of an episode.
        success_ends: an episode ends at its goal.
    """

    metadata = {"control_dt": 0.1, "frames_per_step": 1}  # noqa: RUF012

    def __init__(self, length: int = 25, success_ends: bool = False) -> None:
        self.length = length
        self.success_ends = success_ends
        self.action_space = spaces.Box(-1, 1, (2,), np.float32)
        self.observation_space = spaces.Dict(
            {
                "proprio": spaces.Box(-np.inf, np.inf, (2,), np.float32),
                "achieved_goal": spaces.Box(-2, 2, (2,), np.float32),
                "desired_goal": spaces.Box(-2, 2, (2,), np.float32),
            }
        )

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        super().reset(seed=seed)
        self.position = np.zeros(2)
        self.goal = self.np_random.uniform(-1, 1, 2)
        self.steps = 0
        return self._observe(), {}

    def step(self, action: np.ndarray):
        self.position = np.clip(self.position + 0.2 * np.clip(action, -1, 1), -1.2, 1.2)
        self.steps += 1
        observation = self._observe()
        reward = self.judged(observation)
        return observation, reward, self.success_ends and reward > 0, self.steps >= self.length, {}

    def judged(self, observation: dict[str, np.ndarray]) -> float:
        return float(self.compute_reward(observation["achieved_goal"], observation["desired_goal"], {}))

    def compute_reward(self, achieved: np.ndarray, desired: np.ndarray, info: dict[str, Any]) -> np.ndarray:
        return (np.linalg.norm(achieved - desired, axis=-1) < 0.15).astype(np.float32)

    def _observe(self) -> dict[str, np.ndarray]:
        position = self.position.astype(np.float32)
        return {"proprio": position, "achieved_goal": position, "desired_goal": self.goal.astype(np.float32)}
