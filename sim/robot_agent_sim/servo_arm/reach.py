"""The three-joint arm's one task, written to be read first: what a world of this project consists of."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Unpack

import mujoco
import numpy as np
from numpy.typing import NDArray

from robot_agent_sim.mujoco_env import MujocoEnv, Observation, View, with_cameras
from robot_agent_sim.scenery import add_distractors

JOINTS = ("turn", "shoulder", "elbow")
"""In the order of actions and observations."""
HOME = np.array([0.0, 0.4, 1.0])
"""Where episodes begin, rad."""
CONTROL_DT = 1 / 30
FASTEST_COMMAND = 3.0
"""rad/s that a full action moves the commanded position by."""
_ASIDE = ((0.32, 0.25), (0.32, -0.25), (0.05, 0.28), (0.05, -0.28), (0.42, 0.02))
_XML = Path(__file__).with_name("servo_arm.xml")


class ServoArmReachEnv(MujocoEnv):
    """`servo-arm/reach`: the tip of three position servos shall be within 3 cm of a red ball.

    The ball hangs where a pose drawn uniformly within the joint ranges puts the tip. An action moves the commanded
    positions by up to `FASTEST_COMMAND`. `proprio` is, for each joint of `JOINTS`: its position (rad), its velocity
    from two readings a step apart (rad/s), and the commanded position (rad). The reward grows from 0 far away to 1 at
    the ball, half of it for being within the tolerance.

    Args:
        control_dt: s between two actions.
        episode_steps: control steps of an episode.
        view: see `MujocoEnv`; the one camera is `overhead`.
    """

    goal_dim = 3
    tolerance = 0.03
    """m within which the ball counts as reached."""
    scale = 0.1
    """m at which the dense reward has fallen to a quarter."""

    def __init__(self, control_dt: float = CONTROL_DT, episode_steps: int = 60, **view: Unpack[View]) -> None:
        spec = mujoco.MjSpec.from_file(str(_XML))
        add_distractors(spec, _ASIDE, 0.05)
        model = spec.compile()
        self.goal = np.zeros(3)
        self._low, self._high = model.actuator_ctrlrange.T.copy()
        self.largest_change = FASTEST_COMMAND * control_dt
        self._tip = int(model.site("tip").id)
        self._history = int(model.actuator_history[0, 0])
        self._last_reading = HOME.copy()
        super().__init__(model, len(JOINTS), control_dt, episode_steps, **with_cameras(view, "overhead"))

    def action_meaning(self) -> str:
        """What an action does."""
        return (
            f"each entry in [-1, 1] moves the commanded position of a joint ({', '.join(JOINTS)}) by up to "
            f"{self.largest_change:.3g} rad"
        )

    def _begin(self, rng: np.random.Generator) -> None:
        home = HOME + rng.uniform(-0.05, 0.05, len(JOINTS))
        self.data.qpos[:] = self.data.ctrl[:] = self._last_reading = home
        for motor, position in enumerate(home):
            mujoco.mj_initCtrlHistory(self.model, self.data, motor, None, np.full((self._history, 1), position))
        self.new_goal(rng)

    def new_goal(self, rng: np.random.Generator) -> None:
        """Hangs the ball elsewhere; the arm stays as it is."""
        pose = self.data.qpos.copy()
        self.data.qpos[:] = rng.uniform(self._low, self._high)
        mujoco.mj_kinematics(self.model, self.data)
        self.goal = self.data.site_xpos[self._tip].copy()
        self.data.mocap_pos[0] = self.goal
        self.data.qpos[:] = pose
        mujoco.mj_kinematics(self.model, self.data)

    def _act(self, action: NDArray[np.float32]) -> None:
        self._last_reading = self.data.qpos.copy()
        self.data.ctrl[:] = np.clip(self.data.ctrl + self.largest_change * action, self._low, self._high)

    def _proprio(self) -> NDArray[np.float32]:
        dt = self.physics_steps * self.model.opt.timestep
        velocity = (self.data.qpos - self._last_reading) / dt
        return np.concatenate((self.data.qpos, velocity, self.data.ctrl), dtype=np.float32)

    def _goals(self) -> Observation:
        tip = self.data.site_xpos[self._tip]
        return {"achieved_goal": tip.astype(np.float32), "desired_goal": self.goal.astype(np.float32)}

    def _judge(self) -> tuple[float, bool]:
        reward, there = self.judged(self.data.site_xpos[self._tip], self.goal)
        return float(reward), bool(there)

    def compute_reward(self, achieved: NDArray[Any], desired: NDArray[Any], info: Any) -> NDArray[np.float32]:
        """The reward for having achieved one goal where another was desired; batched over leading axes."""
        return self.judged(achieved, desired)[0].astype(np.float32)

    def judged(self, achieved: NDArray[Any], desired: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Rewards and successes (...) of goals (..., 3)."""
        away = np.linalg.norm(np.asarray(achieved) - desired, axis=-1)
        there = away <= self.tolerance
        return 0.5 * there + 0.5 / (1.0 + (away / self.scale) ** 2), there
