"""One decision lasts several control frames."""

from __future__ import annotations

from typing import Any

import gymnasium


class ActionRepeat(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Repeats each action `repeat` times, or until the episode ends, and sums the reward.

    `info["frames"]` is how many control frames the step lasted; `metadata` follows: `control_dt` (seconds) and
    `frames_per_step` are per decision.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], repeat: int) -> None:
        super().__init__(env)
        self._repeat = repeat
        control_dt = env.metadata["control_dt"] * repeat
        self.metadata = {
            **env.metadata,
            "control_dt": control_dt,
            "frames_per_step": repeat,
            "render_fps": max(1, round(1 / control_dt)),
        }
        if repeat > 1 and "action_meaning" in env.metadata:
            self.metadata["action_meaning"] = f"{env.metadata['action_meaning']}; in each of {repeat} frames"

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """The last observation, the summed reward, and whether the episode ended on the way."""
        total = 0.0
        for frames in range(1, self._repeat + 1):  # noqa: B007
            observation, reward, terminated, truncated, info = self.env.step(action)
            total += float(reward)
            if terminated or truncated:
                break
        return observation, total, terminated, truncated, {**info, "frames": frames}
