"""Adds a camera image to the observation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray


class CameraObservation(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Adds `key` uint8 (height, width, 3): the image that `take_image` returns after each reset and step.

    While `unseen` is set, a step that does not end the episode takes none, and its observation has no `key`.
    """

    def __init__(
        self,
        env: gymnasium.Env[Any, Any],
        key: str,
        size: tuple[int, int],
        take_image: Callable[[], NDArray[np.uint8]],
    ) -> None:
        super().__init__(env)
        if not isinstance(env.observation_space, gymnasium.spaces.Dict):
            raise ValueError(f"the observation space is {env.observation_space}, expected a flat Dict")
        self._key, self._take_image = key, take_image
        self.unseen = False
        image = gymnasium.spaces.Box(0, 255, (*size, 3), np.uint8)
        self.observation_space = gymnasium.spaces.Dict({key: image, **env.observation_space.spaces})

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Starts an episode and takes the first image."""
        observation, info = self.env.reset(seed=seed, options=options)
        return {self._key: self._take_image(), **observation}, info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """A step, and the image after it."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        if terminated or truncated or not self.unseen:
            observation = {self._key: self._take_image(), **observation}
        return observation, float(reward), terminated, truncated, info
