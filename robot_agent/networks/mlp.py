"""The trainable side of the rollout core's perceptron."""

from __future__ import annotations

import itertools

import torch
from robot_agent_kernels.mlp.reference import mlp
from robot_agent_kernels.params import MLPParams
from torch import Tensor, nn


class MLP(nn.Module):
    """An ensemble of perceptrons (linear, LayerNorm, ReLU; linear at the end) that owns the weights of `MLPParams`.

    Args:
        inputs: width of the input.
        hidden: widths of the hidden layers.
        outputs: width of the output.
        ensemble: independent members, each with weights of its own.
        zero_output: start with an output of zero, as value and reward do: no opinion before evidence.
    """

    def __init__(
        self, inputs: int, hidden: tuple[int, ...], outputs: int, ensemble: int = 1, zero_output: bool = False
    ) -> None:
        super().__init__()
        widths = (inputs, *hidden, outputs)
        self.weights = nn.ParameterList()
        self.biases = nn.ParameterList()
        for fan_in, fan_out in itertools.pairwise(widths):
            weight = torch.stack([nn.init.orthogonal_(torch.empty(fan_in, fan_out)) for _ in range(ensemble)])
            self.weights.append(nn.Parameter(weight))
            self.biases.append(nn.Parameter(torch.zeros(ensemble, 1, fan_out)))
        if zero_output:
            nn.init.zeros_(self.weights[-1])

    def params(self) -> MLPParams:
        """The weights as the rollout core takes them: the same tensors, not copies."""
        return MLPParams(tuple(self.weights), tuple(self.biases))

    def forward(self, inputs: Tensor) -> Tensor:
        """`(rows, inputs)` or `(ensemble, rows, inputs)` to `(ensemble, rows, outputs)`."""
        return mlp(self.params(), inputs)
