"""A world that is lived in as a robot is: time goes on without being asked, and commands come when they come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import mujoco
import numpy as np
from numpy.typing import ArrayLike, NDArray

from robot_agent_sim.mujoco_env import MujocoEnv

LONGEST_TIMESTEP = 0.0025
"""s; the worlds made here are made for 0.002 s, except the rover's."""
_SNAPSHOT = mujoco.mjtState.mjSTATE_QPOS | mujoco.mjtState.mjSTATE_MOCAP_POS | mujoco.mjtState.mjSTATE_MOCAP_QUAT


@runtime_checkable
class GoesOn(Protocol):
    """A world whose goal can change while life goes on."""

    def new_goal(self, rng: np.random.Generator) -> None:
        """Draws another goal as an episode does, and leaves the body as it is."""


@runtime_checkable
class Encoded(Protocol):
    """A world whose joints are read by encoders."""

    def reading(self, qpos: NDArray[np.float64]) -> NDArray[np.float64]:
        """What they read of the commanded joints, rad."""


@runtime_checkable
class Driven(Protocol):
    """A world whose body is driven by its velocity, on a left and a right wheel.

    Attributes:
        wheel_radius: m.
        wheel_separation: m between the wheels.
    """

    wheel_radius: float
    wheel_separation: float

    def wheel_speeds(self, forward: float, turn: float) -> NDArray[np.float64]:
        """The command (n,) that gives a velocity in m/s and rad/s."""


class JointReading(NamedTuple):
    """The commanded joints in the order of the action: rad, rad/s and N·m, float64 (n,) each."""

    position: NDArray[np.float64]
    velocity: NDArray[np.float64]
    effort: NDArray[np.float64]


class LiveWorld:
    """Drives a world's model at its own pace, without episodes and without actions.

    Args:
        world: of one body whose every actuator is a position or velocity servo of a joint.
        tick: s between two readings of the joints; the model's timestep is made to divide it.
        seed: of the first episode's beginning and of all goals.

    Raises:
        ValueError: a world that cannot go on for ever, or whose actuators are others.
    """

    def __init__(self, world: MujocoEnv, tick: float, seed: int = 0) -> None:
        if not isinstance(world, GoesOn):
            raise ValueError(f"{type(world).__name__} begins anew with each goal, expected a world with `new_goal`")
        model = world.model
        if model.nu != world.action_space.shape[0]:  # type: ignore[index]
            raise ValueError(f"{type(world).__name__} moves others too ({model.nu} actuators), expected one body")
        self.world, self.goes_on = world, world
        joints = model.actuator_trnid[:, 0]
        self.names = tuple(model.joint(joint).name.rpartition("/")[2] for joint in joints)
        self.by_velocity = bool(model.actuator_biasprm[0, 1] == 0)
        if not self.by_velocity and not np.all(model.actuator_biasprm[:, 1] < 0):
            raise ValueError(f"{type(world).__name__} has motors, expected position or velocity servos")
        self.low, self.high = model.actuator_ctrlrange.T.copy()
        self._qpos, self._qvel = model.jnt_qposadr[joints], model.jnt_dofadr[joints]
        fastest = min(LONGEST_TIMESTEP, float(model.opt.timestep) * 1.25)
        self.steps_per_tick = max(1, int(np.ceil(tick / fastest)))
        model.opt.timestep = tick / self.steps_per_tick
        self.tick = tick
        self._rng = np.random.default_rng(seed)
        self.begin()

    def begin(self) -> None:
        """Puts the body where an episode begins, at rest, with a goal."""
        self.world.place(int(self._rng.integers(2**31)))

    def new_goal(self) -> None:
        """Draws another goal; the body stays as it is."""
        self.goes_on.new_goal(self._rng)

    def command(self, values: ArrayLike) -> None:
        """What the servos follow from now on (n,), rad or rad/s, held within their ranges as servos do.

        Raises:
            ValueError: another number of values, or one that is not finite; the last command stays.
        """
        wanted = np.asarray(values, np.float64)
        if wanted.shape != (len(self.names),):
            raise ValueError(f"the command has {wanted.size} numbers, expected one for each of {', '.join(self.names)}")
        if not np.all(np.isfinite(wanted)):
            raise ValueError(f"the command is {wanted.tolist()}, expected finite numbers")
        self.world.data.ctrl[:] = np.clip(wanted, self.low, self.high)

    def drive(self, forward: float, turn: float) -> None:
        """The same for a body that is driven: m/s forward and rad/s to the left.

        Raises:
            ValueError: the body has no wheels, or a number is not finite; the last command stays.
        """
        if not isinstance(self.world, Driven):
            raise ValueError(f"the body has the joints {', '.join(self.names)} and no wheels: command the joints")
        self.command(self.world.wheel_speeds(forward, turn))

    def advance(self) -> None:
        """Lets `tick` seconds pass."""
        mujoco.mj_step(self.world.model, self.world.data, self.steps_per_tick)

    def reading(self) -> JointReading:
        """The joints now."""
        data = self.world.data
        position = self.world.reading(data.qpos) if isinstance(self.world, Encoded) else data.qpos[self._qpos]
        return JointReading(position.copy(), data.qvel[self._qvel], data.actuator_force.copy())

    def goal(self) -> NDArray[np.float32]:
        """The goal now; empty in a world that shows its goal to the camera alone."""
        return self.world._goals().get("desired_goal", np.zeros(0, np.float32))

    def reward(self) -> float:
        """The reward of a frame that would end now."""
        return self.world._judge()[0]

    # ---- what a camera elsewhere needs ----

    def snapshot(self) -> NDArray[np.float64]:
        """What is seen of the world now, for `show` of another `LiveWorld` of the same world."""
        state = np.empty(mujoco.mj_stateSize(self.world.model, _SNAPSHOT))
        mujoco.mj_getState(self.world.model, self.world.data, state, _SNAPSHOT)
        return state

    def show(self, snapshot: NDArray[np.float64], camera: str, size: tuple[int, int]) -> NDArray[np.uint8]:
        """The picture (height, width, 3) that a camera takes of a snapshot; `size` is (height, width)."""
        mujoco.mj_setState(self.world.model, self.world.data, snapshot, _SNAPSHOT)
        mujoco.mj_kinematics(self.world.model, self.world.data)
        mujoco.mj_camlight(self.world.model, self.world.data)
        return self.world.image(camera, size)

    def cameras(self) -> Sequence[str]:
        """The names of all cameras."""
        return [self.world.model.camera(index).name for index in range(self.world.model.ncam)]

    def focal_length(self, camera: str, height: int) -> float:
        """In pixels, of a picture so high; the same in both directions."""
        opening = np.deg2rad(self.world.model.camera(camera).fovy[0])
        return float(height / 2 / np.tan(opening / 2))
