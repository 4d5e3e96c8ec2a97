"""What the SO-101 can be asked to do: reach a point, push a cube to a place, lift it."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Literal, Unpack

import mujoco
import numpy as np
from numpy.typing import NDArray

from robot_agent_sim.calibration.body import BodyParameters
from robot_agent_sim.mujoco_env import MujocoEnv, Observation, View, with_cameras
from robot_agent_sim.scenery import add_distractors
from robot_agent_sim.so101.arm import HOME, JOINTS, Servo, add_cube, add_marker, arm_spec
from robot_agent_sim.so101.calibrated import calibrated_spec, servos_of

Reward = Literal["dense", "sparse"]
CONTROL_DT = 0.02
MARKER_RADIUS = 0.015
FASTEST_COMMAND = 3.0
"""rad/s that a full action moves the commanded position by; an unloaded servo does 4.7."""
_NEAR = np.array([0.10, -0.25, 0.03])
_FAR = np.array([0.38, 0.25, 0.32])
"""The box, m, that targets of `reach` lie in."""


_ASIDE = ((0.38, 0.16), (0.38, -0.17), (0.1, 0.3), (0.12, -0.3), (0.42, 0.02))
"""Where distractors lie: in the picture, out of the way."""


class ArmEnv(MujocoEnv):
    """A goal world of the SO-101; goals are positions in m in the arm's base frame (x forward, z up).

    An action moves the commanded joint positions by up to `FASTEST_COMMAND`. `proprio` is, for each joint in the order
    of `arm.JOINTS`: its position as the encoder reads it (rad), its velocity from two readings (rad/s), and the
    commanded position (rad).

    Args:
        reward: `dense` grows from 0 far away to 1 at the goal, half of it for being within the tolerance; `sparse` is
            1 within it, else 0.
        servo: of all joints.
        body: a calibrated arm, instead.
        goals: observe `achieved_goal` and `desired_goal`; without, only cameras tell where the goal is.
        control_dt: s between two actions; 0.02 by default, 1/30 is usual on hardware.
        episode_steps: control steps of an episode.
        view: see `MujocoEnv`; cameras are `overhead` (the default) and `wrist`.
    """

    tolerance = 0.02
    """m within which the goal counts as reached."""
    scale = 0.1
    """m at which the dense reward has fallen to a quarter."""

    def __init__(
        self,
        reward: Reward = "dense",
        servo: Servo | None = None,
        body: BodyParameters | None = None,
        goals: bool = True,
        control_dt: float = CONTROL_DT,
        episode_steps: int = 150,
        **view: Unpack[View],
    ) -> None:
        if reward not in ("dense", "sparse"):
            raise ValueError(f"reward is {reward!r}, expected dense or sparse")
        if servo is not None and body is not None:
            raise ValueError("both a servo and a calibrated body are given: leave one of them out")
        servos = servos_of(body) if body else dict.fromkeys(JOINTS, servo or Servo())
        self.reward = reward
        self.goal_dim = 3 if goals else 0
        self._encoder_step = servos[JOINTS[0]].encoder_step
        offsets, ratios = np.array([(servos[name].encoder_offset, servos[name].encoder_ratio) for name in JOINTS]).T
        self._encoders_are_off = bool(offsets.any() or (ratios != 1).any())
        self._encoder_offset, self._encoder_ratio = offsets, ratios
        self.largest_change = FASTEST_COMMAND * control_dt
        spec = calibrated_spec(body) if body else arm_spec(servos)
        self._furnish(spec)
        model = spec.compile()
        self._joint_at = np.array([model.joint(name).qposadr[0] for name in JOINTS])
        self._low, self._high = model.actuator_ctrlrange.T.copy()
        self._reading = self._last_reading = np.array(HOME)
        self.achieved_at = self._find(model)
        self.goal = np.zeros(3)
        self._history = int(model.actuator_history[0, 0])
        super().__init__(model, len(JOINTS), control_dt, episode_steps, **with_cameras(view, "overhead"))

    # ---- what differs between tasks ----

    def _furnish(self, spec: mujoco.MjSpec) -> None:
        """Adds what the task is about."""
        add_marker(spec, MARKER_RADIUS)
        add_distractors(spec, _ASIDE, 0.05)

    @abstractmethod
    def _place(self, rng: np.random.Generator) -> None:
        """Draws the goal, and places what the task is about."""

    @abstractmethod
    def _find(self, model: mujoco.MjModel) -> tuple[str, int]:
        """The field of `MjData` with the position of what shall get to the goal, and the row in it."""

    # ---- for one arm or for many: leading axes are theirs ----

    def commanded(self, control: NDArray[np.float64], action: NDArray[np.float32]) -> NDArray[np.float64]:
        """Commanded positions (..., 6) in rad after an action (..., 6)."""
        change = self.largest_change * action
        wanted = control + (change * self._encoder_ratio if self._encoders_are_off else change)
        return np.minimum(np.maximum(wanted, self._low), self._high)  # half the time of np.clip

    def reading(self, qpos: NDArray[np.float64]) -> NDArray[np.float64]:
        """What the encoders read (..., 6), rad."""
        position = self._by_encoder(qpos[..., self._joint_at])
        if self._encoder_step:
            position = np.rint(position / self._encoder_step) * self._encoder_step
        return position

    def felt(
        self, reading: NDArray[np.float64], before: NDArray[np.float64], control: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        """`proprio` (..., 18) from two readings a control step apart."""
        velocity = (reading - before) / (self.physics_steps * self.model.opt.timestep)
        commanded = self._by_encoder(control)
        return np.concatenate((reading, velocity, commanded), axis=-1, dtype=np.float32)

    def _by_encoder(self, angles: NDArray[np.float64]) -> NDArray[np.float64]:
        """Angles of the joints (..., 6) as their encoders have them, exact, rad."""
        return (angles - self._encoder_offset) / self._encoder_ratio if self._encoders_are_off else angles

    def distance(self, achieved: NDArray[Any], desired: NDArray[Any]) -> NDArray[Any]:
        """m between goals of shape (..., 3)."""
        apart = np.asarray(achieved) - desired
        x, y, z = apart[..., 0], apart[..., 1], apart[..., 2]
        away: NDArray[Any] = np.sqrt(x * x + y * y + z * z)
        return away

    def judged(self, achieved: NDArray[Any], desired: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Rewards and successes (...) of goals (..., 3)."""
        away = self.distance(achieved, desired)
        there: NDArray[np.bool_] = away <= self.tolerance
        if self.reward == "sparse":
            return there.astype(np.float64), there
        near = away / self.scale
        return 0.5 * there + 0.5 / (1.0 + near * near), there

    def compute_reward(self, achieved: NDArray[Any], desired: NDArray[Any], info: Any) -> NDArray[np.float32]:
        """The reward for having achieved one goal where another was desired; batched over leading axes."""
        return self.judged(achieved, desired)[0].astype(np.float32)

    # ---- the common form ----

    def action_meaning(self) -> str:
        """What an action does."""
        return (
            f"each entry in [-1, 1] moves the commanded position of a joint ({', '.join(JOINTS)}) by up to "
            f"{self.largest_change:.3g} rad"
        )

    def _begin(self, rng: np.random.Generator) -> None:
        data = self.data
        home = np.clip(np.array(HOME) + rng.uniform(-0.05, 0.05, len(JOINTS)), self._low, self._high)
        data.qpos[self._joint_at] = home
        data.ctrl[:] = home
        for motor, position in enumerate(home):
            mujoco.mj_initCtrlHistory(self.model, data, motor, None, np.full((self._history, 1), position))
        self._place(rng)
        data.mocap_pos[0] = self.goal
        self._reading = self._last_reading = self.reading(data.qpos)

    def new_goal(self, rng: np.random.Generator) -> None:
        """Draws another goal and places what the task is about; the arm stays as it is."""
        self._place(rng)
        self.data.mocap_pos[0] = self.goal
        mujoco.mj_kinematics(self.model, self.data)

    def _act(self, action: NDArray[np.float32]) -> None:
        self._last_reading = self._reading
        self.data.ctrl[:] = self.commanded(self.data.ctrl, action)

    def _proprio(self) -> NDArray[np.float32]:
        self._reading = self.reading(self.data.qpos)
        return self.felt(self._reading, self._last_reading, self.data.ctrl)

    def _achieved(self) -> NDArray[np.float64]:
        """What is to get to the goal, m."""
        field, index = self.achieved_at
        position: NDArray[np.float64] = getattr(self.data, field)[index]
        return position

    def _goals(self) -> Observation:
        return {
            "achieved_goal": self._achieved().astype(np.float32),
            "desired_goal": self.goal.astype(np.float32),
        }

    def _judge(self) -> tuple[float, bool]:
        reward, there = self.judged(self._achieved(), self.goal)
        return float(reward), bool(there)


class ReachEnv(ArmEnv):
    """`so101/reach`: the tip of the fixed jaw shall be within 2 cm of a red marker.

    The marker is where the tip can be: it stands where a pose drawn at random within the joint ranges puts it, in a box
    in front of the arm and over the table.
    """

    def _place(self, rng: np.random.Generator) -> None:
        data, home = self.data, self.data.qpos[self._joint_at].copy()
        arm = slice(0, 4)
        while True:
            data.qpos[self._joint_at[arm]] = rng.uniform(self._low[arm], self._high[arm])
            mujoco.mj_kinematics(self.model, data)
            tip, lowest = self._achieved(), data.geom_xpos[:, 2].min()
            if np.all(tip >= _NEAR) and np.all(tip <= _FAR) and lowest > -0.001:
                break
        self.goal = tip.copy()
        data.qpos[self._joint_at] = home

    def _find(self, model: mujoco.MjModel) -> tuple[str, int]:
        return "site_xpos", int(model.site("tip").id)


class ReachBySightEnv(ReachEnv):
    """`so101/reach-by-sight`: the same, and only the camera tells where the marker is."""

    def __init__(self, **options: Any) -> None:
        super().__init__(goals=False, **options)


class PushCubeEnv(ArmEnv):
    """`so101/push-cube`: a 5 cm cube shall get to within 3 cm of a marked place on the table, 8 to 20 cm away."""

    tolerance = 0.03
    side, mass = 0.05, 0.06

    def _furnish(self, spec: mujoco.MjSpec) -> None:
        super()._furnish(spec)
        add_cube(spec, self.side, self.mass)

    def _place(self, rng: np.random.Generator) -> None:
        start, self.goal = (np.array([0.0, 0.0, self.side / 2]) for _ in range(2))
        while not 0.08 <= np.linalg.norm(self.goal - start) <= 0.2:
            start[:2], self.goal[:2] = (_on_table(rng) for _ in range(2))
        self._put_cube(rng, start)

    def _put_cube(self, rng: np.random.Generator, position: NDArray[np.float64]) -> None:
        turn = rng.uniform(-np.pi / 4, np.pi / 4)
        self.data.joint("cube").qpos[:] = (*position, np.cos(turn / 2), 0, 0, np.sin(turn / 2))

    def _find(self, model: mujoco.MjModel) -> tuple[str, int]:
        return "xpos", int(model.body("cube").id)


class LiftCubeEnv(PushCubeEnv):
    """`so101/lift-cube`: a 3 cm cube shall be 5 cm above where it lay; the marker shows the height."""

    tolerance = 0.0
    scale = 0.03
    side, mass = 0.03, 0.02
    lift = 0.05

    def _place(self, rng: np.random.Generator) -> None:
        start = np.array([*_on_table(rng), self.side / 2])
        self.goal = start + np.array([0, 0, self.lift])
        self._put_cube(rng, start)

    def distance(self, achieved: NDArray[Any], desired: NDArray[Any]) -> NDArray[Any]:
        """m that are missing in height."""
        missing: NDArray[Any] = np.maximum(np.asarray(desired)[..., 2] - np.asarray(achieved)[..., 2], 0)
        return missing


def _on_table(rng: np.random.Generator) -> NDArray[np.float64]:
    """(x, y) in m within the arm's reach and in front of it."""
    radius, angle = rng.uniform(0.17, 0.30), rng.uniform(-0.8, 0.8)
    return np.array([radius * np.cos(angle), radius * np.sin(angle)])
