"""Where the robot must not be: planes and boxes, judged by the forward kinematics of its URDF.

Points of the robot are the origins of its links and points on the lines between them, as far as they move. Clearance is
how far the nearest of them is from the nearest zone; it changes by no more than the points move, and these by no more
than joints times what they reach, so a path is judged whole by looking at some of its configurations.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from robot_agent_bodies.errors import ParameterError
from robot_agent_bodies.gate.brake import moved
from robot_agent_bodies.gate.motion import Motion, extremes

RESOLUTION = 0.003
"""m that the robot stays further away, so that a look at some configurations is enough."""
MOST_LOOKS = 100
"""Configurations that are looked at for one output, at most: some 50 µs each."""
_HALVINGS = 6
"""Of the last step towards a border."""
_ROUNDING = 1e-6
"""m, so that standing still is allowed."""
_SPACING = 0.03
"""m between points on the line between two links, at most."""


class Zone(Protocol):
    """A part of space that the robot must not be in."""

    def distance(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """m from points (n, 3) of the base frame to the zone, negative inside: (n,)."""


@dataclass(frozen=True)
class Plane:
    """All that lies behind a plane: the points x with normal · x < offset, in the base frame, m."""

    normal: tuple[float, float, float]
    offset: float

    def distance(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """How far in front."""
        return points @ np.array(self.normal) - self.offset


@dataclass(frozen=True)
class Box:
    """A box along the axes of the base frame, between two corners, m."""

    low: tuple[float, float, float]
    high: tuple[float, float, float]

    def distance(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """To the nearest face."""
        low, high = np.array(self.low), np.array(self.high)
        beyond = np.abs(points - (low + high) / 2) - (high - low) / 2
        inside: NDArray[np.float64] = np.minimum(beyond.max(axis=1), 0.0)
        return inside + np.sqrt(np.square(np.maximum(beyond, 0.0)).sum(axis=1))


def zone(text: str) -> Zone:
    """A zone from `plane NX NY NZ OFFSET` or `box X Y Z X Y Z`, in m.

    Raises:
        ParameterError: it is neither.
    """
    name, *rest = text.split() or [""]
    try:
        numbers = [float(one) for one in rest]
    except ValueError:
        numbers = []
    if all(map(math.isfinite, numbers)):
        if name == "plane" and len(numbers) == 4 and any(numbers[:3]):
            x, y, z, offset = numbers
            length = math.hypot(x, y, z)
            return Plane((x / length, y / length, z / length), offset / length)
        if name == "box" and len(numbers) == 6:
            x, y, z, u, v, w = numbers
            if x != u and y != v and z != w:
                return Box((min(x, u), min(y, v), min(z, w)), (max(x, u), max(y, v), max(z, w)))
    raise ParameterError(
        f"keep_out has {text!r}, expected 'plane NX NY NZ OFFSET', which the robot is in front of, or "
        "'box X Y Z X Y Z' between two corners, in m of the base link"
    )


def least_clearance(clearance: float) -> float:
    """What a robot with a clearance is to keep, m: 0, or no less than it has, if it rests nearer or inside."""
    return min(0.0, clearance - RESOLUTION - _ROUNDING)


class KeepOut:
    """The zones and the robot's points.

    Args:
        urdf: the text of the robot's URDF; joints that are not named are as at 0.
        joints: names, in order.
        zones: that points stay out of.
        margin: m, by which they stay away from zones.

    Attributes:
        reach: m that a point moves when a joint moves by 1 rad (or 1 m), at most.

    Raises:
        ParameterError: MuJoCo cannot read the URDF.
    """

    def __init__(self, urdf: str, joints: Sequence[str], zones: Sequence[Zone], margin: float) -> None:
        self.zones, self.margin = tuple(zones), margin
        self._model, self._data, self._kinematics = _skeleton(urdf)
        model = self._model
        named = [model.joint(name) for name in joints]
        self._addresses = [int(joint.qposadr[0]) for joint in named]
        parents = [int(parent) for parent in model.body_parentid]
        lengths, points = [0.0] * len(parents), []
        for body in range(1, len(parents)):
            link = np.array(model.body_pos[body])
            count = max(1, math.ceil(float(np.linalg.norm(link)) / _SPACING))
            points += [(parents[body], link * step / count) for step in range(1, count + 1)]
            points.append((body, np.zeros(3)))  # a sliding joint takes it off that line
        for body in reversed(range(1, len(parents))):  # children come after their parents
            link_length = float(np.linalg.norm(model.body_pos[body])) + self._slide(body)
            lengths[parents[body]] = max(lengths[parents[body]], link_length + lengths[body])
        self.reach = [1.0 if self._slide(int(joint.bodyid[0])) else lengths[int(joint.bodyid[0])] for joint in named]
        self._bodies = np.array([body for body, _ in points], dtype=int)
        self._local = np.array([point for _, point in points]).reshape(-1, 3)
        moves = self._moves()
        if not moves.any():
            raise ParameterError(
                f"keep_out has nothing to watch: in the URDF {', '.join(joints)} move no link's origin"
            )
        self._bodies, self._local = self._bodies[moves], self._local[moves]

    def _moves(self) -> NDArray[np.bool_]:
        """Which points move at all: others are where the robot is mounted, and in front of nothing."""
        draw = np.random.default_rng(0)
        seen = np.array([self.points(draw.uniform(-1, 1, len(self.reach))) for _ in range(8)])
        moves: NDArray[np.bool_] = np.ptp(seen, axis=0).max(axis=1) > 1e-6
        return moves

    def _slide(self, body: int) -> float:
        """m that a body slides along its joint at most; 0 if it does not slide."""
        import mujoco

        for joint in range(
            self._model.body_jntadr[body], self._model.body_jntadr[body] + self._model.body_jntnum[body]
        ):
            if int(self._model.jnt_type[joint]) == int(mujoco.mjtJoint.mjJNT_SLIDE):
                return float(np.abs(self._model.jnt_range[joint]).max())
        return 0.0

    def points(self, positions: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
        """The robot's points in the base frame (n, 3), m, where joints are at positions."""
        self._data.qpos[self._addresses] = positions
        self._kinematics(self._model, self._data)
        rotations = self._data.xmat[self._bodies].reshape(-1, 3, 3)
        points: NDArray[np.float64] = np.einsum("nij,nj->ni", rotations, self._local) + self._data.xpos[self._bodies]
        return points

    def clearance(self, positions: Sequence[float]) -> float:
        """m from the robot to the nearest zone, less the margin; negative inside."""
        points = self.points(positions)
        return min(float(zone.distance(points).min()) for zone in self.zones) - self.margin

    def allows(self, motions: Sequence[Motion], least: float = 0.0) -> bool:
        """Whether the clearance stays above the least one all along motions of the joints, to their end.

        Motions that graze a zone for so long that it takes too many looks are not allowed either.
        """
        end, time = max(motion.seconds for motion in motions), 0.0
        speeds = [_speeds_ahead(motion) for motion in motions]
        for _ in range(MOST_LOOKS):
            over = self.clearance([motion.at(time).position for motion in motions]) - least
            if not over >= RESOLUTION:
                return False
            ahead = [next((speed for until, speed in one if time < until), 0.0) for one in speeds]
            speed = sum(reach * fastest for reach, fastest in zip(self.reach, ahead, strict=True))
            if time >= end or speed == 0:
                return True
            time = min(time + over / speed, end)
        return False

    def nearest(self, start: Sequence[float], goal: Sequence[float], least: float = 0.0) -> list[float]:
        """The last configuration on the straight way from one to another before the clearance is too small.

        A little more than `allows` asks for is kept, but not more than there is at the start. It need not be exact: it
        is where the robot slows down to, and `allows` judges how it gets there.
        """
        way = [b - a for a, b in zip(start, goal, strict=True)]
        length = sum(reach * abs(change) for reach, change in zip(self.reach, way, strict=True))

        def at(share: float) -> list[float]:
            return [a + share * change for a, change in zip(start, way, strict=True)]

        over, share, good = self.clearance(start) - least, 0.0, 0.0
        kept = min(1.5 * RESOLUTION, over)
        while over >= kept and share < 1 and length > 0:
            good, share = share, min(1.0, share + max((over - kept + RESOLUTION / 2) / length, 1 / MOST_LOOKS))
            over = self.clearance(at(share)) - least
        if over >= kept:
            return at(share)
        for _ in range(_HALVINGS):
            middle = (good + share) / 2
            good, share = (middle, share) if self.clearance(at(middle)) - least >= kept else (good, middle)
        return at(good)


def _speeds_ahead(motion: Motion) -> list[tuple[float, float]]:
    """For each phase when it ends, s, and the highest speed from its beginning on, rad/s."""
    speeds, state = [], motion.start
    for phase in motion.phases:
        speeds.append(max(abs(state.velocity), *(abs(there.velocity) for there in extremes(state, phase)), 0.0))
        state = moved(state, *phase)
    ahead = list(accumulate(reversed(speeds), max))[::-1]
    return list(zip(motion.ends(), ahead, strict=True))


def _skeleton(urdf: str) -> tuple[Any, Any, Any]:
    """MuJoCo's model of the links without shapes and masses, its data, and its kinematics."""
    import mujoco  # only a robot with zones needs it

    try:
        root = ElementTree.fromstring(urdf.strip())
        for link in root.iter("link"):
            for name in ("visual", "collision", "inertial"):
                for part in link.findall(name):
                    link.remove(part)
        for old in root.findall("mujoco"):
            root.remove(old)
        options = ElementTree.SubElement(ElementTree.SubElement(root, "mujoco"), "compiler")
        options.attrib.update(fusestatic="false", boundmass="1", boundinertia="1", balanceinertia="true")
        model = mujoco.MjModel.from_xml_string(ElementTree.tostring(root, encoding="unicode"))
    except (ElementTree.ParseError, ValueError) as error:
        raise ParameterError(f"the URDF cannot be used for keep_out: {error}".replace("\n", " ")) from None
    return model, mujoco.MjData(model), mujoco.mj_kinematics
