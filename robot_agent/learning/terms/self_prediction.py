"""Self-prediction: the predicted latent against the target encoder's latent of what came."""

from __future__ import annotations

import torch
from robot_agent_kernels.fsq.reference import code_loss
from robot_agent_kernels.latent import QuantisedLatent, SimNormLatent
from torch import Tensor

from robot_agent.learning.terms.term import TermConfig, mean_over_known
from robot_agent.learning.unroll import LatentRollout
from robot_agent.mind import Mind


def consistency(mind: Mind, rollout: LatentRollout, config: TermConfig) -> Tensor | None:
    """Mean squared error of the dynamics heads; for latents made of simplices."""
    if not isinstance(mind.encoder.space, SimNormLatent):
        return None
    target = rollout.later_latents.transpose(0, 1).unsqueeze(1)
    errors = (rollout.heads - target).square().mean(dim=(1, 3))
    return mean_over_known(errors, _known(rollout), config.temporal_decay)


def code_prediction(mind: Mind, rollout: LatentRollout, config: TermConfig) -> Tensor | None:
    """Cross-entropy of the codes that the dynamics heads predict; for latents made of discrete codes."""
    space = mind.encoder.space
    if not isinstance(space, QuantisedLatent):
        return None
    steps = zip(rollout.predictions, rollout.later_latents.unbind(1), strict=True)
    errors = torch.stack([code_loss(predicted, latent, space.levels).mean(0) for predicted, latent in steps])
    return mean_over_known(errors, _known(rollout), config.temporal_decay)


def _known(rollout: LatentRollout) -> Tensor:
    """`(horizon, windows)`, 1 where the step happened and its observation was seen."""
    return (rollout.batch.steps_known * rollout.batch.observations_known[:, 1:]).T
