"""Adds a camera image to the observation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray


class CameraObservation(gymnasium.ObservationWrapper[Any, Any, Any]):
    """Adds `key` uint8 (height, width, 3): the image that `take_image` returns after each reset and step."""

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
        image = gymnasium.spaces.Box(0, 255, (*size, 3), np.uint8)
        self.observation_space = gymnasium.spaces.Dict({key: image, **env.observation_space.spaces})

    def observation(self, observation: Any) -> dict[str, NDArray[Any]]:
        """The observation with the image of this moment."""
        return {self._key: self._take_image(), **observation}
