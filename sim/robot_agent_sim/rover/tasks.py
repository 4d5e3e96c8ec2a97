"""What one rover can be asked to do: drive to a marker that it sees, alone or among others."""

from __future__ import annotations

from typing import Any, Unpack

import mujoco
import numpy as np
from numpy.typing import NDArray

from robot_agent_sim.mujoco_env import MujocoEnv, View, with_cameras
from robot_agent_sim.rover.rover import (
    CONTROL_DT,
    FASTEST_WHEEL,
    HALF_SIZE,
    TRACK,
    WHEEL_RADIUS,
    Rover,
    add_rover,
    apart,
    arena_spec,
    wheel_speeds,
)
from robot_agent_sim.scenery import add_distractors

OWN_COLOUR = (0.85, 0.85, 0.88)
OTHER_COLOUR = (0.2, 0.55, 0.85)


_CORNERS = tuple((x * HALF_SIZE, y * HALF_SIZE) for x, y in ((0.9, 0.9), (-0.9, 0.9), (0.9, -0.9), (-0.9, -0.9)))


class RoverGoalEnv(MujocoEnv):
    """`rover/goal`: the rover shall come within 0.25 m of a red marker, which only its camera shows.

    An action is the speed of the left and of the right wheel, in [-1, 1] of 15 rad/s (0.6 m/s). `proprio` is, for the
    left and the right wheel, the speed by the encoders and the commanded speed (rad/s). The reward grows from 0 far
    away to 1 at the marker, half of it for being near enough.

    Args:
        others: rovers that drive about; touching one costs a reward of 0.5 a step.
        control_dt: s between two actions.
        episode_steps: control steps of an episode.
        view: see `MujocoEnv`; cameras are `front` (the default) and `overhead`.
    """

    tolerance = 0.25
    """m within which the marker counts as reached."""
    scale = 0.6
    """m at which the reward has fallen to a quarter."""
    collision_cost = 0.5
    wheel_radius, wheel_separation = WHEEL_RADIUS, TRACK

    def __init__(
        self,
        others: int = 0,
        control_dt: float = CONTROL_DT,
        episode_steps: int = 150,
        **view: Unpack[View],
    ) -> None:
        spec = arena_spec()
        names = ["rover", *(f"other_{index}" for index in range(others))]
        for name in names:
            add_rover(spec, name, OWN_COLOUR if name == "rover" else OTHER_COLOUR)
        marker = spec.worldbody.add_body(name="marker", mocap=True)
        marker.add_geom(
            name="marker",
            type=mujoco.mjtGeom.mjGEOM_CYLINDER,
            pos=(0, 0, 0.2),
            size=(0.08, 0.2, 0),
            rgba=(0.9, 0.1, 0.12, 1),
            contype=0,
            conaffinity=0,
        )
        add_distractors(spec, _CORNERS, 0.25)
        for camera in spec.cameras:
            camera.name = camera.name.removeprefix("rover/")
        model = spec.compile()
        self.rover, *self.others = (Rover(model, name) for name in names)
        self._waypoints = np.zeros((others, 2))
        self._rng = np.random.default_rng(0)
        self.marker = np.zeros(2)
        super().__init__(model, 2, control_dt, episode_steps, **with_cameras(view, "front"))

    def action_meaning(self) -> str:
        """What an action does."""
        return (
            f"speed of the left and of the right wheel, [-1, 1] of {FASTEST_WHEEL:g} rad/s (radius {WHEEL_RADIUS} m, "
            f"{TRACK} m apart)"
        )

    def _begin(self, rng: np.random.Generator) -> None:
        spots = apart(rng, 2 + len(self.others), HALF_SIZE - 0.25, 0.6)
        self.marker = spots[0]
        self.data.mocap_pos[0] = (*self.marker, 0)
        for rover, spot in zip((self.rover, *self.others), spots[1:], strict=True):
            rover.place(self.data, spot, rng.uniform(-np.pi, np.pi))
        self._rng = rng
        for index in range(len(self.others)):
            self._waypoints[index] = self._somewhere()

    def new_goal(self, rng: np.random.Generator) -> None:
        """Puts the marker elsewhere, at least 0.6 m away; the rovers stay as they are."""
        while True:
            self.marker = rng.uniform(-HALF_SIZE + 0.25, HALF_SIZE - 0.25, 2)
            if self.distance() >= 0.6:
                break
        self.data.mocap_pos[0] = (*self.marker, 0)

    def wheel_speeds(self, forward: float, turn: float) -> NDArray[np.float64]:
        """See `rover.wheel_speeds`."""
        return wheel_speeds(forward, turn)

    def reading(self, qpos: NDArray[np.float64]) -> NDArray[np.float64]:
        """What the encoders of the left and the right wheel read, rad."""
        return self.rover.reading(qpos)

    def _act(self, action: NDArray[np.float32]) -> None:
        self.rover.drive(self.data, action)
        for index, other in enumerate(self.others):
            if np.linalg.norm(other.position(self.data) - self._waypoints[index]) < 0.2 or self._rng.random() < 0.02:
                self._waypoints[index] = self._somewhere()
            other.drive(self.data, other.towards(self.data, self._waypoints[index], 0.7))

    def _somewhere(self) -> NDArray[np.float64]:
        return self._rng.uniform(-HALF_SIZE + 0.2, HALF_SIZE - 0.2, 2)

    def _proprio(self) -> NDArray[np.float32]:
        return self.rover.proprio(self.data, self.physics_steps * self.model.opt.timestep)

    def distance(self) -> float:
        """m from the rover to the marker."""
        return float(np.linalg.norm(self.rover.position(self.data) - self.marker))

    def collides(self) -> bool:
        """Whether the rover touches another one."""
        if not self.others:
            return False
        pairs = self.data.contact.geom
        own = np.isin(pairs, self.rover.geoms)
        others = np.isin(pairs, np.concatenate([other.geoms for other in self.others]))
        return bool(np.any(own[:, ::-1] & others))

    def _judge(self) -> tuple[float, bool]:
        away = self.distance()
        there = away <= self.tolerance
        reward = 0.5 * there + 0.5 / (1.0 + (away / self.scale) ** 2)
        return reward - self.collision_cost * self.collides(), there


class RoverTrafficEnv(RoverGoalEnv):
    """`rover/traffic`: as `rover/goal`, among three rovers on errands of their own."""

    def __init__(self, others: int = 3, **options: Any) -> None:
        super().__init__(others, **options)
