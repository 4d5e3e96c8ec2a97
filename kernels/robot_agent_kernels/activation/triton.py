"""`activation` inside a kernel."""

from __future__ import annotations

import triton
import triton.language as tl

RELU = tl.constexpr(0)
SILU = tl.constexpr(1)
MISH = tl.constexpr(2)
KINDS = {"relu": 0, "silu": 1, "mish": 2}
"""What `activate` takes for `MLPParams.activation`."""


@triton.jit
def activate(x, KIND: tl.constexpr):
    """One exponential each; NaN stays NaN."""
    if KIND == RELU:
        result = tl.where(x < 0, 0.0, x)
    elif KIND == SILU:
        result = x / (1.0 + tl.exp(-x))
    else:
        grown = tl.exp(tl.where(x > 40.0, 40.0, x)) + 1.0
        result = x - 2.0 * x / (grown * grown + 1.0)
    return result
