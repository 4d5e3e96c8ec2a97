"""`mlp`: linear, LayerNorm and activation for each hidden layer, then a linear layer, for a whole ensemble at once."""

from __future__ import annotations

import torch
from torch import Tensor

from robot_agent_kernels.activation.reference import ACTIVATIONS
from robot_agent_kernels.layer_norm.reference import layer_norm
from robot_agent_kernels.params import MLPParams


def mlp(params: MLPParams, inputs: Tensor) -> Tensor:
    """Applies each member of an ensemble of perceptrons.

    LayerNorm has no gain and no bias of its own: the linear layers around it can express both.

    Args:
        params: weights `(ensemble, inputs, outputs)` a layer.
        inputs: `(rows, inputs)`, the same for each member, or `(ensemble, rows, inputs)`.

    Returns:
        `(ensemble, rows, outputs)`.
    """
    hidden = inputs if inputs.ndim == 3 else inputs.expand(params.ensemble, *inputs.shape)
    last = len(params.weights) - 1
    for index, (weight, bias) in enumerate(zip(params.weights, params.biases, strict=True)):
        hidden = torch.baddbmm(bias, hidden, weight)
        if index < last:
            hidden = ACTIVATIONS[params.activation](layer_norm(hidden))
    return hidden
