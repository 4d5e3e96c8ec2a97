"""The goal encoder: the only door through which a goal reaches the agent."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from robot_agent.encoder.normaliser import RunningNormaliser
from robot_agent.networks.mlp import MLP


class GoalEncoder(nn.Module):
    """A goal to its embedding; a constant in a world with one reward.

    Args:
        goal_dim: width of `desired_goal`, 0 in a world with one reward.
        embedding_dim: width of the embedding.
    """

    constant: Tensor

    def __init__(self, goal_dim: int, embedding_dim: int) -> None:
        super().__init__()
        self.goal_dim = goal_dim
        self.embedding_dim = embedding_dim
        self.register_buffer("constant", torch.ones(embedding_dim))
        self.normaliser = RunningNormaliser(goal_dim)
        self.tower = MLP(goal_dim, (64,), embedding_dim) if goal_dim else None

    def forward(self, goal: Tensor) -> Tensor:
        """`(rows, goal_dim)` to `(rows, embedding_dim)`."""
        if self.tower is None:
            return self.constant.expand(goal.shape[0], -1)
        return torch.tanh(self.tower(self.normaliser(goal))[0])
