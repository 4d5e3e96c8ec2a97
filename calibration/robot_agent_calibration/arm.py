"""Camera, board and joints of an arm from one set of views: hand-eye pose, joint zeros and gear ratios together.

A view gives the board's pose in the camera, P, to a few hundredths of a degree. The arm predicts it by its joints:
M = transform_board_to_camera(ratio · recorded + offset + play). Encoder steps and backlash make `play`, unknown in each
view and by far the largest error, so it is neither averaged away nor taken for a fault of the camera: it is a random
effect of each joint with a variance of its own, estimated by restricted maximum likelihood (Patterson and Thompson,
1971) beside `slack`, what bends or was built otherwise. All corners, poses, the lens and the arm are then adjusted at
once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from robot_agent_calibration.chain import Chain
from robot_agent_calibration.errors import CalibrationError
from robot_agent_calibration.geometry import Array, adjoint, exp, inverse, log, small_adjoint
from robot_agent_calibration.intrinsics import Corners, LensFit
from robot_agent_calibration.lens import Lens
from robot_agent_calibration.mounting import Mounting
from robot_agent_calibration.play import Play, Views, estimated, intervals, spread
from robot_agent_calibration.recording.board import Board
from robot_agent_calibration.solve import covariance, minimise
from robot_agent_calibration.views import View


@dataclass(frozen=True)
class Body:
    """What is estimated of the arm: the mounting, and of each joint angle = ratio · recorded + offset."""

    mounting: Mounting
    offsets: Array
    ratios: Array


@dataclass(frozen=True)
class Free:
    """Which joints have unknown offsets and ratios, masks (j,)."""

    offsets: Array
    ratios: Array

    @property
    def count(self) -> int:
        return 12 + int(self.offsets.sum()) + int(self.ratios.sum())


@dataclass(frozen=True)
class ArmFit:
    """The estimate of a body.

    Args:
        body: the estimate.
        free: what of it was estimated.
        covariance: of the camera's twist (in the camera's frame), the board's twist, then free offsets and ratios.
        play: the random errors of the joints, by which views were weighed.
        deviations: (j, 3) rad, of each joint's play as the views alone tell it; see `play.intervals`.
        lens: of the camera, adjusted with the rest.
        views: those that were used.
        misfits: (v, 6) twists of the predicted against the seen pose, in the camera's frame.
        surprise: (v,) their squared lengths by their own covariance, about 6 each.
        residuals: found minus predicted pixels of each view.
        log_scale: of the board against `board.yaml` as the arm sees it, and its standard error.
    """

    body: Body
    free: Free
    covariance: Array
    play: Play
    deviations: Array
    lens: Lens
    views: Sequence[View]
    misfits: Array
    surprise: Array
    residuals: Sequence[Array]
    log_scale: tuple[float, float]

    @property
    def errors(self) -> Array:
        """Standard errors in the order of `covariance`."""
        return np.sqrt(np.diag(self.covariance))


def fit_arm(
    seen: LensFit,
    recorded: Array,
    chain: Chain,
    board: Board,
    start: Mounting,
    free: Free,
    prior: tuple[Array, Array] | None = None,
) -> ArmFit:
    """Estimates the body.

    Args:
        seen: the views, each with the board's pose.
        recorded: joint angles at each view, (v, j) rad.
        chain: of the arm.
        board: that was seen.
        start: from `mounting.closed_form`.
        free: what to estimate beside the mounting.
        prior: of the lens, if it was calibrated before: its parameters and their covariance.

    Raises:
        CalibrationError: the views do not determine it.
    """
    joints = len(chain.names)
    problem = _Problem(recorded, chain, free)
    body = Body(start, np.zeros(joints), np.ones(joints))
    play = Play(np.full(joints, np.radians(0.3)), 1e-3)
    for _ in range(4):
        body = problem.solved(body, seen.transforms_board_to_camera, seen.pose_covariances, play)
        views = problem.views(body, seen.transforms_board_to_camera, seen.pose_covariances)
        play = estimated(views, play)
    corners = Corners(seen.views, board)
    state = _State(seen.lens, seen.transforms_board_to_camera, body)
    weights = np.asarray(np.linalg.inv(spread(views.by_angles, play)), np.float64)
    whole = _Whole(problem, corners, weights, seen.noise, prior)
    state, matrix = minimise(whole.normal_equations, whole.cost, whole.moved, state)
    of_body = covariance(matrix)[-free.count :, -free.count :]
    scale = problem.scale(state.body, seen.transforms_board_to_camera, seen.pose_covariances, play)
    # How badly a view fits, with its pose as the camera alone sees it.
    alone, _, by_angles = problem.linearised(state.body, seen.transforms_board_to_camera)
    total = spread(by_angles, play) + seen.pose_covariances
    surprise = np.einsum("vi,vij,vj->v", alone, np.linalg.inv(total), alone)
    return ArmFit(
        state.body,
        free,
        of_body,
        play,
        intervals(views, play),
        state.lens,
        seen.views,
        alone,
        surprise,
        corners.split(corners.residuals(state.lens, state.poses)),
        scale,
    )


class _Problem:
    """The arm's side: predicted against seen poses."""

    def __init__(self, recorded: Array, chain: Chain, free: Free) -> None:
        self.recorded, self.chain, self.free = recorded, chain, free

    def linearised(self, body: Body, poses: Array) -> tuple[Array, Array, Array]:
        """Misfits ζ = log(M P⁻¹) (v, 6), their derivatives by what is estimated (v, 6, g) and by angles (v, 6, j)."""
        mounting = body.mounting
        angles = body.ratios * self.recorded + body.offsets
        hand_to_base, twists = self.chain.with_twists(angles)
        mount_to_camera = inverse(mounting.transform_camera_to_mount)
        between = inverse(hand_to_base) if mounting.in_hand else hand_to_base
        other_to_camera = mount_to_camera @ between
        misfits = log(other_to_camera @ mounting.transform_board_to_other @ inverse(poses))
        # A joint's twist is known in the base's frame: beyond the arm if the camera is in the hand, else before it.
        base_to_camera = other_to_camera if mounting.in_hand else mount_to_camera
        sign = -1.0 if mounting.in_hand else 1.0
        by_angles = sign * adjoint(base_to_camera) @ np.swapaxes(twists, 1, 2)
        by_camera = np.broadcast_to(np.eye(6), (len(poses), 6, 6))
        parts = [by_camera, adjoint(other_to_camera), by_angles[:, :, self.free.offsets]]
        parts.append((by_angles * self.recorded[:, None, :])[:, :, self.free.ratios])
        left = np.eye(6) - 0.5 * small_adjoint(misfits)
        return misfits, left @ np.concatenate(parts, axis=2), left @ by_angles

    def moved(self, body: Body, step: Array) -> Body:
        """The camera's twist acts on transform_mount_to_camera, the board's on transform_board_to_other."""
        mounting = replace(
            body.mounting,
            transform_camera_to_mount=body.mounting.transform_camera_to_mount @ exp(-step[:6]),
            transform_board_to_other=exp(step[6:12]) @ body.mounting.transform_board_to_other,
        )
        count = int(self.free.offsets.sum())
        offsets, ratios = body.offsets.copy(), body.ratios.copy()
        offsets[self.free.offsets] += step[12 : 12 + count]
        ratios[self.free.ratios] += step[12 + count :]
        return Body(mounting, offsets, ratios)

    def views(self, body: Body, poses: Array, of_poses: Array) -> Views:
        """What the likelihood of play is made of."""
        return Views(*self.linearised(body, poses), of_poses)

    def solved(self, body: Body, poses: Array, of_poses: Array, play: Play) -> Body:
        """Generalised least squares on the poses, iterated."""
        for _ in range(50):
            misfits, design, by_angles = self.linearised(body, poses)
            weights = np.linalg.inv(spread(by_angles, play) + of_poses)
            matrix = np.einsum("vig,vij,vjh->gh", design, weights, design)
            step = -covariance(matrix) @ np.einsum("vig,vij,vj->g", design, weights, misfits)
            step *= min(1.0, 0.5 / max(np.abs(step).max(), 1e-12))
            body = self.moved(body, step)
            if np.abs(step).max() < 1e-8:
                return body
        raise CalibrationError(
            "the arm's poses contradict what the camera saw: check the model, its hand and the joints"
        )

    def scale(self, body: Body, poses: Array, of_poses: Array, play: Play) -> tuple[float, float]:
        """Logarithm of the board's true over its stated size, and its standard error."""
        misfits, design, by_angles = self.linearised(body, poses)
        stretch = np.zeros((len(poses), 6, 1))
        stretch[:, 3:, 0] = -poses[:, :3, 3]
        design = np.concatenate([design, stretch], axis=2)
        weights = np.linalg.inv(spread(by_angles, play) + of_poses)
        matrix = np.einsum("vig,vij,vjh->gh", design, weights, design)
        inverted = covariance(matrix)
        step = -inverted @ np.einsum("vig,vij,vj->g", design, weights, misfits)
        return float(step[-1]), float(np.sqrt(inverted[-1, -1]))


@dataclass(frozen=True)
class _State:
    lens: Lens
    poses: Array
    body: Body


class _Whole:
    """Corners and arm together; unknowns are the lens, a twist a view, then the body."""

    def __init__(
        self,
        problem: _Problem,
        corners: Corners,
        weights: Array,
        noise: float,
        prior: tuple[Array, Array] | None,
    ) -> None:
        self.problem, self.corners, self.weights, self.noise = problem, corners, weights, noise
        self.prior = None if prior is None else (prior[0], np.linalg.inv(prior[1]))

    def cost(self, state: _State) -> float:
        misfits, _, _ = self.problem.linearised(state.body, state.poses)
        value = float(np.sum(self.corners.residuals(state.lens, state.poses) ** 2)) / self.noise**2
        value += float(np.einsum("vi,vij,vj->", misfits, self.weights, misfits))
        if self.prior is not None:
            away = state.lens.parameters - self.prior[0]
            value += float(away @ self.prior[1] @ away)
        return value

    def normal_equations(self, state: _State) -> tuple[float, Array, Array]:
        _, gradient, matrix = self.corners.normal_equations(state.lens, state.poses)
        p, views, g = len(state.lens.parameters), len(state.poses), self.problem.free.count
        n = p + 6 * views
        whole, pull = np.zeros((n + g, n + g)), np.zeros(n + g)
        whole[:n, :n], pull[:n] = matrix / self.noise**2, gradient / self.noise**2
        misfits, design, _ = self.problem.linearised(state.body, state.poses)
        by_pose = -(np.eye(6) + 0.5 * small_adjoint(misfits))
        weighted = self.weights @ design
        whole[n:, n:] = np.einsum("vig,vih->gh", design, weighted)
        pull[n:] = np.einsum("vig,vi->g", weighted, misfits)
        for view in range(views):
            own = slice(p + 6 * view, p + 6 * view + 6)
            back = by_pose[view].T @ self.weights[view]
            whole[own, own] += back @ by_pose[view]
            whole[own, n:] = back @ design[view]
            whole[n:, own] = whole[own, n:].T
            pull[own] += back @ misfits[view]
        if self.prior is not None:
            whole[:p, :p] += self.prior[1]
            pull[:p] += self.prior[1] @ (state.lens.parameters - self.prior[0])
        return self.cost(state), pull, whole

    def moved(self, state: _State, step: Array) -> _State:
        p, n = len(state.lens.parameters), len(step) - self.problem.free.count
        lens = replace(state.lens, parameters=state.lens.parameters + step[:p])
        poses = exp(step[p:n].reshape(-1, 6)) @ state.poses
        return _State(lens, poses, self.problem.moved(state.body, step[n:]))
