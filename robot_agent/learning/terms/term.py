"""What a term of the loss is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from robot_agent.learning.unroll import LatentRollout
from robot_agent.mind import Mind


@dataclass(frozen=True)
class TermConfig:
    """What several terms share.

    Attributes:
        temporal_decay: weight of each further step of a sub-sequence.
        shape_encoder: let the gradients of reward and value reach the encoder and the dynamics.
    """

    temporal_decay: float = 0.5
    shape_encoder: bool = True


class Term(Protocol):
    """One term of the loss, before its weight."""

    def __call__(self, mind: Mind, rollout: LatentRollout, config: TermConfig) -> Tensor | None:
        """A scalar with gradient, or None where the term does not apply to this mind."""


def mean_over_known(losses: Tensor, known: Tensor, decay: float) -> Tensor:
    """The mean over what is known; each further step counts `decay` times the one before.

    Args:
        losses: `(horizon, windows)`.
        known: the same shape, 0 or 1.
        decay: see above.

    Returns:
        scalar, 0 where nothing is known.
    """
    weights = decay ** torch.arange(len(losses), device=losses.device, dtype=losses.dtype)
    return (weights[:, None] * known * losses).sum() / known.sum().clamp_min(1)


def head_inputs(rollout: LatentRollout, config: TermConfig) -> tuple[Tensor, Tensor, Tensor]:
    """Latents, actions and goals of every step as rows of the heads, `(horizon * windows, ...)`, step by step."""
    states = rollout.latents[:, :-1].transpose(0, 1)
    states = states if config.shape_encoder else states.detach()
    horizon = len(states)
    actions = rollout.batch.actions.transpose(0, 1)
    return states.flatten(0, 1), actions.flatten(0, 1), rollout.goal.repeat(horizon, 1)
