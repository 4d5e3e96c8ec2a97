"""Actions in [-1, 1], checked before they reach a body."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import ArrayLike

_MOST_INTEGERS = 2**53
"""Beyond, a float64 does not know them all."""


class NormalizedAction(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Takes actions in `Box(-1, 1)` float32 (n,) and maps them linearly onto the bounds of the wrapped body.

    Where the body takes integers, [-1, 1] is cut into equal shares, one an integer: of [0, 1], 0 is below zero.
    Entries beyond [-1, 1] are clipped; `info["clipped_actions"]` counts the actions this happened to since the
    episode began.

    Raises:
        ValueError: the wrapped action space is not a `Box` of finite bounds, or empty; in `step`, an action of another
            shape or with NaN or Inf.
    """

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        super().__init__(env)
        space = finite_box(env.action_space)
        self._native_space, self._is_whole = space, space.dtype.kind in "biu"
        self._low, self._span = space.low.astype(np.float64), _span(space)
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
        share = (clipped.reshape(self._native_space.shape) + 1) / 2
        if self._is_whole:
            native = self._low + np.minimum(np.floor(share * (self._span + 1)), self._span)
        else:
            native = np.clip(self._low + share * self._span, self._native_space.low, self._native_space.high)
        return np.asarray(native, self._native_space.dtype)


def finite_box(space: gymnasium.Space[Any]) -> gymnasium.spaces.Box:
    """An action space whose actions can be scaled.

    Raises:
        ValueError: it is no `Box`, has infinite bounds, or is empty.
    """
    if not isinstance(space, gymnasium.spaces.Box):
        raise ValueError(f"the action space is {space}, expected a Box: choose a world with continuous actions")
    span = _span(space)
    if not space.is_bounded() or not np.all(span < (_MOST_INTEGERS if space.dtype.kind in "biu" else np.inf)):
        raise ValueError(f"the action space {space} has infinite bounds, expected finite ones: wrap it to bound it")
    if not span.size:
        raise ValueError(f"the action space {space} is empty, expected an action of at least one number")
    return space


def _span(space: gymnasium.spaces.Box) -> np.ndarray[Any, Any]:
    with np.errstate(over="ignore", invalid="ignore"):
        return space.high.astype(np.float64) - space.low.astype(np.float64)
