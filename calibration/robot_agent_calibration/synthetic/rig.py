"""Views with known truth, made without rendering: for tests, and to count how often intervals hold the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from robot_agent_calibration.arm.chain import Chain
from robot_agent_calibration.arm.mounting import Mounting
from robot_agent_calibration.camera.lens import Lens
from robot_agent_calibration.camera.views import View
from robot_agent_calibration.errors import CalibrationError
from robot_agent_calibration.geometry import Array, adjoint, exp, inverse
from robot_agent_calibration.recording.board import Board
from robot_agent_calibration.recording.recording import Samples

Ids = NDArray[np.int64]
FAR = 2.0
"""m; a camera farther than this from the board is of no use."""


def random_lens(rng: np.random.Generator, model: str = "plumb_bob", size: tuple[int, int] = (640, 480)) -> Lens:
    """A camera as robots carry them: 55° to 80° wide (100° to 130° with a fisheye lens), not quite centred."""
    width, height = size
    while True:
        centre = np.array([width - 1, height - 1]) / 2 + rng.uniform(-1, 1, 2) * 0.02 * width
        if model == "equidistant":
            focal = width / np.radians(rng.uniform(100, 130))
            coefficients = rng.uniform((-0.03, -0.01, -0.005, -0.002), (0.06, 0.01, 0.005, 0.002))
        else:
            focal = width / 2 / np.tan(np.radians(rng.uniform(55, 80)) / 2)
            coefficients = rng.uniform((-0.3, 0.0, -0.002, -0.002, -0.03), (0.05, 0.12, 0.002, 0.002, 0.0))
            coefficients = np.append(coefficients, np.zeros(3 if model == "rational_polynomial" else 0))
        parameters = np.concatenate([[focal, focal * rng.uniform(0.995, 1.005)], centre, coefficients])
        lens = Lens(model, parameters, size)
        if _opens(lens):
            return lens


def _opens(lens: Lens) -> bool:
    """Whether what lies farther out is seen farther out, to well beyond the image: no real lens folds."""
    out = np.linspace(0, 1.35 * np.hypot(*lens.size) / 2 / lens.parameters[0], 60)
    if lens.model == "equidistant":
        out = np.tan(np.minimum(out, 1.5))
    along = lens.project(np.stack([out, np.zeros_like(out), np.ones_like(out)], axis=1))[:, 0]
    return bool(along[-1] > 1.15 * np.hypot(*lens.size) / 2 + lens.parameters[2] and (np.diff(along) > 0).all())


def seen(lens: Lens, board: Board, transform_board_to_camera: Array, margin: float = 4.0) -> tuple[Ids, Array]:
    """Ids (n,) and true pixels (n, 2) of the corners inside the image, none where the board shows its back."""
    corners = board.corners()
    points = corners @ transform_board_to_camera[:3, :3].T + transform_board_to_camera[:3, 3]
    nothing = np.empty(0, np.int64), np.empty((0, 2))
    towards = transform_board_to_camera[:3, 2] @ points.mean(axis=0) / np.linalg.norm(points.mean(axis=0))
    if points[:, 2].min() < 0.02 or points[:, 2].max() > FAR or towards < np.cos(np.radians(70)):
        return nothing
    # Beyond the image a polynomial lens folds over: points far outside of the field of view must not come back in.
    ideal = points[:, :2] / points[:, 2:]
    pixels = lens.project(points)
    inside = np.linalg.norm(ideal, axis=1) < 1.01 * lens.reach
    inside &= (pixels > margin).all(axis=1) & (pixels < np.array(lens.size) - 1 - margin).all(axis=1)
    ids = np.flatnonzero(inside)
    return ids, pixels[ids]


def _border(size: tuple[int, int]) -> Array:
    x, y = np.meshgrid(np.linspace(0, size[0] - 1, 9), np.linspace(0, size[1] - 1, 9))
    return np.stack([x.ravel(), y.ravel()], axis=1)


def random_board_pose(rng: np.random.Generator, lens: Lens, board: Board) -> Array:
    """transform_board_to_camera of a board held somewhere in view, tilted by up to 45°."""
    aim = lens.rays(rng.uniform(0.15, 0.85, (1, 2)) * lens.size)[0]
    reach = float(np.abs(lens.rays(_border(lens.size))[:, 0]).max())
    distance = rng.uniform(0.45, 1.3) * board.size[0] / min(reach, 1.2)
    ray = np.array([aim[0], aim[1], 1.0]) / np.sqrt(1 + aim @ aim)
    direction, tilt = rng.uniform(0, 2 * np.pi), np.radians(rng.uniform(0, 45))
    turn = exp(np.array([0, 0, rng.uniform(-0.6, 0.6), 0, 0, 0]))
    pose = exp(np.array([np.cos(direction) * tilt, np.sin(direction) * tilt, 0, 0, 0, 0])) @ turn
    # A board that faces the ray rather than the optical axis: at the rim of a wide lens it would be seen from the side.
    axis = np.cross([0, 0, 1.0], ray)
    sine = float(np.linalg.norm(axis))
    face = exp(np.concatenate([axis / max(sine, 1e-9) * np.arcsin(min(sine, 1.0)), np.zeros(3)]))
    pose = face @ pose
    pose[:3, 3] = distance * ray - pose[:3, :3] @ np.array([*board.size, 0]) / 2
    return pose


def camera_views(
    rng: np.random.Generator, lens: Lens, board: Board, count: int, noise: float
) -> tuple[list[View], list[Array]]:
    """`count` views of a board moved by hand, corners with Gaussian `noise` in px; and the true poses."""
    views: list[View] = []
    poses: list[Array] = []
    while len(views) < count:
        pose = random_board_pose(rng, lens, board)
        ids, pixels = seen(lens, board, pose)
        if len(ids) >= board.corner_count // 2:
            views.append(View(f"{len(views)}", ids, pixels + rng.normal(0, noise, pixels.shape), float(len(views))))
            poses.append(pose)
    return views, poses


@dataclass(frozen=True)
class Encoders:
    """What stands between a joint's angle and the angle that is recorded.

    angle = ratio · recorded + offset + play, with play uniform within the backlash and recorded in whole encoder steps.

    Args:
        offsets: (j,) rad, zero errors.
        ratios: (j,).
        backlash: rad, all of the free play, of all joints or of each (j,); poses are approached from both sides.
        steps: of the encoder in a turn.
    """

    offsets: Array
    ratios: Array
    backlash: float | Array = np.pi / 180
    steps: int = 4096

    def recorded(self, rng: np.random.Generator, angles: Array) -> Array:
        """Of true angles (n, j), rad."""
        play = self.backlash * rng.uniform(-0.5, 0.5, angles.shape)
        step = 2 * np.pi / self.steps
        return np.round((angles - self.offsets - play) / self.ratios / step) * step


@dataclass(frozen=True)
class Rig:
    """An arm, a camera and a board: the truth of a synthetic recording.

    Args:
        in_hand: the camera is on the hand and the board stands; else the board is on the hand and the camera stands.
        transform_camera_to_mount: mount is the hand if `in_hand`, else the base.
        transform_board_to_other: of the base if `in_hand`, else of the hand.
    """

    chain: Chain
    lens: Lens
    board: Board
    in_hand: bool
    transform_camera_to_mount: Array
    transform_board_to_other: Array
    encoders: Encoders = field(repr=False)

    def transform_board_to_camera(self, angles: Array) -> Array:
        """For true joint angles (n, j), (n, 4, 4)."""
        hand_to_base = self.chain.transform_hand_to_base(angles)
        between = inverse(hand_to_base) if self.in_hand else hand_to_base
        return inverse(self.transform_camera_to_mount) @ between @ self.transform_board_to_other


def as_recorded(rig: Rig) -> Mounting:
    """The mounting as the recorded angles see it: with the zeros of the first and last joint in it, which no view tells
    from it."""
    offsets, twists, home = rig.encoders.offsets, rig.chain.twists, rig.chain.home
    at_base = exp(-twists[0] * offsets[0])
    at_hand = exp(adjoint(inverse(home)) @ twists[-1] * offsets[-1])
    camera, other = (at_hand, at_base) if rig.in_hand else (at_base, at_hand)
    return Mounting(rig.in_hand, camera @ rig.transform_camera_to_mount, other @ rig.transform_board_to_other)


def random_rig(rng: np.random.Generator, chain: Chain, in_hand: bool, zero_error: float = np.radians(1)) -> Rig:
    """The SO-101 with a camera on its hand above a board on the table, or with a board in its hand before a camera."""
    lens = random_lens(rng)
    encoders = Encoders(
        rng.choice([-1, 1], len(chain.names)) * zero_error * rng.uniform(0.5, 1, len(chain.names)),
        rng.uniform(0.99, 1.01, len(chain.names)),
    )
    wobble = exp(np.concatenate([rng.uniform(-0.15, 0.15, 3), rng.uniform(-0.01, 0.01, 3)]))
    if in_hand:
        board = Board((8, 6), 0.025, 0.0175)
        mount = (
            looking(np.array([-0.01, 0.075, -0.005]), np.array([-0.005, 0.02, -0.14]), np.array([0, 1.0, 0])) @ wobble
        )
        other = np.diag([1.0, -1, -1, 1])
        other[:3, :3] = exp(np.array([0, 0, rng.uniform(-0.4, 0.4), 0, 0, 0]))[:3, :3] @ other[:3, :3]
        other[:3, 3] = np.array([0.27, 0, 0.003]) + rng.uniform(-0.02, 0.02, 3) * (1, 1, 0)
        other[:3, 3] -= other[:3, :3] @ np.array([*board.size, 0]) / 2
    else:
        board = Board((6, 5), 0.024, 0.017)
        eye = np.array([0.56, 0, 0.32]) + rng.uniform(-0.05, 0.05, 3)
        mount = looking(eye, np.array([0.2, 0, 0.17]), np.array([0, 0, 1.0])) @ wobble
        # The board hangs before the jaws and looks along them.
        other = exp(np.concatenate([rng.uniform(-0.2, 0.2, 3), np.zeros(3)]))
        other[:3, 3] = np.array([-0.005, 0, -0.11]) - other[:3, :3] @ np.array([*board.size, 0]) / 2
    return Rig(chain, lens, board, in_hand, mount, other, encoders)


def looking(eye: Array, at: Array, up: Array) -> Array:
    """transform_camera_to_world of an optical frame at `eye` that looks at a point."""
    z = (at - eye) / np.linalg.norm(at - eye)
    x = np.cross(z, up) / np.linalg.norm(np.cross(z, up))
    transform = np.eye(4)
    transform[:3, :3] = np.stack([x, np.cross(z, x), z], axis=1)
    transform[:3, 3] = eye
    return transform


def arm_poses(rng: np.random.Generator, rig: Rig, count: int, share: float = 0.5) -> Array:
    """True joint angles (count, j) at which the camera sees at least `share` of the board.

    Raises:
        CalibrationError: the camera hardly ever sees the board.
    """
    low, high = rig.chain.ranges.T * 0.95
    found: list[Array] = []
    for _ in range(400):
        angles = rng.uniform(low, high, (500, len(low)))
        poses = rig.transform_board_to_camera(angles)
        centre = (poses @ np.array([*np.array(rig.board.size) / 2, 0, 1]))[:, :3]
        hand = rig.chain.transform_hand_to_base(angles)
        eye = (hand @ rig.transform_camera_to_mount)[:, 2, 3] if rig.in_hand else hand[:, 2, 3]
        near = (centre[:, 2] > 0.06) & (np.abs(centre[:, :2] / centre[:, 2:]).max(axis=1) < 1.2) & (eye > 0.04)
        for index in np.flatnonzero(near):
            ids, _ = seen(rig.lens, rig.board, poses[index])
            if len(ids) >= share * rig.board.corner_count:
                found.append(angles[index])
            if len(found) == count:
                return np.array(found)
    raise CalibrationError(f"the camera sees the board in only {len(found)} poses of the arm: place them otherwise")


def arm_views(rng: np.random.Generator, rig: Rig, angles: Array, noise: float) -> tuple[list[View], Array]:
    """A view a pose with Gaussian `noise` in px, and the recorded joint angles (n, j)."""
    views = []
    for index, pose in enumerate(rig.transform_board_to_camera(angles)):
        ids, pixels = seen(rig.lens, rig.board, pose)
        views.append(View(f"{index}", ids, pixels + rng.normal(0, noise, pixels.shape), float(index)))
    return views, rig.encoders.recorded(rng, angles)


def standing(views: Sequence[View], chain: Chain, recorded: Array) -> Samples:
    """Joint states (two a view) of an arm that stands still around each view at its recorded angles (n, j)."""
    stamps = np.repeat([view.stamp for view in views], 2) + np.tile([-0.2, 0.2], len(views))
    return Samples(chain.names, stamps, np.repeat(recorded, 2, axis=0))


def wide_views(rng: np.random.Generator, lens: Lens, board: Board, count: int, noise: float) -> list[View]:
    """Views of a board held all around a fisheye lens, with corners up to 100° off its axis, where its model ends."""
    focal, centre, k = lens.parameters[:2], lens.parameters[2:4], lens.distortion
    views: list[View] = []
    while len(views) < count:
        away, around = np.radians(rng.uniform(0, 80)), rng.uniform(0, 2 * np.pi)
        towards = np.array([np.sin(away) * np.cos(around), np.sin(away) * np.sin(around), np.cos(away)])
        face = exp(np.array([-np.sin(around) * away, np.cos(around) * away, 0, 0, 0, 0]))
        pose = face @ exp(np.array([*rng.uniform(-0.6, 0.6, 2), rng.uniform(-3, 3), 0, 0, 0]))
        pose[:3, 3] = rng.uniform(0.5, 1.5) * board.size[0] * towards - pose[:3, :3] @ np.array([*board.size, 0]) / 2
        x, y, z = (board.corners() @ pose[:3, :3].T + pose[:3, 3]).T
        theta = np.arctan2(np.hypot(x, y), z)
        bent = theta * (1 + sum(one * theta ** (2 * order + 2) for order, one in enumerate(k)))
        pixels = centre + focal * (bent / np.hypot(x, y))[:, None] * np.stack([x, y], axis=1)
        inside = ((pixels > 4) & (pixels < np.array(lens.size) - 5)).all(axis=1) & (theta < np.radians(100))
        ids = np.flatnonzero(inside)
        if len(ids) >= board.corner_count // 2:
            views.append(
                View(f"{len(views)}", ids, pixels[ids] + rng.normal(0, noise, (len(ids), 2)), float(len(views)))
            )
    return views
