"""The world model unrolled over a batch: what every term of the loss reads."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from robot_agent.learning.batch import LearningBatch
from robot_agent.learning.targets import Returns
from robot_agent.mind import Mind


@dataclass(frozen=True)
class LatentRollout:
    """Sub-sequences as the world model sees them from their first observation, beside what happened.

    Attributes:
        embedding: `(windows, latent)` of the first observation, before it becomes a latent.
        latents: `(windows, horizon + 1, latent)`; the first is encoded, the others are predicted.
        predictions: `(horizon, ensemble, windows, prediction_width)`, outputs of the dynamics heads.
        heads: `(horizon, ensemble, windows, latent)`, the latents that they stand for.
        later_latents: `(windows, horizon, latent)` of the target encoder, for the observation after each action.
        goal: `(windows, goal_embedding)`.
        rewards: `(windows, horizon)`, in units of the reward scale.
        returns: targets of Q.
        batch: what happened.
        terminates: whether an episode of this world was ever terminated.
    """

    embedding: Tensor
    latents: Tensor
    predictions: Tensor
    heads: Tensor
    later_latents: Tensor
    goal: Tensor
    rewards: Tensor
    returns: Returns
    batch: LearningBatch
    terminates: bool


def unroll(
    mind: Mind,
    batch: LearningBatch,
    later_latents: Tensor,
    goal: Tensor,
    rewards: Tensor,
    returns: Returns,
    terminates: bool,
) -> LatentRollout:
    """Encodes the first observation of each sub-sequence and predicts along its actions; shapes as `LatentRollout`."""
    windows, horizon, _ = batch.actions.shape
    stack = mind.config.encoder.frame_stack
    first = {name: frames[:, :stack] for name, frames in batch.cameras.items()}
    embedding = mind.encoder.embed(first, batch.proprio[:, :1])[:, 0]
    space = mind.encoder.space
    latents = [space.from_embedding(embedding)]
    context = mind.initial_context(windows)
    predictions, heads = [], []
    for step in range(horizon):
        predictions.append(mind.world_model.predict(latents[-1], batch.actions[:, step], context))
        heads.append(space.from_prediction(predictions[-1]))
        latents.append(heads[-1].mean(0))
    return LatentRollout(
        embedding=embedding,
        latents=torch.stack(latents, dim=1),
        predictions=torch.stack(predictions),
        heads=torch.stack(heads),
        later_latents=later_latents,
        goal=goal,
        rewards=rewards,
        returns=returns,
        batch=batch,
        terminates=terminates,
    )
