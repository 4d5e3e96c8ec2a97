"""dm_control's suite as gymnasium environments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import mujoco
import numpy as np
from gymnasium.wrappers import FilterObservation
from numpy.typing import NDArray

from robot_agent_sim.cameras.camera import Camera, open_camera
from robot_agent_sim.cameras.platform import prepare_gl_process
from robot_agent_sim.wrappers.action_repeat import ActionRepeat
from robot_agent_sim.wrappers.camera_observation import CameraObservation
from robot_agent_sim.wrappers.changed_command import ChangedCommand
from robot_agent_sim.wrappers.late_observation import LateObservation
from robot_agent_sim.wrappers.normalized_action import NormalizedAction

EPISODE_FRAMES = 1000
VIDEO_SIZE = (240, 320)
_CAMERA_ID = 0


def make_dm_control(
    domain: str, task: str, streams: Sequence[str], camera_size: tuple[int, int], action_repeat: int, backend: str
) -> gymnasium.Env[Any, Any]:
    """A task of the suite in the common form (see `robot_agent_sim.make`)."""
    body = DmControlEnv(domain, task, camera_backend=backend)
    env: gymnasium.Env[Any, Any] = body
    if "camera" in streams:
        env = CameraObservation(env, "camera/main", camera_size, lambda: body.image(camera_size))
    env = ActionRepeat(ChangedCommand(LateObservation(env)), action_repeat)
    if "proprio" not in streams:
        env = FilterObservation(env, ["camera/main"])
    return NormalizedAction(env)


class DmControlEnv(gymnasium.Env[Any, NDArray[np.float64]]):
    """One task of dm_control's suite, frame by frame.

    Observation `proprio` float32 (n,): dm_control's observations, flattened in their order. Action float64 (n,) in
    the actuators' control limits; an actuator without limits gets [-1, 1]. An episode is truncated after 1000
    control frames, as the suite does, and terminated where the task ends with discount 0. `info["state"]` is the
    simulator's true state, qpos then qvel (m, rad, m/s, rad/s), float64.

    The body is the same in every episode and process: where dm_control draws it (`lqr`), it is drawn from seed 0.
    """

    render_mode = "rgb_array"

    def __init__(self, domain: str, task: str, camera_backend: str = "auto") -> None:
        prepare_gl_process()
        from dm_control import suite

        self._env = suite.load(domain, task, task_kwargs={"random": 0})
        self._physics = self._env.physics
        # dm_control opens a GL context of its own to show changed terrain; our cameras reload it themselves.
        self._physics._make_rendering_contexts = lambda: None
        self._camera_backend = camera_backend
        self._cameras: dict[tuple[int, int], Camera] = {}
        self._frames = 0
        model = self._physics.model.ptr
        low, high = _control_limits(model)
        self.action_space = gymnasium.spaces.Box(low, high, dtype=np.float64)
        width = len(_flatten(self._env.reset().observation))
        self.observation_space = gymnasium.spaces.Dict(
            {"proprio": gymnasium.spaces.Box(-np.inf, np.inf, (width,), np.float32)}
        )
        control_dt = self._env.control_timestep()
        self.metadata = {
            "render_modes": ["rgb_array"],
            "render_fps": round(1 / control_dt),
            "control_dt": control_dt,
            "frames_per_step": 1,
            "action_meaning": _action_meaning(model),
        }

    @property
    def model(self) -> mujoco.MjModel:
        """For what changes it; call `model_changed` then."""
        return self._physics.model.ptr

    def model_changed(self) -> None:
        """To be called after something was written to `model`."""
        for camera in self._cameras.values():
            camera.reload()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, NDArray[np.float32]], dict[str, Any]]:
        """Starts an episode; the same seed gives the same one whatever came before."""
        super().reset(seed=seed)
        # dm_control's tasks draw from a RandomState, which gymnasium's generator is not.
        self._env.task._random = np.random.RandomState(self.np_random.integers(2**32, dtype=np.uint64))
        timestep = self._env.reset()
        self._frames = 0
        self.model_changed()
        return {"proprio": _flatten(timestep.observation)}, {"state": self._state()}

    def step(
        self, action: NDArray[np.float64]
    ) -> tuple[dict[str, NDArray[np.float32]], float, bool, bool, dict[str, Any]]:
        """One control frame."""
        timestep = self._env.step(action)
        self._frames += 1
        terminated = bool(timestep.last() and timestep.discount == 0.0)
        truncated = not terminated and bool(timestep.last() or self._frames >= EPISODE_FRAMES)
        observation = {"proprio": _flatten(timestep.observation)}
        return observation, float(timestep.reward), terminated, truncated, {"state": self._state()}

    def image(self, size: tuple[int, int]) -> NDArray[np.uint8]:
        """What the task's first camera sees now, `size` (height, width) in pixels."""
        if size not in self._cameras:
            model, data = self._physics.model.ptr, self._physics.data.ptr
            self._cameras[size] = open_camera(model, data, _CAMERA_ID, size, self._camera_backend)
        return self._cameras[size].render()

    def render(self) -> NDArray[np.uint8]:
        """A frame for a video, 240×320."""
        return self.image(VIDEO_SIZE)

    def close(self) -> None:
        """Frees the cameras."""
        while self._cameras:
            self._cameras.popitem()[1].close()

    def _state(self) -> NDArray[np.float64]:
        return np.concatenate([self._physics.data.qpos, self._physics.data.qvel])


def _flatten(observation: Mapping[str, Any]) -> NDArray[np.float32]:
    return np.concatenate([np.ravel(value) for value in observation.values()]).astype(np.float32)


def _control_limits(model: mujoco.MjModel) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    limited = model.actuator_ctrllimited.astype(bool)
    low = np.where(limited, model.actuator_ctrlrange[:, 0], -1.0)
    high = np.where(limited, model.actuator_ctrlrange[:, 1], 1.0)
    return low, high


def _action_meaning(model: mujoco.MjModel) -> str:
    parts = (f"{model.actuator(index).name} ({_span(model, index)})" for index in range(model.nu))
    return f"each entry in [-1, 1] spans the control range of one actuator: {', '.join(parts)}"


def _span(model: mujoco.MjModel, index: int) -> str:
    """What the control range of an actuator stands for, in its unit."""
    low, high = (float(limit[index]) for limit in _control_limits(model))
    direct = model.actuator_biastype[index] == int(mujoco.mjtBias.mjBIAS_NONE)
    fixed_gain = model.actuator_gaintype[index] == int(mujoco.mjtGain.mjGAIN_FIXED)
    if not (direct and fixed_gain):
        return f"set point {low:g} to {high:g}"
    scale = float(model.actuator_gainprm[index, 0] * model.actuator_gear[index, 0])
    unit = "N"
    if model.actuator_trntype[index] == int(mujoco.mjtTrn.mjTRN_JOINT):
        joint = model.actuator_trnid[index, 0]
        unit = "N·m" if model.jnt_type[joint] == int(mujoco.mjtJoint.mjJNT_HINGE) else "N"
    return f"{low * scale:g} to {high * scale:g} {unit}"
