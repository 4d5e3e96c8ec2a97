"""TD-MPC2's planner (Hansen et al. 2024) in plain torch, as a baseline: the published algorithm, one robot a call.

It computes what the published planner computes: modules with affine LayerNorm, Mish, softmax over neighbouring units,
the returns of the policy's trajectories anew in each iteration, and all Q functions before two of them are drawn.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robot_agent_kernels.latent import SimNormLatent
from robot_agent_kernels.mppi.types import PlanConfig
from robot_agent_kernels.params import MLPParams, RolloutParams


def network(params: MLPParams, member: int = 0) -> nn.Sequential:
    """One member of an ensemble as modules."""
    layers: list[nn.Module] = []
    last = len(params.weights) - 1
    for index, (weight, bias) in enumerate(zip(params.weights, params.biases, strict=True)):
        linear = nn.Linear(weight.shape[1], weight.shape[2], device=weight.device, dtype=weight.dtype)
        linear.weight.data.copy_(weight[member].T)
        linear.bias.data.copy_(bias[member, 0])
        layers.append(linear)
        if index < last:
            activation = {"mish": nn.Mish, "silu": nn.SiLU, "relu": nn.ReLU}[params.activation]
            layers += [nn.LayerNorm(weight.shape[2], device=weight.device, dtype=weight.dtype), activation()]
    return nn.Sequential(*layers)


class TDMPC2Planner(nn.Module):
    """The baseline for given weights.

    Args:
        params: networks over `[latent, action]`, without goal, context and termination; one dynamics head.
        config: as of `plan`; `samples` and `policy_samples` together are the published number of samples.
    """

    order: Tensor
    bins: Tensor

    def __init__(self, params: RolloutParams, config: PlanConfig) -> None:
        super().__init__()
        assert isinstance(params.latent, SimNormLatent)
        self.config = config
        self.discount = params.discount
        self.simplex = params.latent.width // params.latent.groups
        # Members of our simplices lie `groups` apart, here they are neighbours.
        order = torch.arange(params.latent.width).view(self.simplex, params.latent.groups).T.flatten()
        self.register_buffer("order", order.to(params.bins.device))
        width = params.latent.width
        self.dynamics, self.reward, self.policy = map(network, (params.dynamics, params.reward, params.policy))
        self.latent_norm = nn.LayerNorm(width, device=params.bins.device, dtype=params.bins.dtype)
        self.values = nn.ModuleList(network(params.value, member) for member in range(params.value.ensemble))
        for parameter in self.dynamics[-1].parameters():
            parameter.data = parameter.data[self.order]
        for module in (self.dynamics, self.reward, self.policy, *self.values):
            first = next(module.parameters())
            first.data[:, :width] = first.data[:, :width][:, self.order]
        self.register_buffer("bins", params.bins)
        self.low, self.high = params.log_std_bounds
        self.requires_grad_(False)

    def next(self, latent: Tensor, action: Tensor) -> Tensor:
        """One step of the dynamics, `(rows, latent)`."""
        out = self.latent_norm(self.dynamics(torch.cat([latent, action], dim=-1)))
        return torch.softmax(out.view(*out.shape[:-1], -1, self.simplex), dim=-1).flatten(-2)

    def scalar(self, logits: Tensor) -> Tensor:
        """The mean of two-hot logits."""
        mean = (torch.softmax(logits, dim=-1) * self.bins).sum(-1)
        return torch.sign(mean) * (torch.exp(torch.abs(mean)) - 1)

    def act(self, latent: Tensor, noise: Tensor | None = None) -> Tensor:
        """The policy's action, with noise if given."""
        mean, raw = self.policy(latent).chunk(2, dim=-1)
        if noise is None:
            return torch.tanh(mean)
        log_std = self.low + 0.5 * (self.high - self.low) * (torch.tanh(raw) + 1)
        return torch.tanh(mean + log_std.exp() * noise)

    def returns(self, z0: Tensor, actions: Tensor, members: Tensor) -> Tensor:
        """Returns `(samples,)` of actions `(horizon, samples, action_dim)` from `z0 (1, latent)`."""
        latent, total, discount = z0.expand(actions.shape[1], -1), z0.new_zeros(()), 1.0
        for action in actions:
            total = total + discount * self.scalar(self.reward(torch.cat([latent, action], dim=-1)))
            latent = self.next(latent, action)
            discount *= self.discount
        rows = torch.cat([latent, self.act(latent)], dim=-1)
        values = torch.stack([value(rows) for value in self.values])
        return total + discount * self.scalar(values[members]).mean(0)

    def forward(self, z0: Tensor, previous: Tensor) -> tuple[Tensor, Tensor]:
        """A plan.

        Args:
            z0: `(1, latent)`, units ordered as in `params`.
            previous: `(horizon, action_dim)`, the last plan.

        Returns:
            the first action `(action_dim,)` and the mean `(horizon, action_dim)`.
        """
        config = self.config
        z0 = z0[:, self.order]
        horizon, action_dim = previous.shape
        latent = z0.expand(config.policy_samples, -1)
        proposed = []
        for step in range(horizon):
            proposed.append(self.act(latent, torch.randn(config.policy_samples, action_dim, device=z0.device)))
            if step + 1 < horizon:
                latent = self.next(latent, proposed[-1])
        fixed = torch.stack(proposed)
        mean = torch.cat([previous[1:], torch.zeros_like(previous[:1])])
        std = torch.full_like(mean, config.max_std)
        members = torch.randperm(len(self.values), device=z0.device)[: config.value_members]
        for _ in range(config.iterations):
            noise = torch.randn(horizon, config.samples, action_dim, device=z0.device)
            sampled = (mean.unsqueeze(1) + std.unsqueeze(1) * noise).clamp(-1, 1)
            actions = torch.cat([fixed, sampled], dim=1)
            values = self.returns(z0, actions, members).nan_to_num(0)
            elite_values, elite = torch.topk(values, config.elites)
            elite_actions = actions[:, elite]
            weights = torch.softmax(config.temperature * (elite_values - elite_values[0]), dim=0)
            mean = (weights[:, None] * elite_actions).sum(1)
            deviation = (elite_actions - mean.unsqueeze(1)).square()
            std = (weights[:, None] * deviation).sum(1).sqrt().clamp(config.min_std, config.max_std)
        drawn = torch.multinomial(weights, 1)
        action = elite_actions[0, drawn[0]] + std[0] * torch.randn(action_dim, device=z0.device)
        return F.hardtanh(action), mean
