"""The learner: one gradient update from one batch of sub-sequences."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from robot_agent.encoder.augmentation import random_shift
from robot_agent.learning.batch import LearningBatch
from robot_agent.learning.policy_loss import frozen, policy_loss
from robot_agent.learning.targets import last_steps, multi_step_returns
from robot_agent.learning.terms import default_weights, evaluate_terms
from robot_agent.learning.terms.term import TermConfig
from robot_agent.learning.unroll import unroll
from robot_agent.mind import Mind, with_reward_scale


@dataclass(frozen=True)
class LossConfig:
    """What the loss is made of.

    Attributes:
        weights: of each term, see `robot_agent.learning.terms`.
        terms: what several terms share.
        entropy: weight of the policy's entropy, in units of the running spread of Q.
    """

    weights: dict[str, float] = field(default_factory=default_weights)
    terms: TermConfig = field(default_factory=TermConfig)
    entropy: float = 1e-4


@dataclass(frozen=True)
class LearnerConfig:
    """How the modules learn.

    Attributes:
        batch_size: sub-sequences of an update.
        horizon: transitions of a sub-sequence; also the steps of the multi-step return.
        learning_rate: of Adam.
        encoder_learning_rate: of the encoder, slower, because all other modules read what it puts out.
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


class Learner:
    """Owns the mind that learns, its EMA targets and its optimiser.

    An update never waits for the device: there it is decided whether batch, losses and gradients are finite. Where one
    is not, weights, moments, EMA targets and running statistics stay as they are, and the update counts as skipped.

    Args:
        mind: the modules; updated in place.
        config: how they learn.
        seed: of every draw that the learner makes.

    Attributes:
        attempts: updates, skipped ones included.
    """

    def __init__(self, mind: Mind, config: LearnerConfig, seed: int = 0) -> None:
        self.mind = mind
        self.config = config
        self.target_encoder = copy.deepcopy(mind.encoder).requires_grad_(False)
        self.target_value = copy.deepcopy(mind.value).requires_grad_(False)
        slow = list(mind.encoder.parameters())
        rest = [parameter for name, parameter in mind.named_parameters() if not name.startswith("encoder.")]
        groups: list[dict[str, Any]] = [{"params": slow, "lr": config.encoder_learning_rate}, {"params": rest}]
        self.optimiser = torch.optim.Adam(groups, lr=config.learning_rate, fused=True)
        policy = set(mind.policy.parameters())
        self._world_parameters = [parameter for parameter in (*slow, *rest) if parameter not in policy]
        self.device = slow[0].device
        self.value_spread = torch.ones((), device=self.device)
        self._skipped = torch.zeros((), dtype=torch.int64, device=self.device)
        # On the CPU wherever the mind is: the same seed draws the same on every device.
        self.generator = torch.Generator().manual_seed(seed)
        self.attempts = 0
        self._terminates = False
        self._spread_quantiles = torch.tensor([0.05, 0.95], device=self.device)

    @property
    def skipped_updates(self) -> int:
        """Updates that were skipped; waits for the device."""
        return int(self._skipped)

    @property
    def updates(self) -> int:
        """Updates that were made; waits for the device."""
        return self.attempts - self.skipped_updates

    def update(self, batch: LearningBatch) -> dict[str, Tensor]:
        """One update of every module.

        Args:
            batch: one with a number that is not finite is skipped.

        Returns:
            losses and other metrics by name, scalars still on the device; `skipped` is 1 where nothing was learned.
        """
        mind, config = self.mind, self.config
        self.attempts += 1
        self._terminates |= batch.ends
        buffers = [(buffer, buffer.clone()) for buffer in mind.buffers()]
        batch = self._augmented(batch)
        self._follow_statistics(batch)
        rewards = mind.reward_scale.normalise(batch.rewards)
        goal = mind.goal_encoder(batch.goal)
        drawn = torch.randperm(mind.config.heads.value_ensemble, generator=self.generator)
        members = drawn[: config.target_members].to(self.device)
        windows, _, action_dim = batch.actions.shape
        with torch.no_grad():
            later = {name: frames[:, 1:] for name, frames in batch.cameras.items()}
            later_latents = self.target_encoder(later, batch.proprio[:, 1:])
        returns = multi_step_returns(
            batch,
            rewards,
            later_latents,
            goal,
            mind,
            self.target_value.network.params().select(members),
            self._noise(windows, action_dim),
        )
        rollout = unroll(mind, batch, later_latents, goal, rewards, returns, self._terminates)
        world, parts = evaluate_terms(mind, rollout, config.losses.weights, config.losses.terms)

        rows, last = last_steps(batch)
        latents = rollout.latents.detach()
        policy = policy_loss(
            mind,
            torch.cat([latents[:, 0], latents[rows, last + 1]]),
            goal.detach().repeat(2, 1),
            frozen(mind.value.network.params().select(members)),
            self.value_spread,
            self._noise(2 * windows, action_dim),
            config.losses.entropy,
        )
        self.optimiser.zero_grad()
        (world + policy.loss).backward()
        gradient_norm = nn.utils.clip_grad_norm_(self._world_parameters, config.gradient_norm)
        policy_gradient_norm = nn.utils.clip_grad_norm_(mind.policy.parameters(), config.gradient_norm)
        results = torch.stack([world, policy.loss, gradient_norm, policy_gradient_norm])
        # The bins clamp an infinite reward: its loss is finite, and the scale of rewards would be lost.
        numbers = (results, batch.rewards, batch.proprio, batch.actions, batch.goal)
        finite = torch.stack([torch.isfinite(tensor).all() for tensor in numbers]).all()
        self._step(finite)

        with torch.no_grad():
            for buffer, before in buffers:
                buffer.copy_(torch.where(finite, buffer, before))
            low, high = torch.quantile(policy.value, self._spread_quantiles)
            spread = torch.lerp(self.value_spread, (high - low).clamp_min(1.0), config.target_rate)
            self.value_spread.copy_(torch.where(finite, spread, self.value_spread))
            self._skipped += ~finite
        rate = config.target_rate * finite
        self._follow(self.target_encoder, mind.encoder, rate)
        self._follow(self.target_value, mind.value, rate)
        scale = mind.reward_scale
        return {
            **{f"loss_{name}": part.detach() for name, part in parts.items()},
            "loss_policy": policy.loss.detach(),
            "entropy": policy.entropy,
            "value": scale.value_in_world(policy.value.mean()),
            "value_target": scale.value_in_world(returns.value.mean()),
            "value_spread": self.value_spread.clone(),
            "reward_scale": scale.scale.clone(),
            "gradient_norm": gradient_norm.detach(),
            "skipped": (~finite).float(),
        }

    def _follow_statistics(self, batch: LearningBatch) -> None:
        mind = self.mind
        mind.encoder.normaliser.update(batch.proprio.flatten(0, 1), batch.observations_known.flatten())
        mind.goal_encoder.normaliser.update(batch.goal)
        mind.world_model.terminations_seen.fill_(self._terminates)
        mind.reward_scale.fit(batch.rewards, batch.reward_known, self._terminates)

    def _step(self, finite: Tensor) -> None:
        # Adam's own way to leave everything as it is, decided on the device; gradient scalers use it.
        self.optimiser.grad_scale = None  # type: ignore[attr-defined]
        self.optimiser.found_inf = (~finite).float()  # type: ignore[attr-defined]
        self.optimiser.step()

    def _augmented(self, batch: LearningBatch) -> LearningBatch:
        pixels = self.mind.config.encoder.shift_pixels
        cameras = {name: random_shift(frames, pixels, self.generator) for name, frames in batch.cameras.items()}
        return replace(batch, cameras=cameras)

    def _noise(self, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=self.generator).to(self.device)

    @torch.no_grad()
    def _follow(self, target: nn.Module, source: nn.Module, rate: Tensor) -> None:
        theirs: list[Tensor] = list(target.parameters())
        ours: list[Tensor] = list(source.parameters())
        steps = torch._foreach_sub(ours, theirs)
        torch._foreach_mul_(steps, rate)
        torch._foreach_add_(theirs, steps)
        for held, buffer in zip(target.buffers(), source.buffers(), strict=True):
            held.copy_(buffer)

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next update depends on."""
        return {
            "mind": self.mind.state_dict(),
            "target_encoder": self.target_encoder.state_dict(),
            "target_value": self.target_value.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "value_spread": self.value_spread,
            "generator": self.generator.get_state(),
            "updates": self.updates,
            "skipped_updates": self.skipped_updates,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self.mind.load_state_dict(with_reward_scale(state["mind"]))
        self.target_encoder.load_state_dict(state["target_encoder"])
        self.target_value.load_state_dict(state["target_value"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.value_spread.copy_(state["value_spread"])
        self.generator.set_state(state["generator"])
        self.attempts = state["updates"] + state["skipped_updates"]
        self._skipped.fill_(state["skipped_updates"])
        self._terminates = bool(self.mind.world_model.terminations_seen)
