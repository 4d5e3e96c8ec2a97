"""Camera, board and joints of an arm from one set of views: hand-eye pose, joint zeros and gear ratios together.

A view gives the board's pose in the camera, P, to a few hundredths of a degree. The arm predicts it by its joints:
M = transform_board_to_camera(ratio · recorded + offset + play). Encoder steps and backlash make `play`, unknown in each
view and by far the largest error, so it is neither averaged away nor taken for a fault of the camera: it is a random
effect of each joint with a variance of its own, estimated by restricted maximum likelihood (Patterson and Thompson,
1971) beside `slack`, what bends or was built otherwise. All corners, poses, the lens and the arm are then adjusted at
once, with the board's size: the arm knows how far it moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from robot_agent_calibration.arm.chain import Chain
from robot_agent_calibration.arm.consistency import Contradiction, contradictions
from robot_agent_calibration.arm.mounting import Mounting
from robot_agent_calibration.arm.play import Play, Views, estimated, intervals, spread
from robot_agent_calibration.camera.intrinsics import Corners, LensFit
from robot_agent_calibration.camera.lens import Lens
from robot_agent_calibration.camera.views import View
from robot_agent_calibration.errors import CalibrationError
from robot_agent_calibration.geometry import Array, Mask, adjoint, exp, inverse, log, small_adjoint
from robot_agent_calibration.recording.board import Board
from robot_agent_calibration.solve import covariance, minimise

STILL = np.radians(5)
"""rad that a joint may move and count as one that did not."""


@dataclass(frozen=True)
class Body:
    """What is estimated of the arm: the mounting, of each joint angle = ratio · recorded + offset, and of the board the
    logarithm of its true over its stated size."""

    mounting: Mounting
    offsets: Array
    ratios: Array
    log_scale: float = 0.0


@dataclass(frozen=True)
class Free:
    """Which joints have unknown offsets and ratios, masks (j,)."""

    offsets: Mask
    ratios: Mask

    @property
    def count(self) -> int:
        """Unknowns of a body: two twists, offsets, ratios and the board's size."""
        return 13 + int(self.offsets.sum()) + int(self.ratios.sum())


@dataclass(frozen=True)
class ArmFit:
    """The estimate of a body.

    Args:
        body: the estimate.
        free: what of it was estimated.
        covariance: of the camera's twist (in the camera's frame), the board's twist, free offsets and ratios, and the
            logarithm of the board's size.
        play: the random errors of the joints, by which views were weighed.
        deviations: (j, 3) rad, of each joint's play as the views alone tell it; see `play.intervals`.
        lens: of the camera, adjusted with the rest.
        views: those that were used.
        seen_poses: transform_board_to_camera of each by the camera alone, of the board's size by the arm, (v, 4, 4).
        misfits: (v, 6) twists of the predicted against the seen pose, in the camera's frame.
        surprise: (v,) their squared lengths by their own covariance, about 6 each.
        residuals: found minus predicted pixels of each view.
        contradicted: what is taken for granted against the data; `covariance` is widened by what it could do.
    """

    body: Body
    free: Free
    covariance: Array
    play: Play
    deviations: Array
    lens: Lens
    views: Sequence[View]
    seen_poses: Array
    misfits: Array
    surprise: Array
    residuals: Sequence[Array]
    contradicted: Sequence[Contradiction]

    @property
    def log_scale(self) -> tuple[float, float]:
        """Of the board against `board.yaml` as the arm sees it, and its standard error."""
        return self.body.log_scale, float(self.errors[-1])

    @property
    def errors(self) -> Array:
        """Standard errors in the order of `covariance`."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def offset_errors(self) -> Array:
        """Standard errors of the offsets, (j,) rad; NaN where they were not estimated."""
        errors = np.full(len(self.free.offsets), np.nan)
        errors[self.free.offsets] = self.errors[12 : 12 + int(self.free.offsets.sum())]
        return errors

    @property
    def ratio_errors(self) -> Array:
        """Standard errors of the gear ratios, (j,); NaN where they were not estimated."""
        errors = np.full(len(self.free.ratios), np.nan)
        errors[self.free.ratios] = self.errors[12 + int(self.free.offsets.sum()) : -1]
        return errors


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
    # How badly a view fits, with its pose as the camera alone sees it.
    alone = problem.views(state.body, seen.transforms_board_to_camera, seen.pose_covariances)
    weights = np.asarray(np.linalg.inv(spread(alone.by_angles, play) + seen.pose_covariances))
    surprise = np.einsum("vi,vij,vj->v", alone.misfits, weights, alone.misfits)
    contradicted, growth = contradictions(alone, weights, recorded, free.ratios)
    return ArmFit(
        state.body,
        free,
        of_body + growth,
        play,
        intervals(views, play),
        state.lens,
        seen.views,
        _resized(seen.transforms_board_to_camera, state.body.log_scale),
        alone.misfits,
        surprise,
        corners.split(corners.residuals(state.lens, state.poses)),
        contradicted,
    )


def told_offsets(chain: Chain, recorded: Array, boards: Array, start: Mounting, ratios: Mask) -> tuple[Mask, Mask]:
    """Which joints' offsets can be estimated beside the mounting, and which of them are known then, masks (j,).

    The offset of the first joint that moves is one with the pose of what stands, that of the last one with the pose of
    what is in the hand. A joint that does not move has an offset that shapes the arm: where it can be estimated it has
    to be, or the others' would be wrong, but it is known for where the joint stood, play included, and no zero.

    Args:
        chain: of the arm.
        recorded: joint angles at each view, (v, j) rad.
        boards: transform_board_to_camera of each view, (v, 4, 4).
        start: from `mounting.closed_form`.
        ratios: which ratios are to be estimated, mask (j,).
    """
    joints = len(chain.names)
    moved = np.ptp(recorded, axis=0) > STILL
    # What a joint that stands reads varies by its play, from which nothing is to be learnt.
    recorded = np.where(moved, recorded, recorded.mean(axis=0))
    problem = _Problem(recorded, chain, Free(np.zeros(joints, bool), ratios & moved))
    body = Body(start, np.zeros(joints), np.ones(joints))
    _, design, by_angles = problem.linearised(body, boards)
    columns = design.reshape(-1, design.shape[2])
    of_offsets = by_angles.reshape(-1, joints)
    free, inner = np.zeros(joints, bool), range(1, joints - 1)
    for joint in sorted(inner, key=lambda joint: not moved[joint]):
        if _is_new(of_offsets[:, joint], np.column_stack([columns, of_offsets[:, free]])):
            free[joint] = True
    known = np.zeros(joints, bool)
    for joint in np.flatnonzero(free & moved).tolist():
        others = np.delete(of_offsets, joint, axis=1)
        known[joint] = _is_new(of_offsets[:, joint], np.column_stack([columns, others]))
    return free, known


def _is_new(column: Array, others: Array) -> bool:
    """Whether a column is no combination of others."""
    scale = np.linalg.norm(others, axis=0)
    others = others[:, scale > 0] / scale[scale > 0]
    rest = column - others @ np.linalg.lstsq(others, column, rcond=1e-9)[0]
    return bool(np.linalg.norm(rest) > 1e-4 * np.linalg.norm(column))


class _Problem:
    """The arm's side: predicted against seen poses."""

    def __init__(self, recorded: Array, chain: Chain, free: Free) -> None:
        self.recorded, self.chain, self.free = recorded, chain, free

    def linearised(self, body: Body, poses: Array) -> tuple[Array, Array, Array]:
        """Misfits ζ = log(M P⁻¹) (v, 6), their derivatives by what is estimated (v, 6, g) and by angles (v, 6, j).

        P is a pose of the board with its own size, `poses` are those of the size that board.yaml says.
        """
        mounting = body.mounting
        angles = body.ratios * self.recorded + body.offsets
        hand_to_base, twists = self.chain.with_twists(angles)
        mount_to_camera = inverse(mounting.transform_camera_to_mount)
        between = inverse(hand_to_base) if mounting.in_hand else hand_to_base
        other_to_camera = mount_to_camera @ between
        poses = _resized(poses, body.log_scale)
        misfits = log(other_to_camera @ mounting.transform_board_to_other @ inverse(poses))
        # A joint's twist is known in the base's frame: beyond the arm if the camera is in the hand, else before it.
        base_to_camera = other_to_camera if mounting.in_hand else mount_to_camera
        sign = -1.0 if mounting.in_hand else 1.0
        by_angles = sign * adjoint(base_to_camera) @ np.swapaxes(twists, 1, 2)
        by_camera = np.broadcast_to(np.eye(6), (len(poses), 6, 6))
        parts = [by_camera, adjoint(other_to_camera), by_angles[:, :, self.free.offsets]]
        parts.append((by_angles * self.recorded[:, None, :])[:, :, self.free.ratios])
        left = np.eye(6) - 0.5 * small_adjoint(misfits)
        farther = np.concatenate([np.zeros((len(poses), 3)), poses[:, :3, 3]], axis=1)[..., None]
        design = np.concatenate([left @ np.concatenate(parts, axis=2), _by_pose(misfits) @ farther], axis=2)
        return misfits, design, left @ by_angles

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
        ratios[self.free.ratios] += step[12 + count : -1]
        return Body(mounting, offsets, ratios, body.log_scale + float(step[-1]))

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


def _resized(poses: Array, log_scale: float) -> Array:
    """Poses (v, 4, 4) as they are if the board is exp(log_scale) times as large as was thought."""
    resized = poses.copy()
    resized[:, :3, 3] *= np.exp(log_scale)
    return resized


def _by_pose(misfits: Array) -> Array:
    """Derivatives (v, 6, 6) of misfits log(M P⁻¹) by twists that act on P."""
    return -(np.eye(6) + 0.5 * small_adjoint(misfits))


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
        by_pose = _by_pose(misfits) * np.repeat([1.0, np.exp(state.body.log_scale)], 3)
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
