"""The goal-conditioned heads: reward, an ensemble of Q functions, and a squashed Gaussian policy."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from robot_agent_kernels.two_hot.reference import two_hot_mean
from torch import Tensor, nn

from robot_agent.networks.mlp import MLP


@dataclass(frozen=True)
class HeadsConfig:
    """Size of the goal-conditioned heads.

    Attributes:
        hidden: widths of the hidden layers of each head.
        value_ensemble: Q functions; targets take the minimum of two that are drawn.
        bins: of the two-hot distributions.
        bins_range: outermost bins on the symlog scale; 10 stands for 22,025.
        scale_rewards: learn rewards and values in units of the rewards' own size, see `RewardScale`.
        goal_embedding_dim: width of the embedded goal.
        log_std_bounds: of the policy before squashing.
    """

    hidden: tuple[int, ...] = (192, 192)
    value_ensemble: int = 3
    bins: int = 101
    bins_range: float = 10.0
    scale_rewards: bool = True
    goal_embedding_dim: int = 8
    log_std_bounds: tuple[float, float] = (-5.0, 1.0)


class TwoHotHead(nn.Module):
    """`(latent, action, goal)` to the logits of a two-hot distribution; an ensemble of them."""

    bins: Tensor

    def __init__(self, latent_dim: int, action_dim: int, config: HeadsConfig, ensemble: int) -> None:
        super().__init__()
        inputs = latent_dim + action_dim + config.goal_embedding_dim
        self.network = MLP(inputs, config.hidden, config.bins, ensemble=ensemble, zero_output=True)
        self.register_buffer("bins", torch.linspace(-config.bins_range, config.bins_range, config.bins))

    def forward(self, latent: Tensor, action: Tensor, goal: Tensor) -> Tensor:
        """`(rows, ...)` in, logits `(ensemble, rows, bins)` out."""
        return self.network(torch.cat([latent, action, goal], dim=-1))

    def mean(self, logits: Tensor) -> Tensor:
        """`(..., bins)` to the scalars that the distributions stand for."""
        return two_hot_mean(logits, self.bins)


class Policy(nn.Module):
    """A Gaussian squashed by tanh."""

    def __init__(self, latent_dim: int, action_dim: int, config: HeadsConfig) -> None:
        super().__init__()
        self.log_std_bounds = config.log_std_bounds
        self.network = MLP(latent_dim + config.goal_embedding_dim, config.hidden, 2 * action_dim, zero_output=True)

    def distribution(self, latent: Tensor, goal: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log standard deviation before squashing, each `(rows, action_dim)`."""
        mean, log_std = self.network(torch.cat([latent, goal], dim=-1))[0].chunk(2, dim=-1)
        low, high = self.log_std_bounds
        return mean, low + 0.5 * (high - low) * (torch.tanh(log_std) + 1)

    def sample(self, latent: Tensor, goal: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """An action and its log probability.

        Args:
            latent: `(rows, latent_dim)`.
            goal: `(rows, goal_embedding_dim)`.
            noise: standard normal `(rows, action_dim)`.

        Returns:
            action `(rows, action_dim)` in (-1, 1) and log probability `(rows,)`.
        """
        mean, log_std = self.distribution(latent, goal)
        pre = mean + log_std.exp() * noise
        gaussian = -0.5 * noise.square() - log_std - 0.5 * math.log(2 * math.pi)
        # log(1 - tanh(x)^2) in the form that does not overflow
        squash = 2 * (math.log(2) - pre - F.softplus(-2 * pre))
        return torch.tanh(pre), (gaussian - squash).sum(-1)
