"""Hindsight relabelling: what was reached is a goal that was reached (Andrychowicz et al. 2017)."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robot_agent.learning.goal_agreement import Agreement, agree, newest_steps
from robot_agent.learning.goal_functions import BatchedGoalFunction, GoalFunctions, batched
from robot_agent.replay.replay import Replay
from robot_agent.replay.sampler import SequenceBatch
from robot_agent.types import BodySpec

CHECKED_STEPS = 4096
"""Lived steps, the newest, that computed rewards and ends are compared with."""
CHECK_EVERY = 100
"""Updates between two comparisons: what random actions never reach is lived later."""


@dataclass(frozen=True)
class HindsightConfig:
    """How often a goal is replaced.

    Attributes:
        share: of the sub-sequences that get a goal achieved later in their episode; 0 for none.
    """

    share: float = 0.8


class Hindsight:
    """Replaces goals, and with them rewards and ends, by those that the world computes for what was achieved.

    What the world computes is compared with lived steps first and every now and then. Where lived rewards are computed
    ones in other units, so are relabelled ones; where they are something else, or cannot be computed from goals alone,
    nothing is relabelled until that changes. Either is said in a warning.

    Args:
        functions: the goal world's.
        spec: shapes of the body.
        replay: lived steps to compare with.
        config: see `HindsightConfig`.

    Attributes:
        agreement: how lived rewards and ends follow from computed ones, None before the first comparison.
        not_finite: sub-sequences that kept their goal because a reward for the other was not finite.
    """

    def __init__(self, functions: GoalFunctions, spec: BodySpec, replay: Replay, config: HindsightConfig) -> None:
        self.spec = spec
        self.config = config
        self.agreement: Agreement | None = None
        self.not_finite = 0
        self._functions = functions
        self._replay = replay
        self._reward: BatchedGoalFunction | None = None
        self._terminated: BatchedGoalFunction | None = None
        self._tried = False

    def relabel(self, batch: SequenceBatch, updates: int, rng: np.random.Generator) -> SequenceBatch:
        """Replaces the goal of some sub-sequences by one achieved later, and rewards and ends by those that it gives.

        A sub-sequence in which the episode was terminated keeps its goal: the return depends on what ended it, which
        may be the old goal or something else, such as a fall. So does one after whose first observation none is known,
        and one with a new reward that is not finite.

        A new reward is that of the last frame of its decision and counts for each frame, as if what the decision
        achieved had held for all of them. Where a new goal ends the episode, it was reached in the last frame, and the
        steps after it are unknown.

        Args:
            batch: as it was drawn.
            updates: done before this one.
            rng: chooses the sub-sequences.

        Returns:
            the batch with other `desired_goal`, `rewards`, `reward_known` and `terminated`.
        """
        due = self.agreement is None or updates % CHECK_EVERY == 0
        if due or not self._tried:
            self._compare(due)
        assert self.agreement is not None
        if self.agreement.problem or self._reward is None:
            return batch
        chosen = rng.random(len(batch.rewards)) < self.config.share
        chosen[batch.terminated.any(1) | ~batch.observations_known[:, 1]] = False
        rows = np.flatnonzero(chosen)
        if not len(rows):
            return batch
        goals = batch.future_achieved_goal[rows]
        try:
            rewards, ended = self._judge(batch, rows, goals)
        except Exception as error:  # of a stranger's function
            self._switch(replace(self.agreement, problem=_not_computable(error)))
            return batch
        after = np.cumsum(ended, axis=1) > ended  # the steps after the one that ends it
        unknown = after | ~batch.observations_known[rows, 1:]
        is_finite = (np.isfinite(rewards) | unknown).all(1)
        self._count(int(np.count_nonzero(~is_finite)))
        rows, goals = rows[is_finite], goals[is_finite]
        rewards, ended, unknown = rewards[is_finite], ended[is_finite], unknown[is_finite]
        return replace(
            batch,
            desired_goal=_with(batch.desired_goal, rows, goals[:, None]),
            rewards=_with(batch.rewards, rows, np.where(unknown, 0.0, rewards)),
            reward_known=_with(batch.reward_known, rows, ~unknown),
            terminated=_with(batch.terminated, rows, ended & ~unknown),
        )

    def _judge(
        self, batch: SequenceBatch, rows: NDArray[np.intp], goals: NDArray[np.float32]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Rewards `(rows, horizon)` of each decision for other goals, and whether it ends the episode."""
        assert self.agreement is not None
        assert self._reward is not None
        observations = batch.achieved_goal.shape[1]
        achieved = batch.achieved_goal[rows].reshape(len(rows) * observations, -1)
        desired = np.repeat(goals, observations, axis=0)
        computed = self._reward(achieved, desired).reshape(len(rows), observations)
        rewards = self.agreement.scale * computed + self.agreement.offset
        before, after = rewards[:, :-1], rewards[:, 1:]  # the reward of an action is that of the observation after it
        if self.agreement.declares_ends and self._terminated is not None:
            ended = self._terminated(achieved, desired).reshape(computed.shape)[:, 1:] > 0
        else:
            ended = computed[:, 1:] >= (np.inf if self.agreement.ends_at is None else self.agreement.ends_at)
        frames = self.spec.frames_in(batch.dt[rows])
        earlier = np.where(frames > 1, np.where(ended, before, after), 0.0)
        return after + (frames - 1) * earlier, ended

    def _compare(self, due: bool) -> None:
        """Tries the world's functions on lived steps and, where it is due, compares them."""
        self._tried = True
        steps = newest_steps(self._replay, CHECKED_STEPS)
        if not len(steps.reward):
            return self._switch(Agreement(problem="no step with finite goals was lived yet"))
        try:
            self._reward = batched(self._functions.reward, steps.achieved, steps.desired)
            self._terminated = self._batched_terminated(steps.achieved, steps.desired)
            if due:
                self._switch(agree(steps, self._reward, self._terminated, self.agreement or Agreement()))
        except Exception as error:  # of a stranger's function
            self._switch(Agreement(problem=_not_computable(error)))

    def _batched_terminated(
        self, achieved: NDArray[np.float32], desired: NDArray[np.float32]
    ) -> BatchedGoalFunction | None:
        if self._functions.terminated is None:
            return None
        try:
            return batched(self._functions.terminated, achieved, desired)
        except Exception:  # it needs more than goals: whether goals end episodes is seen in lived steps
            return None

    def _switch(self, agreement: Agreement) -> None:
        """Takes what was found, and says so where it changes what is learned."""
        before, self.agreement = self.agreement or Agreement(), agreement
        if agreement.problem:
            if not before.problem:
                warnings.warn(
                    f"hindsight is off: {agreement.problem}; give the outermost wrapper a batched "
                    "compute_reward(achieved, desired, info) of what it pays, or set online.hindsight.share to 0",
                    stacklevel=2,
                )
        elif before.problem or not np.allclose(
            (agreement.scale, agreement.offset), (before.scale, before.offset), rtol=0.05
        ):
            warnings.warn(
                f"hindsight is on: a lived reward is {agreement.scale:.4g} * computed {agreement.offset:+.4g} a frame",
                stacklevel=2,
            )

    def _count(self, not_finite: int) -> None:
        if not_finite and not self.not_finite:
            warnings.warn(
                "compute_reward is not finite for some goals that were achieved: such sub-sequences keep their goal",
                stacklevel=2,
            )
        self.not_finite += not_finite

    def close(self) -> None:
        """Frees what the goal world's functions need."""
        self._functions.close()

    def state_dict(self) -> dict[str, Any]:
        """What the next update depends on, JSON-able."""
        return {"agreement": asdict(self.agreement) if self.agreement else None, "not_finite": self.not_finite}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self.agreement = Agreement(**state["agreement"]) if state["agreement"] else None
        self.not_finite = int(state["not_finite"])


def _not_computable(error: Exception) -> str:
    return f"compute_reward cannot be called with goals alone ({type(error).__name__}: {error})"


def _with(array: NDArray[Any], rows: NDArray[np.intp], values: NDArray[Any]) -> NDArray[Any]:
    """A copy with other rows."""
    changed = array.copy()
    changed[rows] = values
    return changed
