"""What a body is commanded may be late, reversed, or meant for another actuator."""

from __future__ import annotations

from collections import deque
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import ArrayLike, NDArray

from robot_agent_sim.wrappers.normalized_action import finite_box


class ChangedCommand(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Changes each command on its way to the body, frame by frame; as made, it changes nothing.

    Attributes:
        late_by: seconds from a command to the body, rounded to frames. Until the first command of an episode arrives,
            the body has the middle of its bounds.
        reversed_entries: bool (n,), entries that are mirrored about the middle of their bounds.
        moved_by: entry `i` of a command goes to entry `i + moved_by`, counted round, scaled to the bounds there.
    """

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        super().__init__(env)
        self._space = finite_box(env.action_space)
        self._low = self._space.low.astype(np.float64)
        self._span = self._space.high.astype(np.float64) - self._low
        self.late_by = 0.0
        self.reversed_entries = np.zeros(self._low.size, np.bool_)
        self.moved_by = 0
        self._under_way: deque[NDArray[Any]] = deque()

    def change_nothing(self) -> None:
        """Lets commands through as they are given."""
        self.late_by, self.moved_by = 0.0, 0
        self.reversed_entries[:] = False

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Starts an episode; no command of an earlier one is under way."""
        self._under_way.clear()
        return self.env.reset(seed=seed, options=options)

    def step(self, action: ArrayLike) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """One frame with the command that arrives in it."""
        observation, reward, terminated, truncated, info = self.env.step(self._arriving(self._changed(action)))
        return observation, float(reward), terminated, truncated, info

    def _changed(self, action: ArrayLike) -> ArrayLike:
        if not self.moved_by and not self.reversed_entries.any():
            return action
        share = (np.asarray(action, np.float64) - self._low) / np.where(self._span > 0, self._span, 1)
        moved = np.roll(share.reshape(-1), self.moved_by)
        changed = np.where(self.reversed_entries, 1 - moved, moved)
        return self._native(self._low + changed.reshape(self._low.shape) * self._span)

    def _arriving(self, action: ArrayLike) -> ArrayLike:
        frames = round(self.late_by / self.env.metadata["control_dt"])
        if not frames and not self._under_way:
            return action
        self._under_way.append(np.array(action))
        while len(self._under_way) > frames + 1:
            self._under_way.popleft()
        if len(self._under_way) == frames + 1:
            return self._under_way[0]
        return self._native(self._low + 0.5 * self._span)

    def _native(self, action: NDArray[np.float64]) -> NDArray[Any]:
        return np.asarray(np.rint(action) if self._space.dtype.kind in "biu" else action, self._space.dtype)
