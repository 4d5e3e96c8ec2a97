"""The task `so101/reach` in a body that others made."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import ArrayLike, NDArray

from robot_agent_sim.mujoco_env import VIDEO_SIZE, Observation, checked_action, checked_view
from robot_agent_sim.so101.tasks import ReachEnv


class ReachElsewhere(gymnasium.Env[Observation, NDArray[np.float32]]):
    """`so101/reach` (see `ReachEnv`) whose arm, servos, physics and pictures are somebody else's.

    Ours are the task and the streams: where an episode begins and where its marker is, which are those of `ReachEnv`
    for the same seed, what an action moves, what is felt, and what is rewarded. A subclass has the body: it holds its
    joints in the order and with the zeros of `arm.JOINTS`, and its tip is that of the fixed jaw. `info` has `frames`,
    `clipped_actions` and `success`.

    Args:
        streams: of `camera` and `proprio`.
        camera_size: (height, width) in pixels of `camera/overhead`, which stands and looks as ours does.
        action_repeat: frames that an action lasts, rewards summed.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"]}  # noqa: RUF012
    render_mode: str | None = "rgb_array"

    def __init__(
        self,
        streams: Sequence[str] = ("camera", "proprio"),
        camera_size: tuple[int, int] = (64, 64),
        action_repeat: int = 1,
    ) -> None:
        checked_view({"streams": streams, "camera_size": camera_size})
        self.task = ReachEnv(streams=("proprio",))
        self.action_repeat = action_repeat
        self._size = (int(camera_size[0]), int(camera_size[1]))
        self._streams = tuple(streams)
        self._command = self._reading = self._last_reading = np.zeros(0)
        self._frames = self._clipped = 0
        self.action_space = self.task.action_space
        own = self.task.observation_space.spaces
        spaces = {name: space for name, space in own.items() if name != "proprio" or "proprio" in streams}
        if "camera" in streams:
            spaces["camera/overhead"] = gymnasium.spaces.Box(0, 255, (*self._size, 3), np.uint8)
        self.observation_space: gymnasium.spaces.Dict = gymnasium.spaces.Dict(spaces)  # type: ignore[assignment]
        frame = float(self.task.metadata["control_dt"])
        self.metadata = {
            **self.task.metadata,
            "control_dt": frame * action_repeat,
            "frames_per_step": action_repeat,
            "render_fps": max(1, round(1 / (frame * action_repeat))),
        }

    # ---- the body ----

    @abstractmethod
    def _put(self, positions: NDArray[np.float64], goal: NDArray[np.float64]) -> None:
        """Puts the joints (6,) rad at rest, commanded to stay, and the marker at a place (3,) m."""

    @abstractmethod
    def _move(self, command: NDArray[np.float64], seconds: float) -> None:
        """Goes on for some seconds with commanded joint positions (6,) rad."""

    @abstractmethod
    def _positions(self) -> NDArray[np.float64]:
        """Joint positions (6,) rad."""

    @abstractmethod
    def _tip(self) -> NDArray[np.float64]:
        """The tip of the fixed jaw (3,) m, in the frame of the arm's base."""

    @abstractmethod
    def _picture(self, size: tuple[int, int]) -> NDArray[np.uint8]:
        """What a camera sees that stands where our overhead camera stands, `size` (height, width) in pixels."""

    # ---- the common form ----

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Starts the episode that `ReachEnv` starts with the same seed."""
        super().reset(seed=seed)
        self.task.reset(seed=seed, options=options)
        self._command = self.task.data.ctrl.copy()
        self._frames = self._clipped = 0
        self._put(self._command, self.task.goal)
        self._reading = self._last_reading = self.task.reading(self._positions())
        return self._observe(), {"clipped_actions": 0, "success": False}

    def step(self, action: ArrayLike) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """An action, for as many frames as it lasts."""
        within, clipped = checked_action(action, self.action_space.shape or ())
        total, success, frames = 0.0, False, 0
        for frames in range(1, self.action_repeat + 1):  # noqa: B007
            self._clipped += clipped
            self._command = self.task.commanded(self._command, within)
            self._move(self._command, float(self.task.metadata["control_dt"]))
            self._last_reading, self._reading = self._reading, self.task.reading(self._positions())
            reward, success = (value.item() for value in self.task.judged(self._tip(), self.task.goal))
            total += reward
            self._frames += 1
            if self._frames >= self.task.episode_steps:
                break
        over = self._frames >= self.task.episode_steps
        info = {"frames": frames, "clipped_actions": self._clipped, "success": success}
        return self._observe(), total, False, over, info

    def _observe(self) -> Observation:
        observation: Observation = {
            "achieved_goal": self._tip().astype(np.float32),
            "desired_goal": self.task.goal.astype(np.float32),
        }
        if "camera" in self._streams:
            observation["camera/overhead"] = self._picture(self._size)
        if "proprio" in self._streams:
            observation["proprio"] = self.task.felt(self._reading, self._last_reading, self._command)
        return observation

    def compute_reward(self, achieved: NDArray[Any], desired: NDArray[Any], info: Any) -> NDArray[np.float32]:
        """See `ReachEnv`."""
        return self.task.compute_reward(achieved, desired, info)

    def render(self) -> NDArray[np.uint8]:
        """A frame for a video, 240×320."""
        return self._picture(VIDEO_SIZE)

    def close(self) -> None:
        """Frees what the body holds."""
        self.task.close()
