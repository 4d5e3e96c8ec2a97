"""The same for a world that several agents share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pettingzoo import ParallelEnv
from pettingzoo.utils import BaseParallelWrapper

from robot_agent_sim.drift.change import Change, Range
from robot_agent_sim.drift.changing import ChangingWorld


class ParallelDrift(BaseParallelWrapper):
    """A shared world that changes as `Drift` says; no agent is told, each one's `info["drift"]` is for people.

    There is no opponent that could change: whoever gives the actions decides how each agent behaves.

    Args:
        env: an arena, which nothing else changes.
        changes, ranges, seed: see `Drift`.

    Raises:
        ValueError: a change that this world cannot have, or a world that drifts already.
    """

    def __init__(
        self,
        env: ParallelEnv[Any, Any, Any],
        changes: Sequence[Change] = (),
        ranges: Sequence[Range] = (),
        seed: int = 0,
    ) -> None:
        super().__init__(env)
        self.life_steps = 0
        self._rng = np.random.default_rng(seed)
        world = env.unwrapped
        self._changing = ChangingWorld(world, world if hasattr(world, "sensor_delay") else None, None, changes, ranges)
        self._changing.apply(self.life_steps)

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Starts an episode; a seed also starts the draws anew, but not the schedule."""
        if seed is not None:
            self._rng = np.random.default_rng(seed)
        self._changing.draw(self._rng)
        self._changing.apply(self.life_steps)
        observations, infos = self.env.reset(seed, options)
        return observations, self._told(infos)

    def step(self, actions: Mapping[str, Any]) -> tuple[Any, Any, Any, Any, dict[str, dict[str, Any]]]:
        """One control step of all in the world as it is now."""
        self._changing.apply(self.life_steps)
        observations, rewards, terminated, truncated, infos = self.env.step(actions)
        self.life_steps += 1
        return observations, rewards, terminated, truncated, self._told(infos)

    def restore(self) -> None:
        """Makes the world as it was made, for whoever lives in it next."""
        self._changing.restore()

    def _told(self, infos: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        drift = self._changing.values()
        return {agent: {**info, "drift": dict(drift)} for agent, info in infos.items()}
