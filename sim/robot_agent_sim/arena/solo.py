"""A shared world as one agent sees it, the other one being played by something else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
import mujoco
import numpy as np
from numpy.typing import NDArray

from robot_agent_sim.arena.arena import ArenaEnv
from robot_agent_sim.arena.opponents import OPPONENTS
from robot_agent_sim.mujoco_env import Observation

Behaviour = Callable[["SoloEnv", Observation], NDArray[np.floating]]
"""The opponent's action in [-1, 1] from what it observes; a learning agent can be one."""


def scripted(solo: SoloEnv, observation: Observation) -> NDArray[np.floating]:
    """What the world's own programme does, which sees everything."""
    return solo.arena.scripted_action(solo.other)


def random(solo: SoloEnv, observation: Observation) -> NDArray[np.floating]:
    """A new direction now and then."""
    if solo.arena.steps % 5 == 0:
        solo.whim = solo.opponent_rng.uniform(-1, 1, 2)
    return solo.whim


def still(solo: SoloEnv, observation: Observation) -> NDArray[np.floating]:
    """Nothing."""
    return np.zeros(2)


BEHAVIOURS: tuple[Behaviour, ...] = (scripted, random, still)
"""Those of `OPPONENTS`, by the number that `Drift`'s change `opponent` gives; none looks at what it observes."""


class SoloEnv(gymnasium.Env[Observation, NDArray[np.float32]]):
    """One agent of an arena as a gymnasium world.

    `opponent` is the number of the behaviour in force; it may be changed at any time, as `Drift` does, and so may
    `sensor_delay` and `unseen` (see `MujocoEnv`). The opponent's camera is rendered for behaviours that look.

    Args:
        arena: the shared world.
        agent: who acts here.
        behaviours: of the other one.
        opponent: which of them, at first.

    Raises:
        ValueError: there is no such agent or behaviour.
    """

    render_mode = "rgb_array"

    def __init__(
        self, arena: ArenaEnv, agent: str, behaviours: tuple[Behaviour, ...] = BEHAVIOURS, opponent: int = 0
    ) -> None:
        if agent not in arena.possible_agents:
            raise ValueError(f"there is no agent {agent!r}, expected one of {', '.join(arena.possible_agents)}")
        if not 0 <= opponent < len(behaviours):
            raise ValueError(f"opponent is {opponent}, expected 0 to {len(behaviours) - 1}")
        self.arena, self.agent, self.behaviours, self.opponent = arena, agent, behaviours, opponent
        (self.other,) = (name for name in arena.possible_agents if name != agent)
        self.observation_space: gymnasium.Space[Any] = arena.observation_space(agent)
        self.action_space: gymnasium.Space[Any] = arena.action_space(agent)
        self.metadata = dict(arena.metadata)
        self.whim = np.zeros(2)
        self.opponent_rng = np.random.default_rng(0)
        self._others_observation: Observation = {}
        self.unseen = False

    @property
    def model(self) -> mujoco.MjModel:
        """Of the shared world, for what changes it."""
        return self.arena.model

    @property
    def sensor_delay(self) -> float:
        """s by which all that is observed is old."""
        return self.arena.sensor_delay

    @sensor_delay.setter
    def sensor_delay(self, seconds: float) -> None:
        self.arena.sensor_delay = seconds

    def model_changed(self) -> None:
        """To be called after something was written to `model`."""
        self.arena.model_changed()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Starts an episode; the same seed gives the same one whatever came before.

        Raises:
            ValueError: options, of which there are none.
        """
        if options:
            raise ValueError(f"options are {options}, expected none: this world has none")
        super().reset(seed=seed)
        observations, infos = self.arena.reset(int(self.np_random.integers(2**31)))
        self.opponent_rng = np.random.default_rng(self.np_random.integers(2**31))
        self.whim = self.opponent_rng.uniform(-1, 1, 2)  # a behaviour may come into force at any step
        self._others_observation = observations[self.other]
        return observations[self.agent], infos[self.agent]

    def step(self, action: NDArray[np.floating]) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """One control step; the opponent acts on what it observed last."""
        behaviour = self.behaviours[self.opponent]
        looks = behaviour not in BEHAVIOURS and "camera/front" in self.arena.observation_spaces[self.other].spaces
        if looks and "camera/front" not in self._others_observation:  # it came into force just now
            self._others_observation = {"camera/front": self.arena.look(self.other), **self._others_observation}
        opposing = behaviour(self, self._others_observation)
        unseen = {self.agent: self.unseen, self.other: not looks}
        self.arena.unseen = frozenset(agent for agent, shut in unseen.items() if shut)
        observations, rewards, terminated, truncated, infos = self.arena.step(
            {self.agent: action, self.other: opposing}
        )
        self._others_observation = observations[self.other]
        me = self.agent
        return observations[me], rewards[me], terminated[me], truncated[me], infos[me]

    def render(self) -> NDArray[np.uint8]:
        """A frame for a video, 240×320, from above."""
        return self.arena.render()

    def close(self) -> None:
        """Frees the cameras."""
        self.arena.close()


def against(opponent: str | Behaviour, arena: ArenaEnv, agent: str) -> SoloEnv:
    """An agent of an arena against an opponent by its name, or by a behaviour of its own.

    Raises:
        ValueError: no opponent has that name.
    """
    if callable(opponent):
        return SoloEnv(arena, agent, (*BEHAVIOURS, opponent), len(BEHAVIOURS))
    if opponent not in OPPONENTS:
        raise ValueError(f"opponent is {opponent!r}, expected {', '.join(OPPONENTS)}, or a function")
    return SoloEnv(arena, agent, opponent=OPPONENTS.index(opponent))
