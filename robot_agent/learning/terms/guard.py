"""The guard against a latent that collapses."""

from __future__ import annotations

from torch import Tensor

from robot_agent.encoder.collapse_guard import collapse_guard
from robot_agent.learning.terms.term import TermConfig
from robot_agent.learning.unroll import LatentRollout
from robot_agent.mind import Mind


def guard(mind: Mind, rollout: LatentRollout, config: TermConfig) -> Tensor:
    """See `collapse_guard`; it looks at the embedding of the first observations."""
    return collapse_guard(rollout.embedding)
