"""What each module learns from: self-prediction, reward, multi-step value, and the policy that follows the value."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from robot_agent_kernels.mlp.reference import mlp
from robot_agent_kernels.params import MLPParams
from robot_agent_kernels.two_hot.reference import two_hot_loss, two_hot_mean
from torch import Tensor

from robot_agent.encoder.collapse_guard import collapse_guard
from robot_agent.mind import Mind


@dataclass(frozen=True)
class LossConfig:
    """Weights of the losses.

    Attributes:
        consistency: latent self-prediction against the EMA target, squared error of simplices.
        code_prediction: the same for discrete codes, cross-entropy.
        reward: cross-entropy of the two-hot reward.
        value: cross-entropy of the two-hot Q ensemble.
        termination: binary cross-entropy of the termination head.
        guard: collapse guard on the encoder's embedding.
        temporal_decay: weight of each further step of a sub-sequence.
        shape_encoder: let the gradients of reward and value reach the encoder and the dynamics.
        entropy: of the policy, in units of the running scale of Q.
    """

    consistency: float = 20.0
    code_prediction: float = 1.0
    reward: float = 0.1
    value: float = 0.1
    termination: float = 0.1
    guard: float = 0.1
    temporal_decay: float = 0.5
    shape_encoder: bool = True
    entropy: float = 1e-4


@dataclass(frozen=True)
class LearningBatch:
    """Sub-sequences as tensors, ready for the losses; `goal` is what the reward is for.

    Shapes: cameras uint8 `(windows, frame_stack + horizon, height, width, 3)`, proprio `(windows, horizon + 1, n)`,
    actions `(windows, horizon, action_dim)`, rewards, reward_known and terminated `(windows, horizon)`, goal
    `(windows, goal_dim)`.
    """

    cameras: dict[str, Tensor]
    proprio: Tensor
    actions: Tensor
    rewards: Tensor
    reward_known: Tensor
    terminated: Tensor
    goal: Tensor

    def is_finite(self) -> bool:
        """Whether every number is; one that is not would poison the running normalisers for good."""
        numbers = (self.proprio, self.actions, self.rewards, self.goal)
        return all(bool(torch.isfinite(tensor).all()) for tensor in numbers)


@dataclass(frozen=True)
class WorldLosses:
    """The loss of everything but the policy, its parts for the record, and the latents on which the policy learns."""

    total: Tensor
    parts: dict[str, Tensor]
    latents: Tensor
    goals: Tensor


def frozen(params: MLPParams) -> MLPParams:
    """The same weights, through which gradients pass but into which none flow."""
    return MLPParams(tuple(w.detach() for w in params.weights), tuple(b.detach() for b in params.biases))


@torch.no_grad()
def multi_step_targets(
    batch: LearningBatch, final_latent: Tensor, goal: Tensor, mind: Mind, target_value: MLPParams, noise: Tensor
) -> Tensor:
    """Targets of Q for each step of a sub-sequence, all closed by the value of its last observation.

    `target_t = sum_{k=t}^{H-1} discount^(k-t) r_k + discount^(H-t) (1 - terminated) min_i Q_i(z_H, pi(z_H))`

    Args:
        batch: sub-sequences of H transitions; only the last may be terminal.
        final_latent: `(windows, latent)`, the target encoder's latent of the last observation.
        goal: `(windows, goal_embedding)`.
        mind: its policy acts at the end.
        target_value: the target Q functions whose minimum is taken.
        noise: standard normal `(windows, action_dim)` of the policy's action.

    Returns:
        `(windows, H)`.
    """
    discount = mind.config.discount
    action, _ = mind.policy.sample(final_latent, goal, noise)
    logits = mlp(target_value, torch.cat([final_latent, action, goal], dim=-1))
    target = two_hot_mean(logits, mind.value.bins).amin(0) * (1 - batch.terminated[:, -1])
    targets = []
    for step in reversed(range(batch.rewards.shape[1])):
        target = batch.rewards[:, step] + discount * target
        targets.append(target)
    return torch.stack(targets[::-1], dim=1)


def world_losses(
    mind: Mind, target_latents: Tensor, targets: Tensor, goal: Tensor, batch: LearningBatch, config: LossConfig
) -> WorldLosses:
    """Unrolls the world model from the first observation and compares each step with what happened.

    Args:
        mind: the modules that learn.
        target_latents: `(windows, horizon, latent)` of the EMA encoder for the observations after each action.
        targets: `(windows, horizon)` of Q.
        goal: `(windows, goal_embedding)`, with gradient to the goal encoder.
        batch: the sub-sequences.
        config: weights of the losses.
    """
    windows, horizon, _ = batch.actions.shape
    stack = mind.config.encoder.frame_stack
    first = {name: frames[:, :stack] for name, frames in batch.cameras.items()}
    embedding = mind.encoder.embed(first, batch.proprio[:, :1])[:, 0]
    space = mind.encoder.space
    latent = space.from_embedding(embedding)
    context = latent.new_zeros(windows, mind.config.world_model.context_dim)

    latents = [latent]
    prediction_error = latent.new_zeros(())
    termination = latent.new_zeros(())
    for step in range(horizon):
        prediction = mind.world_model.predict(latent, batch.actions[:, step], context)
        heads = space.from_prediction(prediction)
        latent = heads.mean(0)
        latents.append(latent)
        error = space.error(prediction, heads, target_latents[:, step])
        prediction_error = prediction_error + config.temporal_decay**step * error / horizon
    rolled = torch.stack(latents, dim=1)

    parts = {space.loss_name: prediction_error, "guard": collapse_guard(embedding)}
    if mind.world_model.terminations_seen:
        logits = mind.world_model.termination_logit(rolled[:, 1:].flatten(0, 1)).view(windows, horizon)
        termination = F.binary_cross_entropy_with_logits(logits, batch.terminated)
        parts["termination"] = termination

    # (horizon, windows): rows of the heads; step-major so that a weight a step broadcasts
    states = rolled[:, :-1].transpose(0, 1)
    states = states if config.shape_encoder else states.detach()
    rows = states.flatten(0, 1)
    actions = batch.actions.transpose(0, 1).flatten(0, 1)
    goals = goal.repeat(horizon, 1)
    decay = config.temporal_decay ** torch.arange(horizon, device=rows.device, dtype=rows.dtype)
    known = batch.reward_known.T
    complete = known.flip(0).cumprod(0).flip(0)  # a return is known where all rewards after it are
    reward_loss = two_hot_loss(mind.reward(rows, actions, goals)[0], batch.rewards.T.flatten(), mind.reward.bins)
    parts["reward"] = (decay[:, None] * known * reward_loss.view(horizon, windows)).mean()
    value_loss = two_hot_loss(mind.value(rows, actions, goals), targets.T.flatten(), mind.value.bins).mean(0)
    parts["value"] = (decay[:, None] * complete * value_loss.view(horizon, windows)).mean()

    total = sum((getattr(config, name) * loss for name, loss in parts.items()), latent.new_zeros(()))
    return WorldLosses(total, parts, rolled.detach(), goal.detach())


def policy_loss(
    mind: Mind, latents: Tensor, goal: Tensor, value: MLPParams, scale: Tensor, noise: Tensor, config: LossConfig
) -> tuple[Tensor, Tensor, Tensor]:
    """The policy climbs the mean of some Q functions and keeps some entropy.

    Args:
        mind: its policy learns, nothing else.
        latents: `(rows, latent)`.
        goal: `(rows, goal_embedding)`.
        value: Q functions to climb, frozen.
        scale: running scale of Q, a scalar.
        noise: standard normal `(rows, action_dim)`.
        config: weight of the entropy.

    Returns:
        loss, mean entropy, and Q `(rows,)`.
    """
    action, log_probability = mind.policy.sample(latents, goal, noise)
    quality = two_hot_mean(mlp(value, torch.cat([latents, action, goal], dim=-1)), mind.value.bins).mean(0)
    entropy = -log_probability
    loss = -(quality / scale + config.entropy * entropy).mean()
    return loss, entropy.mean().detach(), quality.detach()
