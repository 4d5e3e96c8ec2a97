"""What an update learns from: sub-sequences of experience as tensors."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class LearningBatch:
    """Sub-sequences as tensors; `goal` is what the reward is for.

    An episode that is shorter than the horizon is padded at its end: `steps_known` is 0 for what did not happen.

    Shapes: cameras uint8 `(windows, frame_stack + horizon, height, width, 3)`, proprio `(windows, horizon + 1, n)`,
    actions `(windows, horizon, action_dim)`, rewards, in the world's units, float64 `(windows, horizon)`, reward_known,
    terminated, lived_ends and steps_known `(windows, horizon)`, observations_known `(windows, horizon + 1)`, all five 0
    or 1, goal `(windows, goal_dim)`.

    Attributes:
        terminated: whether the step ends the episode for this goal: what comes after is worth nothing.
        lived_ends: whether it did when it was lived, for another goal where `goal` is one of hindsight.
        ends: whether any of the steps is terminal, known to the host.
    """

    cameras: dict[str, Tensor]
    proprio: Tensor
    actions: Tensor
    rewards: Tensor
    reward_known: Tensor
    terminated: Tensor
    lived_ends: Tensor
    steps_known: Tensor
    observations_known: Tensor
    goal: Tensor
    ends: bool
