"""What is observed may be some frames old."""

from __future__ import annotations

from typing import Any

import gymnasium

from robot_agent_sim.late import Late

GOALS = ("achieved_goal", "desired_goal")


class LateObservation(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Delivers what was observed `sensor_delay` seconds ago, to the frame; goals are not sensed, so never old.

    `sensor_delay` is 0 at first and may be changed at any time, as `Drift` does. Worlds that are made here have the
    same attribute and need no wrapper: they know what happens within a frame.
    """

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        super().__init__(env)
        self.sensor_delay = 0.0
        self._late = Late()

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Starts an episode; nothing of an earlier one is delivered."""
        observation, info = self.env.reset(seed=seed, options=options)
        return self._late.begin(observation), info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """One frame."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        frames = round(self.sensor_delay / self.env.metadata["control_dt"])
        old = self._late.deliver(observation, frames)
        fresh = {name: observation[name] for name in GOALS if name in observation}
        return {**old, **fresh}, float(reward), terminated, truncated, info
