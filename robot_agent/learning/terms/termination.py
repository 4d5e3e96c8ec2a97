"""The termination head."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from robot_agent.learning.terms.term import TermConfig, mean_over_known
from robot_agent.learning.unroll import LatentRollout
from robot_agent.mind import Mind


def termination(mind: Mind, rollout: LatentRollout, config: TermConfig) -> Tensor | None:
    """Binary cross-entropy, from the first episode on that was terminated.

    The head knows no goal: it learns from ends that were lived, not from those of hindsight.
    """
    if not rollout.terminates:
        return None
    batch = rollout.batch
    windows, horizon = batch.lived_ends.shape
    logits = mind.world_model.termination_logit(rollout.latents[:, 1:].flatten(0, 1)).view(windows, horizon)
    losses = F.binary_cross_entropy_with_logits(logits, batch.lived_ends, reduction="none")
    return mean_over_known(losses.T, batch.steps_known.T, decay=1.0)
