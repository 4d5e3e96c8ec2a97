"""The learner: one gradient update from one batch of sub-sequences."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from robot_agent.encoder.augmentation import random_shift
from robot_agent.learning.losses import LearningBatch, LossConfig, frozen, multi_step_targets, policy_loss, world_losses
from robot_agent.mind import Mind


@dataclass(frozen=True)
class LearnerConfig:
    """How the modules learn.

    Attributes:
        batch_size: sub-sequences of an update.
        horizon: transitions of a sub-sequence; also the steps of the multi-step return.
        learning_rate: of Adam.
        encoder_learning_rate: of the encoder, which moves under everyone's feet.
        gradient_norm: largest norm of a gradient; beyond it is scaled down.
        target_rate: of the EMA targets (encoder and Q), per update.
        target_members: Q functions whose minimum is the target.
        losses: weights of the losses.
    """

    batch_size: int = 128
    horizon: int = 3
    learning_rate: float = 1e-3
    encoder_learning_rate: float = 5e-4
    gradient_norm: float = 20.0
    target_rate: float = 0.01
    target_members: int = 2
    losses: LossConfig = field(default_factory=LossConfig)


class _Snapshot(NamedTuple):
    """What takes an update back: tensors, how many parameters have moments, and the state of the draws."""

    tensors: list[Tensor]
    moments: int
    generator: Tensor


class Learner:
    """Owns the mind that learns, its EMA targets and its optimisers.

    Args:
        mind: the modules; updated in place.
        config: how they learn.
        seed: of every draw that the learner makes.
    """

    def __init__(self, mind: Mind, config: LearnerConfig, seed: int = 0) -> None:
        self.mind = mind
        self.config = config
        self.target_encoder = copy.deepcopy(mind.encoder).requires_grad_(False)
        self.target_value = copy.deepcopy(mind.value).requires_grad_(False)
        others = nn.ModuleList([mind.world_model, mind.goal_encoder, mind.reward, mind.value])
        parameters: list[dict[str, Any]] = [
            {"params": list(mind.encoder.parameters()), "lr": config.encoder_learning_rate},
            {"params": list(others.parameters())},
        ]
        self.optimiser = torch.optim.Adam(parameters, lr=config.learning_rate, fused=True)
        self.policy_optimiser = torch.optim.Adam(mind.policy.parameters(), lr=config.learning_rate, fused=True)
        self.device = next(mind.parameters()).device
        self.value_scale = torch.ones((), device=self.device)
        # On the CPU wherever the mind is: the same seed draws the same on every device.
        self.generator = torch.Generator().manual_seed(seed)
        self.updates = 0
        self.skipped_updates = 0

    def update(self, batch: LearningBatch) -> dict[str, Tensor]:
        """One update of every module.

        Returns:
            losses and gauges by name, scalars still on the device. Where the batch, a loss or a gradient is not finite
            the update is reported as `skipped` = 1 and changes nothing but `skipped_updates`.
        """
        if batch.is_finite():
            before = self._snapshot()
            gauges = self._update(batch)
            if gauges is not None:
                self.updates += 1
                return gauges
            self._restore(before)
        self.skipped_updates += 1
        return {"skipped": torch.ones(())}

    def _update(self, batch: LearningBatch) -> dict[str, Tensor] | None:
        """The update, or None where it had to stop halfway: the policy climbs a Q that has just learned."""
        mind, config = self.mind, self.config
        batch = self._augmented(batch)
        mind.encoder.normaliser.update(batch.proprio[:, 0])
        mind.goal_encoder.normaliser.update(batch.goal)
        if batch.terminated.any():
            mind.world_model.terminations_seen.fill_(True)
        goal = mind.goal_encoder(batch.goal)
        with torch.no_grad():
            later = {name: frames[:, 1:] for name, frames in batch.cameras.items()}
            target_latents = self.target_encoder(later, batch.proprio[:, 1:])
            drawn = torch.randperm(mind.config.heads.value_ensemble, generator=self.generator)
            members = drawn[: config.target_members].to(self.device)
            windows, _, action_dim = batch.actions.shape
            targets = multi_step_targets(
                batch,
                target_latents[:, -1],
                goal,
                mind,
                self.target_value.network.params().select(members),
                self._noise(windows, action_dim),
            )
        world = world_losses(mind, target_latents, targets, goal, batch, config.losses)
        self.optimiser.zero_grad()
        world.total.backward()
        gradient_norm = nn.utils.clip_grad_norm_(
            [p for group in self.optimiser.param_groups for p in group["params"]], config.gradient_norm
        )
        if not _finite(world.total, gradient_norm):
            return None
        self.optimiser.step()

        ends = torch.cat([world.latents[:, 0], world.latents[:, -1]])
        loss, entropy, quality = policy_loss(
            mind,
            ends,
            world.goals.repeat(2, 1),
            frozen(mind.value.network.params().select(members)),
            self.value_scale,
            self._noise(ends.shape[0], action_dim),
            config.losses,
        )
        self.policy_optimiser.zero_grad()
        loss.backward()
        policy_gradient_norm = nn.utils.clip_grad_norm_(mind.policy.parameters(), config.gradient_norm)
        if not _finite(loss, policy_gradient_norm):
            return None
        self.policy_optimiser.step()

        # The spread of Q, so that the weight of the entropy means the same in worlds of any reward scale.
        low, high = torch.quantile(quality, quality.new_tensor([0.05, 0.95]))
        self.value_scale.lerp_((high - low).clamp_min(1.0), config.target_rate)
        self._follow(self.target_encoder, mind.encoder)
        self._follow(self.target_value, mind.value)
        return {
            **{f"loss_{name}": part.detach() for name, part in world.parts.items()},
            "loss_policy": loss.detach(),
            "entropy": entropy,
            "value": quality.mean(),
            "value_target": targets.mean(),
            "value_scale": self.value_scale.clone(),
            "gradient_norm": gradient_norm,
        }

    def _snapshot(self) -> _Snapshot:
        return _Snapshot(
            [tensor.clone() for tensor in self._changing()], len(self.optimiser.state), self.generator.get_state()
        )

    @torch.no_grad()
    def _restore(self, before: _Snapshot) -> None:
        for parameter in list(self.optimiser.state)[before.moments :]:  # Adam makes them at a parameter's first step
            del self.optimiser.state[parameter]
        torch._foreach_copy_(self._changing(), before.tensors)
        self.generator.set_state(before.generator)

    def _changing(self) -> list[Tensor]:
        """What an update has changed by the time that its last gradient is known."""
        moments = [tensor for state in self.optimiser.state.values() for tensor in state.values()]
        return [*self.mind.state_dict().values(), *moments]

    def _augmented(self, batch: LearningBatch) -> LearningBatch:
        pixels = self.mind.config.encoder.shift_pixels
        cameras = {name: random_shift(frames, pixels, self.generator) for name, frames in batch.cameras.items()}
        return LearningBatch(**{**vars(batch), "cameras": cameras})

    def _noise(self, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=self.generator).to(self.device)

    @torch.no_grad()
    def _follow(self, target: nn.Module, source: nn.Module) -> None:
        torch._foreach_lerp_(list(target.parameters()), list(source.parameters()), self.config.target_rate)
        for theirs, ours in zip(target.buffers(), source.buffers(), strict=True):
            theirs.copy_(ours)

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next update depends on."""
        return {
            "mind": self.mind.state_dict(),
            "target_encoder": self.target_encoder.state_dict(),
            "target_value": self.target_value.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "policy_optimiser": self.policy_optimiser.state_dict(),
            "value_scale": self.value_scale,
            "generator": self.generator.get_state(),
            "updates": self.updates,
            "skipped_updates": self.skipped_updates,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self.mind.load_state_dict(state["mind"])
        self.target_encoder.load_state_dict(state["target_encoder"])
        self.target_value.load_state_dict(state["target_value"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.policy_optimiser.load_state_dict(state["policy_optimiser"])
        self.value_scale.copy_(state["value_scale"])
        self.generator.set_state(state["generator"])
        self.updates = state["updates"]
        self.skipped_updates = state["skipped_updates"]


def _finite(*scalars: Tensor) -> bool:
    return bool(torch.isfinite(torch.stack(scalars)).all())
