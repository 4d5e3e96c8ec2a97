"""Many arms at once, stepped by MuJoCo on several threads."""

from __future__ import annotations

from typing import Any

import gymnasium
import mujoco
import numpy as np
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space
from mujoco.batch import Batch
from numpy.typing import NDArray

from robot_agent_sim.mujoco_env import Observation, checked_action
from robot_agent_sim.so101.tasks import ArmEnv

_STATE = mujoco.mjtState.mjSTATE_INTEGRATION


class ArmBatch(gymnasium.vector.VectorEnv[Observation, NDArray[np.float32], NDArray[Any]]):
    """Arms without cameras that step together; each lives exactly as it would alone.

    All episodes have the same length, so they end and begin together: the step after the last is a reset.

    Args:
        env: the world, without the stream `camera`; it is used to begin episodes, and not to be used by others.
        num_envs: how many arms.
        threads: on which they are stepped.

    Raises:
        ValueError: a world with cameras, or no arms.
    """

    def __init__(self, env: ArmEnv, num_envs: int, threads: int = 1) -> None:
        if any(name.startswith("camera/") for name in env.observation_space):
            raise ValueError("a batch of arms has no cameras: make the world with streams=('proprio',)")
        if num_envs < 1 or threads < 1:
            raise ValueError(f"num_envs is {num_envs} and threads {threads}, expected at least 1 of each")
        self.env, self.num_envs = env, num_envs
        self.metadata = {**env.metadata, "autoreset_mode": AutoresetMode.NEXT_STEP}
        self.single_observation_space = env.observation_space
        self.single_action_space = env.action_space
        self.observation_space = batch_space(env.observation_space, num_envs)
        self.action_space = batch_space(env.action_space, num_envs)
        self._batch = Batch(env.model, nsim=num_envs, nthread=threads)
        self._qpos, self._control = self._batch.bind("qpos"), self._batch.bind("ctrl")
        field, self._achieved_index = env.achieved_at
        self._achieved_field = self._batch.bind(field)
        self._goals = np.zeros((num_envs, 3))
        self._before = np.zeros((num_envs, len(env._joint_at)))
        self._first_achieved = np.zeros((num_envs, 3))
        self._clipped = np.zeros(num_envs, dtype=int)
        self._steps = 0

    def reset(
        self, *, seed: int | list[int] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Starts an episode of each arm; with a seed, arm i begins as the single world does with seed + i."""
        for arm in range(self.num_envs):
            own = seed + arm if isinstance(seed, int) else None if seed is None else seed[arm]
            self.env.reset(seed=own, options=options)
            mujoco.mj_getState(self.env.model, self.env.data, self._batch.state[arm], _STATE)
            self._goals[arm] = self.env.goal
            self._before[arm] = self.env._last_reading
            self._first_achieved[arm] = self.env._achieved()
        self._steps = 0
        self._clipped[:] = 0
        return self._observe(self._first_achieved), {}

    def step(
        self, actions: NDArray[np.floating]
    ) -> tuple[Observation, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """One control step of each arm.

        Raises:
            ValueError: actions of another shape, or with NaN or Inf.
        """
        none = np.zeros(self.num_envs, dtype=bool)
        if self._steps >= self.env.episode_steps:
            observation, info = self.reset()
            return observation, np.zeros(self.num_envs), none, none.copy(), info
        within, clipped = checked_action(actions, self.action_space.shape or ())
        if clipped:
            self._clipped += np.any(within != np.asarray(actions, np.float32), axis=1)
        self._before = self.env.reading(self._qpos)
        self._control[:] = self.env.commanded(self._control, within)
        self._batch.step(nstep=self.env.physics_steps)
        self._steps += 1
        achieved = self._achieved_field[:, self._achieved_index]
        rewards, success = self.env.judged(achieved, self._goals)
        over = np.full(self.num_envs, self._steps >= self.env.episode_steps)
        info = {"success": success, "clipped_actions": self._clipped.copy()}
        return self._observe(achieved), rewards, none, over, info

    def _observe(self, achieved: NDArray[np.float64]) -> Observation:
        observation: Observation = {"proprio": self.env.felt(self.env.reading(self._qpos), self._before, self._control)}
        if self.env.goal_dim:
            observation["achieved_goal"] = achieved.astype(np.float32)
            observation["desired_goal"] = self._goals.astype(np.float32)
        return observation
