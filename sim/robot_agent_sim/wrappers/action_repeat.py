"""One decision lasts several control frames."""

from __future__ import annotations

from typing import Any

import gymnasium

from robot_agent_sim.wrappers.layers import layer_with


class ActionRepeat(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Repeats each action `repeat` times, or until the episode ends, and sums the reward.

    `info["frames"]` is how many control frames the step lasted; `metadata` follows: `control_dt` (seconds) and
    `frames_per_step` are per decision. Frames in between, which nobody sees, are not rendered where the world can leave
    that out: it has an attribute `unseen` then.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], repeat: int) -> None:
        super().__init__(env)
        self._repeat = repeat
        self._eyes, self._senses = layer_with(env, "unseen"), layer_with(env, "sensor_delay")
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
        # With a delay, a frame in between may be the one that is seen later.
        late = self._senses is not None and self._senses.sensor_delay > 0
        for frames in range(1, self._repeat + 1):
            if self._eyes is not None:
                self._eyes.unseen = frames < self._repeat and not late
            observation, reward, terminated, truncated, info = self.env.step(action)
            total += float(reward)
            if terminated or truncated:
                break
        if self._eyes is not None:
            self._eyes.unseen = False
        return observation, total, terminated, truncated, {**info, "frames": frames}
