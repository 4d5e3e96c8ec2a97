"""Two rovers in one arena, as a PettingZoo `ParallelEnv`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Unpack

import gymnasium
import mujoco
import numpy as np
from numpy.typing import ArrayLike, NDArray
from pettingzoo import ParallelEnv

from robot_agent_sim.cameras.rig import CameraRig
from robot_agent_sim.late import Late
from robot_agent_sim.mujoco_env import VIDEO_SIZE, Observation, View, checked_action, checked_view
from robot_agent_sim.rover.rover import CONTROL_DT, Rover, add_rover, arena_spec


class ArenaEnv(ParallelEnv[str, Observation, NDArray[np.float32]]):
    """Two rovers, each with its own camera, its own reward and the actions of `rover/goal`.

    Observations of each agent are `camera/front` uint8 (height, width, 3) and `proprio` float32 (4,): for the left and
    the right wheel, the speed by the encoders and the commanded speed (rad/s). `infos` have `success`, the simulator's
    `state` (qpos, then qvel), `frames` and `clipped_actions` (of the agent, since the episode began).

    Two attributes may be changed between steps. `sensor_delay`: s by which all that is observed is old, to the physics
    step. `unseen`: agents whose cameras stay shut in steps that do not end the episode, for pictures that nobody sees.

    Args:
        episode_steps: control steps of 0.1 s after which an episode is truncated.
        view: see `MujocoEnv`; the camera of each agent is `front`.
    """

    colours: ClassVar[Mapping[str, tuple[float, float, float]]]
    """Of each agent, by its name."""

    render_mode = "rgb_array"

    def __init__(self, episode_steps: int = 200, **view: Unpack[View]) -> None:
        checked_view(view)
        self.episode_steps = episode_steps
        self.possible_agents = list(self.colours)
        self.agents: list[str] = []
        spec = arena_spec()
        for agent, colour in self.colours.items():
            add_rover(spec, agent, colour)
        self._furnish(spec)
        self.model = spec.compile()
        self.data = mujoco.MjData(self.model)
        self.rovers = {agent: Rover(self.model, agent) for agent in self.possible_agents}
        self.steps = 0
        self.sensor_delay = 0.0
        self.unseen: frozenset[str] = frozenset()
        self._late = {agent: Late() for agent in self.possible_agents}
        self.np_random = np.random.default_rng()
        fastest = ", ".join(f"{rover.fastest:g} for {agent}" for agent, rover in self.rovers.items())
        self.metadata = {
            "name": type(self).__name__,
            "render_modes": ["rgb_array"],
            "render_fps": round(1 / CONTROL_DT),
            "is_parallelizable": True,
            "control_dt": CONTROL_DT,
            "frames_per_step": 1,
            "action_meaning": f"speed of the left and of the right wheel, [-1, 1] of its fastest in rad/s, {fastest}",
        }
        self._physics_steps = round(CONTROL_DT / self.model.opt.timestep)
        self._streams = tuple(view.get("streams", ("camera", "proprio")))
        height, width = view.get("camera_size", (64, 64))
        self._camera_size = (int(height), int(width))
        self._rig = CameraRig(self.model, self.data, view.get("camera_backend"))
        self._clipped = dict.fromkeys(self.possible_agents, 0)
        spaces: dict[str, gymnasium.Space[Any]] = {}
        if "camera" in self._streams:
            spaces["camera/front"] = gymnasium.spaces.Box(0, 255, (*self._camera_size, 3), np.uint8)
        if "proprio" in self._streams:
            spaces["proprio"] = gymnasium.spaces.Box(-np.inf, np.inf, (4,), np.float32)
        # One space object an agent, as PettingZoo wants it: a seed of one must not seed the other.
        self.observation_spaces = {agent: gymnasium.spaces.Dict(spaces) for agent in self.possible_agents}
        self.action_spaces = {
            agent: gymnasium.spaces.Box(-1.0, 1.0, (2,), np.float32) for agent in self.possible_agents
        }

    # ---- what differs between arenas ----

    def _furnish(self, spec: mujoco.MjSpec) -> None:
        """Adds what the agents meet about."""

    @abstractmethod
    def _begin(self, rng: np.random.Generator) -> None:
        """Places the rovers and what else there is."""

    @abstractmethod
    def _judge(self) -> dict[str, tuple[float, bool]]:
        """Each agent's reward of this step, and whether it has now what it wants."""

    @abstractmethod
    def scripted_action(self, agent: str) -> NDArray[np.float64]:
        """What a plain programme that sees everything would do as `agent`."""

    # ---- the common form ----

    def observation_space(self, agent: str) -> gymnasium.Space[Any]:
        """Of an agent; the same object each time."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> gymnasium.Space[Any]:
        """Of an agent; the same object each time."""
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Observation], dict[str, dict[str, Any]]]:
        """Starts an episode; the same seed gives the same one whatever came before.

        Options are there for PettingZoo, whose own test gives some; there are none.
        """
        if seed is not None:
            self.np_random = np.random.default_rng(seed)
        self.agents = list(self.possible_agents)
        self.steps = 0
        self._clipped = dict.fromkeys(self.possible_agents, 0)
        mujoco.mj_resetData(self.model, self.data)
        self._begin(self.np_random)
        mujoco.mj_forward(self.model, self.data)
        observations = {agent: self._late[agent].begin(self._sense(agent)) for agent in self.agents}
        return observations, self._infos(dict.fromkeys(self.agents, False))

    def step(
        self, actions: Mapping[str, ArrayLike]
    ) -> tuple[dict[str, Observation], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        """One control step of both.

        Raises:
            ValueError: no episode is going on; an action is missing, has another shape, or has NaN or Inf.
        """
        if not self.agents:
            raise ValueError("no episode is going on: reset first")
        missing = [agent for agent in self.agents if agent not in actions]
        if missing:
            raise ValueError(f"there is no action for {', '.join(missing)}, expected one for each living agent")
        within = {agent: checked_action(actions[agent], (2,)) for agent in self.agents}
        for agent, (action, clipped) in within.items():
            self._clipped[agent] += clipped
            self.rovers[agent].drive(self.data, action)
        self.steps += 1
        acting = list(self.agents)
        over = self.steps >= self.episode_steps
        # As in `MujocoEnv.step`: what is delivered some frames later is sensed some physics steps before their end.
        late, early = divmod(round(self.sensor_delay / self.model.opt.timestep), self._physics_steps)
        mujoco.mj_step(self.model, self.data, self._physics_steps - early)
        unseen = frozenset() if over else self.unseen
        observations = {agent: self._sense(agent, render=agent not in unseen) for agent in acting}
        if early:
            mujoco.mj_step(self.model, self.data, early)
        for agent in acting:
            if agent not in unseen:
                observations[agent] = self._late[agent].deliver(observations[agent], late)
        judged = self._judge()
        result = (
            observations,
            {agent: judged[agent][0] for agent in acting},
            dict.fromkeys(acting, False),
            dict.fromkeys(acting, over),
            self._infos({agent: judged[agent][1] for agent in acting}),
        )
        if over:
            self.agents = []
        return result

    def _sense(self, agent: str, render: bool = True) -> Observation:
        sensed: Observation = {}
        if render and "camera" in self._streams:
            sensed["camera/front"] = self.look(agent)
        if "proprio" in self._streams:
            sensed["proprio"] = self.rovers[agent].proprio(self.data, CONTROL_DT)
        return sensed

    def look(self, agent: str) -> NDArray[np.uint8]:
        """What an agent's camera sees now."""
        return self._rig.image(self.rovers[agent].camera, self._camera_size)

    def _infos(self, success: Mapping[str, bool]) -> dict[str, dict[str, Any]]:
        state = np.concatenate((self.data.qpos, self.data.qvel))
        return {
            agent: {"frames": 1, "clipped_actions": self._clipped[agent], "success": done, "state": state}
            for agent, done in success.items()
        }

    def render(self) -> NDArray[np.uint8]:
        """A frame for a video, 240×320, from above."""
        return self._rig.image("overhead", VIDEO_SIZE)

    def model_changed(self) -> None:
        """To be called after something was written to `model`."""
        self._rig.reload()

    def close(self) -> None:
        """Frees the cameras."""
        self._rig.close()
