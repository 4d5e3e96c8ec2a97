"""`activation`: what follows LayerNorm in a hidden layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import torch.nn.functional as F
from torch import Tensor

Activation = Literal["relu", "silu", "mish"]

ACTIVATIONS: Mapping[Activation, Callable[[Tensor], Tensor]] = {
    "relu": F.relu_,  # in place: its gradient needs the result alone
    "silu": F.silu,
    "mish": F.mish,
}
"""Each may overwrite its input."""
