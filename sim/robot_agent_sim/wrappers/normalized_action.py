"""Actions in [-1, 1], checked before they reach a body."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import ArrayLike


class NormalizedAction(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Takes actions in `Box(-1, 1)` float32 (n,) and maps them linearly onto the bounds of the wrapped body.

    Entries beyond [-1, 1] are clipped; `info["clipped_actions"]` counts the actions this happened to since the
    episode began.

    Raises:
        ValueError: the wrapped action space is not a `Box` of finite bounds; in `step`, an action of another shape
            or with NaN or Inf.
    """

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        super().__init__(env)
        space = env.action_space
        if not isinstance(space, gymnasium.spaces.Box):
            raise ValueError(f"the action space is {space}, expected a Box: choose a world with continuous actions")
        if not (np.all(np.isfinite(space.low)) and np.all(np.isfinite(space.high))):
            raise ValueError(f"the action space {space} has infinite bounds, expected finite ones: wrap it to bound it")
        low, high = space.low.astype(np.float64), space.high.astype(np.float64)
        self._native_space = space
        self._middle, self._half_range = (low + high) / 2, (high - low) / 2
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (int(np.prod(space.shape)),), np.float32)
        self._clipped_actions = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Starts an episode and the count of clipped actions."""
        self._clipped_actions = 0
        observation, info = self.env.reset(seed=seed, options=options)
        return observation, {**info, "clipped_actions": 0}

    def step(self, action: ArrayLike) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Steps with the action mapped to the body's own bounds."""
        native = self._native_action(np.asarray(action, dtype=np.float64))
        observation, reward, terminated, truncated, info = self.env.step(native)
        info = {**info, "clipped_actions": self._clipped_actions}
        return observation, float(reward), terminated, truncated, info

    def _native_action(self, action: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        if action.shape != self.action_space.shape:
            raise ValueError(f"the action has shape {action.shape}, expected {self.action_space.shape}")
        if not np.all(np.isfinite(action)):
            raise ValueError(f"the action is {action.tolist()}, expected finite numbers in [-1, 1]")
        clipped = np.clip(action, -1.0, 1.0)
        self._clipped_actions += int(np.any(clipped != action))
        native = self._middle + self._half_range * clipped.reshape(self._native_space.shape)
        return np.clip(native, self._native_space.low, self._native_space.high).astype(self._native_space.dtype)
