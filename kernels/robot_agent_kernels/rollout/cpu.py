"""`rollout` on a CPU: plain torch, arranged so that little is computed twice and nothing large is allocated.

- The first layer of a network is a sum over the parts of its input. What a goal or a context adds is computed once a
  robot, what the first latent adds once a robot, what the actions add for all steps at once.
- The heads of an ensemble share one product in their first layer. Rewards and terminations of all steps are computed
  together when the latents are known.
- Trajectories pass in blocks of rows that stay in a core's cache.
- Only Q functions that were drawn are computed.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from robot_agent_kernels.activation.cpu import ACTIVATIONS_IN_PLACE
from robot_agent_kernels.activation.reference import Activation
from robot_agent_kernels.layer_norm.reference import layer_norm
from robot_agent_kernels.params import MLPParams, RolloutParams
from robot_agent_kernels.two_hot.reference import two_hot_mean

_BLOCK_BYTES = 256 * 1024
"""Of one layer's outputs for a block of rows; a few of them fit the second-level cache of current cores."""


@dataclass(frozen=True)
class SplitMLP:
    """An ensemble of perceptrons whose first layer is split by the parts of the input.

    Attributes:
        latent: `(latent, ensemble * hidden)`.
        action: `(action_dim, ensemble * hidden)`; no rows for a network that reads no action.
        shared: `(goal or context, ensemble * hidden)`: what all trajectories of a robot have in common.
        bias: `(ensemble * hidden,)`.
        weights: of the other layers, `(ensemble, inputs, outputs)`.
        biases: of the other layers, `(ensemble, 1, outputs)`.
        activation: of the hidden layers.
        ensemble: members.
    """

    latent: Tensor
    action: Tensor
    shared: Tensor
    bias: Tensor
    weights: tuple[Tensor, ...]
    biases: tuple[Tensor, ...]
    activation: Activation
    ensemble: int

    @classmethod
    def pack(cls, params: MLPParams, latent: int, action: int, dtype: torch.dtype) -> SplitMLP:
        """Copies the weights; the first layer's inputs are `[latent, action, shared]`."""
        first = params.weights[0].to(dtype)
        joined = first.transpose(0, 1).reshape(first.shape[1], -1)
        shared = first.shape[1] - latent - action
        return cls(
            *(part.clone() for part in joined.split([latent, action, shared])),
            params.biases[0].to(dtype).reshape(-1).clone(),
            tuple(weight.to(dtype, copy=True) for weight in params.weights[1:]),
            tuple(bias.to(dtype, copy=True) for bias in params.biases[1:]),
            params.activation,
            params.ensemble,
        )

    def first_from_robots(self, shared: Tensor) -> Tensor:
        """What is the same for all trajectories of a robot: `(robots, shared)` to `(robots, ensemble * hidden)`."""
        return torch.addmm(self.bias, shared.to(self.bias.dtype), self.shared)

    def rest(self, first: Tensor) -> Tensor:
        """The layers after the first, whose outputs `first (rows, ensemble * hidden)` are overwritten.

        Returns:
            `(ensemble, rows, outputs)`.
        """
        rows = first.shape[0]
        activate = ACTIVATIONS_IN_PLACE[self.activation]
        hidden = first.view(rows, self.ensemble, -1).transpose(0, 1)
        for weight, bias in zip(self.weights, self.biases, strict=True):
            # Normalised as it lies in memory: the first layer's outputs row by row, the others' member by member.
            contiguous = hidden if hidden.is_contiguous() else hidden.transpose(0, 1)
            normed = activate(layer_norm(contiguous))
            hidden = torch.baddbmm(bias, normed if hidden.is_contiguous() else normed.transpose(0, 1), weight)
        return hidden


class CPURollout:
    """Weights packed for a CPU.

    Args:
        params: the networks; copied.
        dtype: of products and activations: float32, float64, or bfloat16 where the CPU multiplies it faster.
            Latents, returns and uncertainty are float32 at least.
    """

    name = "cpu"

    def __init__(self, params: RolloutParams, dtype: torch.dtype = torch.float32) -> None:
        self.dtype = dtype
        self.precise = torch.float64 if dtype == torch.float64 else torch.float32
        self.refresh(params)

    def refresh(self, params: RolloutParams) -> None:
        """Takes the learner's weights as they are now."""
        self.space = params.latent
        self.discount = params.discount
        self.log_std_bounds = params.log_std_bounds
        self.bins = params.bins.to(self.precise)
        latent = params.latent.width
        action = params.policy.weights[-1].shape[-1] // 2
        self.dynamics = SplitMLP.pack(params.dynamics, latent, action, self.dtype)
        self.reward = SplitMLP.pack(params.reward, latent, action, self.dtype)
        self.policy = SplitMLP.pack(params.policy, latent, 0, self.dtype)
        self.value_members = tuple(
            SplitMLP.pack(params.value.select(torch.tensor([member])), latent, action, self.dtype)
            for member in range(params.value.ensemble)
        )
        self.termination = (
            None if params.termination is None else SplitMLP.pack(params.termination, latent, 0, self.dtype)
        )

    @property
    def value_ensemble(self) -> int:
        """How many Q functions there are to draw from."""
        return len(self.value_members)

    def rollout(
        self, z0: Tensor, actions: Tensor, goal: Tensor, context: Tensor, members: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """As `rollout.reference.rollout`."""
        robots, samples, _, _ = actions.shape
        widest = max(self.dynamics.bias.shape[0], self.reward.bias.shape[0]) * self.dtype.itemsize
        block = max(1, _BLOCK_BYTES // (widest * robots))
        values = [self.value_members[index] for index in (range(self.value_ensemble) if members is None else members)]
        networks = (self.dynamics, context), (self.reward, goal), (self.policy, goal), *((q, goal) for q in values)
        shared = [network.first_from_robots(common) for network, common in networks]
        parts = [self._block(z0, part, shared, values) for part in _even_blocks(actions, block)]
        if len(parts) == 1:
            return parts[0]
        returns, uncertainty, final = zip(*parts, strict=True)
        return torch.cat(returns, 1), torch.cat(uncertainty, 1), torch.cat(final, 1)

    def _block(
        self, z0: Tensor, actions: Tensor, shared: list[Tensor], values: list[SplitMLP]
    ) -> tuple[Tensor, Tensor, Tensor]:
        robots, samples, horizon, _ = actions.shape
        rows = robots * samples
        steps = actions.permute(2, 0, 1, 3).reshape(horizon * rows, -1).to(self.dtype)
        start = z0.to(self.dtype)
        of_dynamics, of_reward, of_policy, *of_values = shared

        first = _first_of_steps(self.dynamics, start, steps, of_dynamics, samples)
        latents = z0.new_empty(horizon, rows, self.space.width, dtype=self.precise)
        uncertainty = z0.new_zeros(rows, dtype=self.precise)
        for step in range(horizon):
            if step:
                first[step].addmm_(latents[step - 1].to(self.dtype), self.dynamics.latent)
            heads = self.space.from_prediction(self.dynamics.rest(first[step]).to(self.precise))
            if self.dynamics.ensemble == 1:
                latents[step] = heads[0]
            else:
                torch.mean(heads, 0, out=latents[step])
                uncertainty += (heads - latents[step]).square_().sum((0, 2))
        final = latents[-1]
        inner = latents.view(horizon * rows, -1).to(self.dtype)

        first = _first_of_steps(self.reward, start, steps, of_reward, samples)
        if horizon > 1:
            first[1:].view((horizon - 1) * rows, -1).addmm_(inner[:-rows], self.reward.latent)
        rewards = two_hot_mean(self.reward.rest(first.view(horizon * rows, -1))[0].to(self.precise), self.bins)
        weights = self._weights(inner, horizon, rows)
        returns = (weights[:-1] * rewards.view(horizon, rows)).sum(0)

        end = inner[-rows:]
        best = torch.tanh(self._policy(end, of_policy, samples)[0])
        for value, common in zip(values, of_values, strict=True):
            outputs = _per_row(common, samples).addmm_(end, value.latent).addmm_(best, value.action)
            of_value = two_hot_mean(value.rest(outputs)[0].to(self.precise), self.bins)
            returns = returns + weights[-1] * of_value / len(values)
        shape = (robots, samples)
        return (
            returns.view(shape),
            (uncertainty / (self.dynamics.ensemble * horizon)).view(shape),
            final.view(*shape, -1),
        )

    def _weights(self, latents: Tensor, horizon: int, rows: int) -> Tensor:
        """What each step's reward and the value count, `(horizon + 1, rows)` or `(horizon + 1, 1)`."""
        discount = self.discount ** torch.arange(horizon + 1, dtype=self.precise, device=latents.device)
        if self.termination is None:
            return discount[:, None]
        logits = self.termination.rest(torch.addmm(self.termination.bias, latents, self.termination.latent))[0, :, 0]
        alive = torch.sigmoid(-logits.to(self.precise)).view(horizon, rows).cumprod(0)
        return discount[:, None] * torch.cat([torch.ones_like(alive[:1]), alive])

    def _policy(self, latent: Tensor, shared: Tensor, samples: int) -> tuple[Tensor, Tensor]:
        """Mean and raw log standard deviation before squashing, each `(rows, action_dim)`."""
        mean, raw = self.policy.rest(_per_row(shared, samples).addmm_(latent, self.policy.latent))[0].chunk(2, dim=-1)
        return mean, raw

    def policy_trajectories(self, z0: Tensor, goal: Tensor, context: Tensor, noise: Tensor) -> Tensor:
        """As `rollout.reference.policy_trajectories`."""
        robots, count, horizon, _ = noise.shape
        steps = noise.reshape(robots * count, horizon, -1).unbind(1)
        latent = z0.repeat_interleave(count, 0).to(self.dtype)
        of_policy = self.policy.first_from_robots(goal)
        of_dynamics = self.dynamics.first_from_robots(context)
        low, high = self.log_std_bounds
        actions = []
        for step in range(horizon):
            mean, raw = (part.to(self.precise) for part in self._policy(latent, of_policy, count))
            log_std = low + 0.5 * (high - low) * (torch.tanh(raw) + 1)
            actions.append(torch.tanh(mean + log_std.exp() * steps[step]))
            if step + 1 < horizon:
                first = _per_row(of_dynamics, count).addmm_(latent, self.dynamics.latent)
                first.addmm_(actions[-1].to(self.dtype), self.dynamics.action)
                prediction = self.dynamics.rest(first).to(self.precise)
                latent = self.space.from_prediction(prediction).mean(0).to(self.dtype)
        return torch.stack(actions, dim=1).view_as(noise)


def _even_blocks(actions: Tensor, block: int) -> tuple[Tensor, ...]:
    """Along the samples, no block larger than `block` and none much smaller than the others."""
    samples = actions.shape[1]
    return actions.tensor_split(max(1, -(-samples // block)), dim=1)


def _per_row(of_robots: Tensor, samples: int) -> Tensor:
    """A copy for each sample of a robot, `(robots, n)` to `(robots * samples, n)`."""
    return of_robots.repeat_interleave(samples, 0)


def _first_of_steps(network: SplitMLP, start: Tensor, steps: Tensor, of_robots: Tensor, samples: int) -> Tensor:
    """The first layer without what the latents after the first add, `(horizon, rows, ensemble * hidden)`."""
    first = (steps @ network.action).view(-1, of_robots.shape[0], samples, of_robots.shape[1])
    first += of_robots[:, None]
    first[0] += (start @ network.latent)[:, None]
    return first.view(first.shape[0], -1, of_robots.shape[1])
