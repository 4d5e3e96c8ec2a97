"""`activation` on a CPU: in place, without gradients, and with one exponential each."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from robot_agent_kernels.activation.reference import Activation


def mish_(inputs: Tensor) -> Tensor:
    """`x tanh(ln(1 + e^x)) = x - 2x / ((1 + e^x)^2 + 1)`; where `e^x` overflows, `x` remains, as it should."""
    grown = torch.exp(inputs).add_(1)
    return inputs.addcdiv_(inputs, torch.addcmul(inputs.new_ones(()), grown, grown, out=grown), value=-2)


def silu_(inputs: Tensor) -> Tensor:
    """`x / (1 + e^-x)`."""
    return F.silu(inputs, inplace=True)


ACTIVATIONS_IN_PLACE: Mapping[Activation, Callable[[Tensor], Tensor]] = {"relu": F.relu_, "silu": silu_, "mish": mish_}
