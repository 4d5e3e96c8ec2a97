"""One rover among others in a model: how it is added, driven, and what it feels."""

from __future__ import annotations

from math import tau
from pathlib import Path

import mujoco
import numpy as np
from numpy.typing import NDArray

WHEEL_RADIUS = 0.04
"""m."""
TRACK = 0.17
"""m between the wheels."""
FASTEST_WHEEL = 15.0
"""rad/s; 0.6 m/s on the ground."""
CONTROL_DT = 0.1
"""s between two actions."""
HALF_SIZE = 1.5
"""m from the middle of an arena to a wall."""
_ENCODER_STEP = tau / 1024
_XML = Path(__file__).with_name("rover.xml")


def arena_spec() -> mujoco.MjSpec:
    """A square floor of `2 * HALF_SIZE` m between four walls, each of its own colour."""
    spec = mujoco.MjSpec()
    spec.option.timestep = 0.005
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC  # friction is the same in every direction
    spec.visual.headlight.ambient = (0.5, 0.5, 0.5)
    spec.visual.headlight.diffuse = (0.4, 0.4, 0.4)
    spec.visual.headlight.specular = (0, 0, 0)
    spec.visual.quality.shadowsize = 0
    spec.visual.quality.offsamples = 0
    spec.visual.map.znear = 0.01
    spec.visual.global_.offwidth, spec.visual.global_.offheight = 640, 480
    spec.stat.extent, spec.stat.center = 2 * HALF_SIZE, (0, 0, 0)
    world = spec.worldbody
    height = 3.2 * HALF_SIZE
    world.add_camera(name="overhead", pos=(0, 0, height), fovy=45)
    lamp = world.add_light(name="lamp", pos=(0, 0, 3), dir=(0.2, 0.1, -1), type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL)
    lamp.castshadow, lamp.diffuse = False, (0.3, 0.3, 0.3)
    world.add_geom(name="floor", type=mujoco.mjtGeom.mjGEOM_PLANE, size=(5, 5, 5), rgba=(0.45, 0.45, 0.42, 1))
    colours = {"east": (0.25, 0.45, 0.7), "north": (0.3, 0.6, 0.35), "west": (0.7, 0.6, 0.3), "south": (0.5, 0.35, 0.6)}
    for index, (side, colour) in enumerate(colours.items()):
        angle = index * tau / 4
        away = HALF_SIZE + 0.05
        world.add_geom(
            name=side,
            type=mujoco.mjtGeom.mjGEOM_BOX,
            pos=(away * np.cos(angle), away * np.sin(angle), 0.15),
            quat=(np.cos(angle / 2), 0, 0, np.sin(angle / 2)),
            size=(0.05, HALF_SIZE + 0.1, 0.15),
            rgba=(*colour, 1),
        )
    return spec


def add_rover(spec: mujoco.MjSpec, name: str, colour: tuple[float, float, float]) -> None:
    """Adds a rover whose parts are called `<name>/...`."""
    rover = mujoco.MjSpec.from_file(str(_XML))
    rover.geom("chassis").rgba = (*colour, 1)
    frame = spec.worldbody.add_frame()
    frame.attach_body(rover.body("chassis"), f"{name}/", "")
    spec.body(f"{name}/chassis").add_freejoint(name=f"{name}/free")


def wheel_speeds(forward: float, turn: float) -> NDArray[np.float64]:
    """Speeds of the left and the right wheel (rad/s) that drive `forward` (m/s) and `turn` to the left (rad/s)."""
    return np.array([forward - turn * TRACK / 2, forward + turn * TRACK / 2]) / WHEEL_RADIUS


class Rover:
    """A rover of a compiled model.

    Args:
        model: with the rover in it.
        name: as in `add_rover`.
    """

    def __init__(self, model: mujoco.MjModel, name: str) -> None:
        self.name = name
        self.camera = f"{name}/front"
        self._free = int(model.joint(f"{name}/free").qposadr[0])
        self._body = int(model.body(f"{name}/chassis").id)
        wheels = (f"{name}/left_wheel", f"{name}/right_wheel")
        self._wheels = np.array([model.joint(wheel).qposadr[0] for wheel in wheels])
        self._motors = np.array([model.actuator(wheel).id for wheel in wheels])
        bodies = [self._body, *(model.body(wheel).id for wheel in wheels)]
        self.geoms = np.flatnonzero(np.isin(model.geom_bodyid, bodies))
        self.fastest = float(model.actuator_ctrlrange[self._motors[0], 1])
        self._reading = self._before = np.zeros(2)

    def place(self, data: mujoco.MjData, position: NDArray[np.float64], heading: float) -> None:
        """Puts it at rest: `position` (x, y) in m, `heading` in rad from x towards y."""
        at = self._free
        data.qpos[at : at + 7] = (*position, 0, np.cos(heading / 2), 0, 0, np.sin(heading / 2))
        self._reading = self._before = self.reading(data.qpos)

    def drive(self, data: mujoco.MjData, action: NDArray[np.floating]) -> None:
        """Commands the left and the right wheel, each in [-1, 1] of `fastest` rad/s, for one control step."""
        self._before = self._reading
        data.ctrl[self._motors] = self.fastest * action

    def proprio(self, data: mujoco.MjData, dt: float) -> NDArray[np.float32]:
        """Speeds of the wheels by the encoders since the last time, `dt` s ago, and as commanded, rad/s: (4,)."""
        self._reading = self.reading(data.qpos)
        speeds = (self._reading - self._before) / dt
        return np.concatenate((speeds, data.ctrl[self._motors]), dtype=np.float32)

    def position(self, data: mujoco.MjData) -> NDArray[np.float64]:
        """(x, y) in m."""
        return data.qpos[self._free : self._free + 2]

    def heading(self, data: mujoco.MjData) -> float:
        """rad from x towards y."""
        w, x, y, z = data.qpos[self._free + 3 : self._free + 7]
        return float(np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z)))

    def towards(self, data: mujoco.MjData, target: NDArray[np.float64], speed: float = 1.0) -> NDArray[np.float64]:
        """The action that turns to a point (x, y) in m and drives there; backwards with a negative speed."""
        offset = target - self.position(data)
        error = np.arctan2(offset[1], offset[0]) - self.heading(data) + (0 if speed > 0 else np.pi)
        error = (error + np.pi) % tau - np.pi
        forward = speed * max(0.0, np.cos(error)) ** 3
        turn = np.clip(1.2 * error, -0.8, 0.8)
        return np.clip(np.array([forward - turn, forward + turn]), -1, 1)

    def reading(self, qpos: NDArray[np.float64]) -> NDArray[np.float64]:
        """What the encoders of the left and the right wheel read, rad."""
        return np.rint(qpos[self._wheels] / _ENCODER_STEP) * _ENCODER_STEP


def apart(rng: np.random.Generator, count: int, half_size: float, distance: float) -> NDArray[np.float64]:
    """(count, 2) points in m, uniform within a square of `2 * half_size`, no two nearer than `distance`.

    Raises:
        ValueError: so many hardly fit.
    """
    points = np.empty((0, 2))
    for _ in range(1000 * count):
        point = rng.uniform(-half_size, half_size, 2)
        if np.all(np.linalg.norm(points - point, axis=1) >= distance):
            points = np.vstack([points, point])
        if len(points) == count:
            return points
    raise ValueError(f"{count} things do not fit {distance} m apart into {2 * half_size:g} m: ask for fewer")
