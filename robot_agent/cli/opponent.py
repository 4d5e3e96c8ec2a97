"""The agent of a run as the opponent of another one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from robot_agent_sim.arena.solo import SoloEnv

from robot_agent.agent import Agent, AgentState
from robot_agent.device import prepare_device
from robot_agent.learning.checkpoint import CheckpointStore
from robot_agent.loop import Loop
from robot_agent.run.folder import RunFolder
from robot_agent.run.load import load_agent, load_config
from robot_agent.types import BodySpec, Observation

NAME = "opponent"


class RunOpponent:
    """Acts as the agent of a run does, without exploring; a `robot_agent_sim.arena.solo.Behaviour`.

    At the start of each episode it takes the newest checkpoint of the run, which may be learning meanwhile. Before the
    run has one, it acts at random, as that agent itself does at first.

    Args:
        path: the folder of the run.
        device: where its mind computes.

    Raises:
        RunError: the folder holds no run.
    """

    def __init__(self, path: Path, device: str = "cpu") -> None:
        self.folder = RunFolder.open(path)
        self.device = device
        self._checkpoint: Path | None = None
        self._loop: Loop | None = None
        self._state: AgentState | None = None
        self._episode = 0

    def __call__(self, solo: SoloEnv, observation: Observation) -> NDArray[np.float32]:
        """Its action `(action_dim,)`."""
        if self._loop is None or solo.arena.steps == 0:
            self._loop = self._newest(BodySpec.from_env(solo))
            self._state = self._loop.agent.initial_state((NAME,), self._episode)
            self._episode += 1
        assert self._state is not None
        actions, self._state = self._loop.step({NAME: observation}, self._state)
        return actions[NAME]

    def _newest(self, spec: BodySpec) -> Loop:
        newest = CheckpointStore(self.folder.checkpoints).newest
        if self._loop is not None and newest == self._checkpoint:
            return self._loop
        self._checkpoint, device = newest, prepare_device(self.device)
        if newest is None:
            config = load_config(self.folder)
            return Loop(Agent(spec, config.agent, config.seed, device), explore=False)
        return Loop(load_agent(self.folder.path, spec, device)[0], explore=False)
