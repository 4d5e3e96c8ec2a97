"""Intrinsics, distortion and the pose of each view from corners: bundle adjustment with its covariance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from robot_agent_calibration.camera.lens import DISTORTION, Lens
from robot_agent_calibration.camera.views import View
from robot_agent_calibration.errors import CalibrationError
from robot_agent_calibration.geometry import Array, exp, hat, log
from robot_agent_calibration.recording.board import Board
from robot_agent_calibration.recording.images import opencv
from robot_agent_calibration.solve import covariance, minimise

FISHEYES = np.geomspace(1.2, 4.0, 15)
"""rad across the picture that a fisheye may see if it is linear: where the search for its focal length starts."""


@dataclass(frozen=True)
class LensFit:
    """A camera and the views that it was estimated from.

    Args:
        lens: the estimate.
        covariance: of its parameters, (p, p).
        pose_covariances: of a twist a view, (v, 6, 6).
        transforms_board_to_camera: of each view, (v, 4, 4).
        views: those that were used.
        residuals: found minus predicted pixels of each view, (n, 2) each.
        noise: standard deviation of a corner's coordinate, px.
    """

    lens: Lens
    covariance: Array
    pose_covariances: Array
    transforms_board_to_camera: Array
    views: Sequence[View]
    residuals: Sequence[Array]
    noise: float

    @property
    def rms(self) -> float:
        """Root mean square distance between found and predicted corners, px."""
        return float(np.sqrt(np.mean(np.concatenate(self.residuals) ** 2) * 2))

    def view_rms(self) -> Array:
        """The same of each view, (v,)."""
        return np.array([np.sqrt(np.mean(residual**2) * 2) for residual in self.residuals])


def fit_lens(views: Sequence[View], board: Board, size: tuple[int, int], model: str) -> LensFit:
    """Estimates a camera from at least three views.

    Args:
        views: of at least 6 corners each.
        board: that they show.
        size: of the images, (width, height).
        model: one of `lens.DISTORTION`.

    Raises:
        CalibrationError: the views do not determine the camera.
    """
    corners = Corners(views, board)
    state = _equidistant_start(corners, size) if model == "equidistant" else _opencv_start(views, board, size, model)
    for _ in range(3):
        (lens, poses), matrix = minimise(
            lambda state: corners.normal_equations(*state),
            lambda state: float(np.sum(corners.residuals(*state) ** 2)),
            lambda state, step: _moved(*state, step),
            state,
        )
        state = lens, _unmirrored(lens, poses, corners)
        if state[1] is poses:
            break
    residuals = corners.residuals(lens, poses)
    unknowns = len(matrix)
    freedom = residuals.size - unknowns
    if freedom < unknowns:
        raise CalibrationError(f"{residuals.size // 2} corners are too few for {unknowns} unknowns: add views")
    noise = float(np.sqrt(np.sum(residuals**2) / freedom))
    spread = covariance(matrix) * noise**2
    p = len(lens.parameters)
    of_poses = np.stack([spread[at : at + 6, at : at + 6] for at in range(p, unknowns, 6)])
    of_lens = _no_narrower_than_views_say(spread[:p, :p], corners.scores(lens, poses), noise, freedom / residuals.size)
    return LensFit(lens, of_lens, of_poses, poses, tuple(views), corners.split(residuals), noise)


class Corners:
    """The corners of all views side by side."""

    def __init__(self, views: Sequence[View], board: Board) -> None:
        self.points = board.corners()[np.concatenate([view.ids for view in views])]
        self.pixels = np.concatenate([view.pixels for view in views])
        self.counts = [len(view.ids) for view in views]
        self.view = np.repeat(np.arange(len(views)), self.counts)
        self.starts = np.concatenate([[0], np.cumsum(self.counts)[:-1]])

    def split(self, rows: Array) -> list[Array]:
        """Rows of corners, a list of views."""
        return np.split(rows, np.cumsum(self.counts)[:-1])

    def residuals(self, lens: Lens, poses: Array) -> Array:
        """Found minus predicted, (n, 2) in px."""
        return self.pixels - lens.project(self._in_camera(poses))

    def normal_equations(self, lens: Lens, poses: Array) -> tuple[float, Array, Array]:
        """r·r, Jᵀr and JᵀJ by the lens's parameters and then a twist a view (`exp(twist) @ pose`)."""
        points = self._in_camera(poses)
        predicted, by_point, by_lens = lens.project_with_derivatives(points)
        residual = self.pixels - predicted
        by_twist = np.concatenate([-by_point @ hat(points), by_point], axis=-1)
        p, n = len(lens.parameters), len(lens.parameters) + 6 * len(poses)
        matrix, gradient = np.zeros((n, n)), np.zeros(n)
        flat = by_lens.reshape(-1, p)
        matrix[:p, :p] = flat.T @ flat
        gradient[:p] = -flat.T @ residual.ravel()
        cross = np.add.reduceat(np.swapaxes(by_lens, 1, 2) @ by_twist, self.starts)
        square = np.add.reduceat(np.swapaxes(by_twist, 1, 2) @ by_twist, self.starts)
        pull = np.add.reduceat((np.swapaxes(by_twist, 1, 2) @ residual[..., None])[..., 0], self.starts)
        for view in range(len(poses)):
            own = slice(p + 6 * view, p + 6 * view + 6)
            matrix[:p, own], matrix[own, :p], matrix[own, own] = cross[view], cross[view].T, square[view]
            gradient[own] = -pull[view]
        return float(np.sum(residual**2)), gradient, matrix

    def scores(self, lens: Lens, poses: Array) -> Array:
        """Each view's share of Jᵀr by the lens's parameters, (v, p); those by the poses are 0 at the minimum."""
        predicted, _, by_lens = lens.project_with_derivatives(self._in_camera(poses))
        shares = (np.swapaxes(by_lens, 1, 2) @ (self.pixels - predicted)[..., None])[..., 0]
        return np.asarray(np.add.reduceat(shares, self.starts))

    def _in_camera(self, poses: Array) -> Array:
        own = poses[self.view]
        return (own[:, :3, :3] @ self.points[..., None])[..., 0] + own[:, :3, 3]


def _no_narrower_than_views_say(spread: Array, scores: Array, noise: float, freedom: float) -> Array:
    """The covariance `spread` of the lens, widened where the views scatter more than independent corners would.

    In real pictures the corners of a view err together. The sandwich estimate (Liang and Zeger, 1986) with views as
    clusters sees that; with few views it scatters itself, so that it may only widen.
    """
    bread = spread / noise**2
    clustered = bread @ (scores.T @ scores) @ bread * len(scores) / (len(scores) - 1) / freedom
    wider = np.sqrt(np.maximum(np.diag(clustered) / np.diag(spread), 1.0))
    return spread * np.outer(wider, wider)


def _moved(lens: Lens, poses: Array, step: Array) -> tuple[Lens, Array]:
    p = len(lens.parameters)
    return replace(lens, parameters=lens.parameters + step[:p]), exp(step[p:].reshape(-1, 6)) @ poses


def _opencv_start(views: Sequence[View], board: Board, size: tuple[int, int], model: str) -> tuple[Lens, Array]:
    """OpenCV's own calibration, from which ours starts."""
    cv2 = opencv()
    points = [board.corners()[view.ids].astype(np.float32) for view in views]
    pixels = [view.pixels.astype(np.float32) for view in views]
    # Few coefficients first: all at once from a poor start can end in a lens that folds over.
    flags = cv2.CALIB_ZERO_TANGENT_DIST | cv2.CALIB_FIX_K2 | cv2.CALIB_FIX_K3
    try:
        _, matrix, coefficients, rotations, translations = cv2.calibrateCamera(
            points, pixels, size, None, None, flags=flags
        )
    except cv2.error as error:
        raise CalibrationError(
            f"{len(views)} views do not determine a {model} camera ({str(error).split('error:')[-1].strip()[:80]}): "
            "add views with more tilt, or ask for another model"
        ) from error
    rotation_vectors = np.array(rotations, np.float64).reshape(-1, 3)
    poses = exp(np.concatenate([rotation_vectors, np.zeros_like(rotation_vectors)], axis=1))
    poses[:, :3, 3] = np.array(translations, np.float64).reshape(-1, 3)
    parameters = np.zeros(4 + len(DISTORTION[model]))
    parameters[:4] = matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2]
    own = coefficients.ravel()[: len(parameters) - 4]
    parameters[4 : 4 + len(own)] = own
    return Lens(model, parameters, size), poses


def _equidistant_start(corners: Corners, size: tuple[int, int]) -> tuple[Lens, Array]:
    """The best of some lenses without coefficients, and the poses of the views by it.

    OpenCV's own calibration of fisheye lenses fails on an assertion where it meets corners far off the axis.
    """
    centre, starts = (np.array(size) - 1) / 2, []
    for across in FISHEYES:
        lens = Lens("equidistant", np.array([size[0] / across, size[0] / across, *centre, 0, 0, 0, 0]), size)
        alone = list(_planar_poses(lens, corners))
        if all(alone):
            best = [min(poses, key=lambda pose: pose[0]) for poses in alone]
            starts.append((sum(cost for cost, _ in best), lens, np.stack([pose for _, pose in best])))
    if not starts:
        raise CalibrationError(
            f"{len(corners.counts)} views do not determine an equidistant camera: add views with more tilt"
        )
    _, lens, poses = min(starts, key=lambda start: start[0])
    return lens, poses


def _planar_poses(lens: Lens, corners: Corners) -> Iterator[list[tuple[float, Array]]]:
    """For each view alone, the poses before the camera that explain it, each after the sum of its squared errors, px².

    A plane has two of them: seen from afar it looks nearly the same tilted the other way.
    """
    cv2 = opencv()
    by_view = zip(
        corners.split(corners.points),
        corners.split(corners.pixels),
        corners.split(lens.rays(corners.pixels)),
        strict=True,
    )
    for points, pixels, ideal in by_view:
        found = []
        count, rotations, translations, _ = cv2.solvePnPGeneric(
            points, ideal[:, None], np.eye(3), None, flags=cv2.SOLVEPNP_IPPE
        )
        for rotation, translation in zip(rotations[:count], translations[:count], strict=True):
            pose = exp(np.append(rotation.ravel(), np.zeros(3)))
            pose[:3, 3] = translation.ravel()
            if (points @ pose[2, :3] + pose[2, 3]).min() > 0:
                away = lens.project(points @ pose[:3, :3].T + pose[:3, 3]) - pixels
                found.append((float(np.sum(away**2)), pose))
        yield found


def _unmirrored(lens: Lens, poses: Array, corners: Corners) -> Array:
    """The poses, those that fit worse than the best pose of their view alone replaced: a fit can get caught there."""
    replaced = poses.copy()
    residuals = corners.split(corners.residuals(lens, poses))
    for view, (residual, alone) in enumerate(zip(residuals, _planar_poses(lens, corners), strict=True)):
        cost, pose = min(alone, key=lambda own: own[0], default=(np.inf, None))
        if pose is not None and cost < 0.7 * np.sum(residual**2):
            replaced[view] = pose
    return replaced if (replaced != poses).any() else poses


def mean_pose(poses: Array) -> Array:
    """The mean of transforms (n, 4, 4) that lie close together."""
    mean = poses[0]
    for _ in range(10):
        mean = exp(np.mean(log(poses @ np.linalg.inv(mean)), axis=0)) @ mean
    return mean
