"""The latent world model: an ensemble of action-conditioned dynamics, and a termination head. It never sees a goal."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from robot_agent_kernels.latent import LatentSpace
from torch import Tensor, nn

from robot_agent.networks.mlp import MLP


@dataclass(frozen=True)
class WorldModelConfig:
    """Size of the world model.

    Attributes:
        hidden: widths of the hidden layers of each dynamics head.
        ensemble: dynamics heads; their disagreement is the epistemic uncertainty, so at least 2.
        context_dim: width of the context that the dynamics reads; 0 for none.
        termination_hidden: widths of the hidden layers of the termination head.
    """

    hidden: tuple[int, ...] = (192, 192)
    ensemble: int = 2
    context_dim: int = 0
    termination_hidden: tuple[int, ...] = (64,)


class WorldModel(nn.Module):
    """`z' = dyn(z, a, c)` and the probability that the episode ends there."""

    terminations_seen: Tensor

    def __init__(self, latent_dim: int, space: LatentSpace, action_dim: int, config: WorldModelConfig) -> None:
        super().__init__()
        self.config = config
        self.space = space
        inputs = latent_dim + action_dim + config.context_dim
        self.dynamics = MLP(inputs, config.hidden, space.prediction_width, ensemble=config.ensemble)
        self.termination = MLP(latent_dim, config.termination_hidden, 1, zero_output=True)
        self.register_buffer("terminations_seen", torch.zeros((), dtype=torch.bool))

    def heads(self, latent: Tensor, action: Tensor, context: Tensor) -> Tensor:
        """Next latents of each head: `(rows, ...)` in, `(ensemble, rows, latent_dim)` out."""
        return self.space.from_prediction(self.predict(latent, action, context))

    def predict(self, latent: Tensor, action: Tensor, context: Tensor) -> Tensor:
        """What each head says of the next latent, `(ensemble, rows, prediction_width)`."""
        return self.dynamics(torch.cat([latent, action, context], dim=-1))

    def termination_logit(self, latent: Tensor) -> Tensor:
        """Logit that the episode ended on entering `latent (rows, latent_dim)`, `(rows,)`."""
        return self.termination(latent)[0, :, 0]
