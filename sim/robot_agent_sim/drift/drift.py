"""Wraps any MuJoCo world and changes it while the stream of episodes goes on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np

from robot_agent_sim.drift.change import Change, Range
from robot_agent_sim.drift.changing import ChangingWorld
from robot_agent_sim.wrappers.layers import layer_with


class Drift(gymnasium.Wrapper[Any, Any, Any, Any]):
    """A world whose model changes on a schedule, or from episode to episode, or both; the agent is not told.

    The schedule counts control steps of the life: episodes do not reset it. `info["drift"]` has, by name, what
    differs now from the world as it was made. The same changes, ranges and seed give the same life.

    Args:
        env: a world that nothing else changes; most changes need its MuJoCo model, those of commands need none.
        changes: on a schedule; those of the same field add up in their order.
        ranges: drawn at each reset.
        seed: of the draws.

    Raises:
        ValueError: a change that this world cannot have, or a world that drifts already.
    """

    def __init__(
        self, env: gymnasium.Env[Any, Any], changes: Sequence[Change] = (), ranges: Sequence[Range] = (), seed: int = 0
    ) -> None:
        super().__init__(env)
        self.life_steps = 0
        self._rng = np.random.default_rng(seed)
        self._changing = ChangingWorld(
            env.unwrapped, layer_with(env, "sensor_delay"), layer_with(env, "moved_by"), changes, ranges
        )
        self._changing.apply(self.life_steps)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Starts an episode; a seed also starts the draws anew, but not the schedule."""
        if seed is not None:
            self._rng = np.random.default_rng(seed)
        self._changing.draw(self._rng)
        self._changing.apply(self.life_steps)
        observation, info = self.env.reset(seed=seed, options=options)
        self._changing.write()  # some of dm_control's tasks write into their model when an episode begins
        return observation, {**info, "drift": self._changing.values()}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """One control step in the world as it is now."""
        self._changing.apply(self.life_steps)
        observation, reward, terminated, truncated, info = self.env.step(action)
        self.life_steps += 1
        return observation, float(reward), terminated, truncated, {**info, "drift": self._changing.values()}

    def restore(self) -> None:
        """Makes the world as it was made, for whoever lives in it next."""
        self._changing.restore()
