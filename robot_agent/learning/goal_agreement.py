"""Whether what a goal world computes of a goal is what its steps gave: the same rewards, the same ends."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from robot_agent.learning.goal_functions import BatchedGoalFunction
from robot_agent.replay.replay import Replay
from robot_agent.types import BodySpec

EXACT = 0.05
"""Largest mean error of computed rewards, in mean deviations of the lived ones, where each frame is a decision."""
REPEATED = 0.5
"""The same where a decision lasts several frames, whose rewards between its two observations are not known."""
PRECISION = 0.98
"""Of the steps beyond the reward of an end, so many ended."""
ROUNDING = 1e-5
"""Relative error of computed rewards: goals are kept as float32."""
REPRESENTED = 1e-9
"""Relative differences of rewards that are none."""
CHANCE = 1e-4
"""Largest probability that ends have the highest rewards by chance."""


class LivedSteps(NamedTuple):
    """Steps of a goal world, as they were lived.

    Attributes:
        before: `(steps, goal_dim)`, achieved when the decision was taken.
        achieved: `(steps, goal_dim)`, achieved after it.
        desired: `(steps, goal_dim)`, desired after it.
        reward: float64 `(steps,)`, NaN where unknown.
        frames: int64 `(steps,)`, frames that the decision lasted.
        terminated: bool `(steps,)`.
        truncated: bool `(steps,)`.
    """

    before: NDArray[np.float32]
    achieved: NDArray[np.float32]
    desired: NDArray[np.float32]
    reward: NDArray[np.float64]
    frames: NDArray[np.int64]
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]


def newest_steps(replay: Replay, count: int) -> LivedSteps:
    """The last `count` steps of a replay with a segment or more, or fewer; those without finite goals are left out."""
    parts: list[LivedSteps] = []
    for _, segment in sorted(replay.segments.items(), reverse=True):
        parts.append(_steps_of(segment.rows[-count - 1 :], segment.spec))
        count -= len(segment.rows)
        if count <= 0:
            break
    return LivedSteps(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _steps_of(rows: NDArray[np.void], spec: BodySpec) -> LivedSteps:
    now, later = rows[:-1], rows[1:]
    steps = LivedSteps(
        before=np.array(now["achieved_goal"]),
        achieved=np.array(later["achieved_goal"]),
        desired=np.array(later["desired_goal"]),
        reward=np.where(now["reward_known"], now["reward"], np.nan).astype(np.float64),
        frames=spec.frames_in(now["dt"]),
        terminated=np.array(now["terminated"]),
        truncated=np.array(now["truncated"]),
    )
    follows = (later["episode"] == now["episode"]) & (later["step"] == now["step"] + 1)
    goals = np.concatenate([steps.before, steps.achieved, steps.desired], axis=1)
    usable = follows & np.isfinite(goals).all(1)
    return LivedSteps(*(column[usable] for column in steps))


@dataclass(frozen=True)
class Agreement:
    """How lived rewards and ends follow from computed ones; JSON-able.

    Attributes:
        scale: a lived reward, per frame, is `scale * computed + offset`.
        offset: see `scale`.
        ends_at: an episode ends with a computed reward of this or more; None where it does not end so.
        declares_ends: it ends where the world's `compute_terminated` says so.
        problem: why goals cannot be relabelled; empty where they can.
    """

    scale: float = 1.0
    offset: float = 0.0
    ends_at: float | None = None
    declares_ends: bool = False
    problem: str = ""


def agree(
    steps: LivedSteps, reward: BatchedGoalFunction, terminated: BatchedGoalFunction | None, before: Agreement
) -> Agreement:
    """Compares lived steps with what the world computes.

    Args:
        steps: that were lived.
        reward: the world's `compute_reward`.
        terminated: the world's `compute_terminated`, None where it has none.
        before: what was found from earlier steps; ends that the new ones do not contradict stay known.

    Raises:
        Exception: whatever the functions raise.
    """
    computed = reward(steps.achieved, steps.desired)
    found = _ends(steps, computed, terminated, before)
    if found.declares_ends:
        assert terminated is not None
        explained = terminated(steps.achieved, steps.desired) > 0
    else:
        explained = computed >= (np.inf if found.ends_at is None else found.ends_at)
    usable = np.isfinite(steps.reward) & ~(steps.terminated & ~explained)  # what a fall costs, goals need not say
    if not usable.any():
        return replace(found, scale=1.0, offset=0.0, problem="")
    frames, lived = steps.frames, steps.reward / steps.frames
    start = reward(steps.before, steps.desired)
    # What the frames of a decision gave on average, if rewards change evenly, or jump where the goal is reached.
    with np.errstate(invalid="ignore"):
        evenly, jumping = ((frames - 1) * start + (frames + 1) * computed) / 2, (frames - 1) * start + computed
        expected = np.where(frames == 1, computed, np.where(explained, jumping, evenly) / frames)
    is_finite = np.isfinite(expected)
    if np.mean(is_finite[usable]) < 0.5:
        share = np.mean(~is_finite[usable])
        return replace(found, problem=f"compute_reward is not finite for {share:.0%} of the goals that were lived")
    usable &= is_finite
    goes_on = usable & ~explained
    varies = goes_on.any() and np.std(lived[goes_on]) > REPRESENTED * np.mean(np.abs(lived[goes_on]))
    fitted = goes_on if varies else usable
    allowed = EXACT if frames.max() == 1 else REPEATED
    found = _rewards(lived[fitted], expected[fitted], allowed, found)
    ends = usable & explained
    if found.problem or not ends.any():
        return found
    off = float(np.median(np.abs(lived - found.scale * expected - found.offset)[ends]))
    if off > allowed * _spread(lived[usable]) + ROUNDING * float(np.mean(np.abs(lived[ends]))):
        return replace(found, problem=f"the step that ends an episode gives {off:.2g} more or less than compute_reward")
    return found


def _spread(values: NDArray[np.float64]) -> float:
    return float(np.mean(np.abs(values - np.median(values))))


def _rewards(lived: NDArray[np.float64], computed: NDArray[np.float64], allowed: float, found: Agreement) -> Agreement:
    """`found` with the transform from computed to lived rewards: the known one or none while nearly the best."""

    def error(scale: float, offset: float) -> float:
        return float(np.mean(np.abs(lived - scale * computed - offset)))

    size, spread, width = float(np.mean(np.abs(lived))), _spread(lived), float(np.std(computed))
    varies = width > REPRESENTED * float(np.mean(np.abs(computed))) and spread > REPRESENTED * size
    scale, offset = found.scale, found.offset
    if varies:
        scale = float(np.mean((computed - computed.mean()) * (lived - lived.mean()))) / width**2
        offset = float(np.median(lived - scale * computed))
    fitted = error(scale, offset)
    good = max(ROUNDING * size, min(allowed * spread, 1.2 * fitted))
    for known in ((found.scale, found.offset), (1.0, 0.0)):
        if error(*known) <= good:
            return replace(found, scale=known[0], offset=known[1], problem="")
    if not varies:
        return replace(
            found,
            problem=f"the rewards lived so far, {lived.mean():.4g} a frame, differ from those of compute_reward, "
            f"{computed.mean():.4g}, and vary too little to say how",
        )
    if scale > 0 and fitted <= allowed * spread:
        return replace(found, scale=scale, offset=offset, problem="")
    return replace(
        found,
        problem=f"compute_reward does not give the rewards that were lived, not even rescaled: it is off by "
        f"{fitted:.2g} a frame where they vary by {spread:.2g}",
    )


def _ends(
    steps: LivedSteps, computed: NDArray[np.float64], terminated: BatchedGoalFunction | None, before: Agreement
) -> Agreement:
    """`before` with what is known of ends."""
    goes_on = ~steps.terminated & ~steps.truncated  # where the time was up, the goal may have been reached as well
    ends_at = _threshold(computed, steps.terminated, goes_on)
    if ends_at is None and before.ends_at is not None:
        ends_at = None if _contradicted(computed >= before.ends_at, steps.terminated, goes_on) else before.ends_at
    if terminated is not None:
        declared = terminated(steps.achieved, steps.desired) > 0
        # Many worlds declare that nothing ends, and end all the same.
        missed = ends_at is not None and not declared[steps.terminated & (computed >= ends_at)].any()
        if not missed and not _contradicted(declared, steps.terminated, goes_on):
            return replace(before, declares_ends=True, ends_at=None)
    return replace(before, declares_ends=False, ends_at=ends_at)


def _contradicted(expected: NDArray[np.bool_], ended: NDArray[np.bool_], goes_on: NDArray[np.bool_]) -> bool:
    wrong, right = int(np.count_nonzero(expected & goes_on)), int(np.count_nonzero(expected & ended))
    return wrong > max(1.0, (1 - PRECISION) * (wrong + right))


def _threshold(computed: NDArray[np.float64], ended: NDArray[np.bool_], goes_on: NDArray[np.bool_]) -> float | None:
    """The computed reward that only steps which ended an episode reach; None where there is none, or by chance."""
    judged = (ended | goes_on) & ~np.isnan(computed)
    computed, ended = computed[judged], ended[judged]
    if not ended.any() or ended.all():
        return None
    levels, level = np.unique(computed, return_inverse=True)  # ascending
    above = np.cumsum(np.bincount(level)[::-1])[::-1]  # steps of this level or higher
    ended_above = np.cumsum(np.bincount(level, weights=ended)[::-1])[::-1]
    reached = np.bincount(level, weights=ended) > 0
    pure = np.flatnonzero(reached & (ended_above >= PRECISION * above))
    if not len(pure) or ended.mean() ** ended_above[pure[0]] > CHANCE:
        return None
    lowest = int(pure[0])
    return float(levels[lowest] if lowest == 0 else (levels[lowest] + levels[lowest - 1]) / 2)
