"""What the worlds that are made here have in common: one MuJoCo model, stepped at a control rate."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, TypedDict

import gymnasium
import mujoco
import numpy as np
from numpy.typing import ArrayLike, NDArray

from robot_agent_sim.cameras.rig import CameraRig
from robot_agent_sim.late import Late

VIDEO_SIZE = (240, 320)

Observation = dict[str, NDArray[Any]]


class View(TypedDict, total=False):
    """What is observed of a world: arguments of `MujocoEnv` that all worlds take."""

    streams: Sequence[str]
    cameras: Sequence[str]
    camera_size: tuple[int, int]
    camera_backend: str | None
    render_mode: str | None


def checked_view(view: View) -> None:
    """Refuses what cannot be observed.

    Raises:
        ValueError: a stream, a size or a way of rendering that there is not.
    """
    streams = view.get("streams", ("proprio",))
    if isinstance(streams, str) or not streams or not set(streams) <= {"camera", "proprio"}:
        raise ValueError(f"streams is {streams!r}, expected one or both of camera, proprio")
    size = view.get("camera_size", (64, 64))
    if len(size) != 2 or min(size) < 1:
        raise ValueError(f"camera_size is {size}, expected (height, width) in pixels")
    if isinstance(view.get("cameras"), str):
        raise ValueError(f"cameras is {view['cameras']!r}, expected names in a tuple")
    unknown = sorted(set(view) - set(View.__annotations__))
    if unknown:
        raise ValueError(f"unknown option {unknown[0]!r}, expected one of {', '.join(View.__annotations__)}")
    mode = view.get("render_mode")
    if mode not in ("rgb_array", None):
        raise ValueError(f"render_mode is {mode!r}, expected rgb_array: `robot-agent watch` shows a world live")


def with_cameras(view: View, *cameras: str) -> View:
    """The view with these cameras, unless it names its own."""
    return {"cameras": cameras, **view}


def checked_action(action: ArrayLike, shape: tuple[int, ...]) -> tuple[NDArray[np.float32], bool]:
    """An action within [-1, 1], and whether it had to be clipped.

    Raises:
        ValueError: an action of another shape, or with NaN or Inf.
    """
    wanted = np.asarray(action, dtype=np.float32)
    if wanted.shape != shape:
        raise ValueError(f"the action has shape {wanted.shape}, expected {shape}")
    largest = np.abs(wanted).max()
    if largest <= 1.0:
        return wanted, False
    if not np.isfinite(largest):
        raise ValueError(f"the action is {wanted.tolist()}, expected finite numbers in [-1, 1]")
    return np.clip(wanted, -1.0, 1.0), True


class MujocoEnv(gymnasium.Env[Observation, NDArray[np.float32]]):
    """A world of one agent in the common form (see `robot_agent_sim.make`), without a wrapper around it.

    A subclass says what acting (`_act`), feeling (`_proprio`), starting (`_begin`) and succeeding (`_judge`) are, and
    for a goal world what its `_goals` are. `info` has `frames`, `clipped_actions` (since the
    episode began), `success` (now) and `state`, the simulator's true qpos then qvel (m, rad, m/s, rad/s).

    Args:
        model: is kept, and may be changed between steps; call `model_changed` then.
        action_dim: entries of an action.
        control_dt: seconds between two actions; the model's timestep is changed a little to divide it.
        episode_steps: control steps after which an episode is truncated.
        streams: of `camera` and `proprio`.
        cameras: names of the model's cameras that are observed, each as `camera/<name>`.
        camera_size: (height, width) in pixels.
        camera_backend: see `robot_agent_sim.make`.
        render_mode: `rgb_array`, or None for the same.

    Raises:
        ValueError: a stream or a way of rendering that there is not.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"]}  # noqa: RUF012
    render_mode = "rgb_array"
    goal_dim = 0
    """Entries of the goals; 0 in a world without goals."""

    def __init__(
        self,
        model: mujoco.MjModel,
        action_dim: int,
        control_dt: float,
        episode_steps: int,
        streams: Sequence[str] = ("camera", "proprio"),
        cameras: Sequence[str] = (),
        camera_size: tuple[int, int] = (64, 64),
        camera_backend: str | None = None,
        render_mode: str | None = "rgb_array",
    ) -> None:
        checked_view({"streams": streams, "cameras": cameras, "camera_size": camera_size, "render_mode": render_mode})
        there = [model.camera(index).name for index in range(model.ncam)]
        missing = [name for name in cameras if name not in there]
        if missing:
            raise ValueError(f"there is no camera {missing[0]!r}, expected some of {', '.join(there)}")
        if not 0 < control_dt < np.inf or episode_steps < 1:
            raise ValueError(
                f"control_dt is {control_dt} s and episode_steps {episode_steps}, expected positive numbers"
            )
        self.model = model
        self.data = mujoco.MjData(model)
        self.physics_steps = max(1, round(control_dt / model.opt.timestep))
        model.opt.timestep = control_dt / self.physics_steps
        self.episode_steps = episode_steps
        self.steps = 0
        self.sensor_delay = 0.0
        self.unseen = False
        self._late = Late()
        self._cameras = tuple(cameras) if "camera" in streams else ()
        self._camera_size = (int(camera_size[0]), int(camera_size[1]))
        self._rig = CameraRig(self.model, self.data, camera_backend)
        self._feels = "proprio" in streams
        self._clipped = 0
        self._shape = (action_dim,)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, self._shape, np.float32)
        spaces: dict[str, gymnasium.Space[Any]] = {
            f"camera/{name}": gymnasium.spaces.Box(0, 255, (*camera_size, 3), np.uint8) for name in self._cameras
        }
        if self._feels:
            spaces["proprio"] = gymnasium.spaces.Box(-np.inf, np.inf, self._proprio().shape, np.float32)
        if self.goal_dim:
            for name in ("achieved_goal", "desired_goal"):
                spaces[name] = gymnasium.spaces.Box(-np.inf, np.inf, (self.goal_dim,), np.float32)
        self.observation_space: gymnasium.spaces.Dict = gymnasium.spaces.Dict(spaces)  # type: ignore[assignment]
        self.metadata = {
            "render_modes": ["rgb_array"],
            "render_fps": round(1 / control_dt),
            "control_dt": control_dt,
            "frames_per_step": 1,
            "action_meaning": self.action_meaning(),
        }

    # ---- what a world says of itself ----

    @abstractmethod
    def action_meaning(self) -> str:
        """What an action does, with units."""

    @abstractmethod
    def _begin(self, rng: np.random.Generator) -> None:
        """Puts the freshly reset `data` where an episode begins."""

    @abstractmethod
    def _act(self, action: NDArray[np.float32]) -> None:
        """Writes `data.ctrl` from an action in [-1, 1]."""

    @abstractmethod
    def _proprio(self) -> NDArray[np.float32]:
        """What the body feels, float32 (n,)."""

    @abstractmethod
    def _judge(self) -> tuple[float, bool]:
        """The reward of this step, and whether the task is done now."""

    def _goals(self) -> Observation:
        """A goal world's `achieved_goal` and `desired_goal`, float32 `(goal_dim,)`."""
        return {}

    def achieved_with(self, positions: ArrayLike) -> NDArray[np.float32]:
        """The `achieved_goal` of a body whose joints, in the order of the actuators, are at these positions (rad).

        For a copy of the world beside a real body: it moves this one.

        Raises:
            ValueError: there are other things than these joints that move, and nobody knows where they are.
        """
        at = self.model.jnt_qposadr[self.model.actuator_trnid[:, 0]]
        if not self.goal_dim or len(at) != self.model.nq:
            raise ValueError(f"what {type(self).__name__} achieves cannot be told from its joints alone")
        self.data.qpos[at] = positions
        mujoco.mj_kinematics(self.model, self.data)
        return self._goals()["achieved_goal"]

    # ---- the common form ----

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Starts an episode; the same seed gives the same one whatever came before.

        Raises:
            ValueError: options, of which there are none.
        """
        if options:
            raise ValueError(f"options are {options}, expected none: this world has none")
        self.place(seed)
        observation = self._with_goals(self._late.begin(self._sense(render=True)))
        return observation, {"clipped_actions": 0, "success": False, "state": self._state()}

    def place(self, seed: int | None = None) -> None:
        """Puts everything where an episode begins and draws nothing, so that another thread than draws may call it."""
        super().reset(seed=seed)
        mujoco.mj_resetData(self.model, self.data)
        self.steps = self._clipped = 0
        self._begin(self.np_random)
        mujoco.mj_forward(self.model, self.data)

    def step(self, action: ArrayLike) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """One control step; entries of the action beyond [-1, 1] are clipped and counted.

        Raises:
            ValueError: an action of another shape, or with NaN or Inf.
        """
        within, clipped = checked_action(action, self._shape)
        self._clipped += clipped
        self._act(within)
        self.steps += 1
        over = self.steps >= self.episode_steps
        # What is as old as the delay is what was sensed some frames ago, some physics steps before the frame's end.
        late, early = divmod(round(self.sensor_delay / self.model.opt.timestep), self.physics_steps)
        mujoco.mj_step(self.model, self.data, self.physics_steps - early)
        observation = self._sense(render=over or not self.unseen)
        if early:
            mujoco.mj_step(self.model, self.data, early)
        if over or not self.unseen:
            observation = self._late.deliver(observation, late)
        reward, success = self._judge()
        info = {"frames": 1, "clipped_actions": self._clipped, "success": success, "state": self._state()}
        return self._with_goals(observation), reward, False, over, info

    def _sense(self, render: bool) -> Observation:
        observation: Observation = {}
        if render:
            observation = {f"camera/{name}": self.image(name, self._camera_size) for name in self._cameras}
        if self._feels:
            observation["proprio"] = self._proprio()
        return observation

    def _with_goals(self, observation: Observation) -> Observation:
        return observation | self._goals() if self.goal_dim else observation

    def _state(self) -> NDArray[np.float64]:
        return np.concatenate((self.data.qpos, self.data.qvel))

    # ---- pictures ----

    def image(self, camera: str, size: tuple[int, int]) -> NDArray[np.uint8]:
        """What a camera of the model sees now, `size` (height, width) in pixels."""
        return self._rig.image(camera, size)

    def render(self) -> NDArray[np.uint8]:
        """A frame for a video, 240×320, from the model's first camera."""
        return self.image(self.model.camera(0).name, VIDEO_SIZE)

    def model_changed(self) -> None:
        """To be called after something was written to `model`."""
        self._rig.reload()

    def close(self) -> None:
        """Frees the cameras."""
        self._rig.close()
