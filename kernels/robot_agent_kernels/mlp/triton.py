"""One layer of an ensemble of perceptrons as one kernel: products, LayerNorm, activation, or what a last layer needs.

A program owns `BLOCK_M` rows of one member and all of its outputs, so that a row's mean, variance and softmax are sums
within the program, and the layer's outputs are written once, normalised. The layer's input may come in two parts, a
latent or a hidden layer and an action; what all trajectories of a robot share enters as `first`.
"""

from __future__ import annotations

import triton
import triton.language as tl

from robot_agent_kernels.activation.triton import activate

PLAIN = tl.constexpr(0)
HIDDEN = tl.constexpr(1)
SIMPLEX = tl.constexpr(2)
TWO_HOT = tl.constexpr(3)
SQUASHED = tl.constexpr(4)
ENDINGS = {"plain": 0, "hidden": 1, "simplex": 2, "two_hot": 3, "squashed": 4}
"""What happens to the sums: nothing; LayerNorm and activation; LayerNorm and a softmax over each simplex; symexp of the
mean of a two-hot distribution; tanh."""


@triton.jit
def tanh(x):
    """From one exponential; NaN stays NaN."""
    bounded = tl.where(x > 15.0, 15.0, tl.where(x < -15.0, -15.0, x))
    return 1.0 - 2.0 / (tl.exp(2.0 * bounded) + 1.0)


@triton.jit
def layer_norm(x, mask, width):
    """Zero mean and unit variance over axis 1, of the `width` entries where `mask` holds; 0 elsewhere."""
    mean = tl.sum(tl.where(mask, x, 0.0), axis=1) / width
    centered = tl.where(mask, x - tl.expand_dims(mean, 1), 0.0)
    variance = tl.sum(centered * centered, axis=1) / width
    return centered * tl.expand_dims(tl.rsqrt(variance + 1e-5), 1)


@triton.jit
def accumulate(
    sums,
    rows_at,
    weight,
    columns,
    row_mask,
    column_mask,
    inputs,
    weight_stride,
    BLOCK_K: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """`sums + x weight`: x from pointers to its rows, operands of the weight's type, sums in float32."""
    for start in range(0, inputs, BLOCK_K):
        inner = start + tl.arange(0, BLOCK_K)
        inner_mask = inner < inputs
        a = tl.load(rows_at[:, None] + inner[None, :], mask=row_mask[:, None] & inner_mask[None, :], other=0.0)
        b = tl.load(
            weight + inner[:, None] * weight_stride + columns[None, :],
            mask=inner_mask[:, None] & column_mask[None, :],
            other=0.0,
        )
        sums = tl.dot(a.to(weight.dtype.element_ty), b, sums, input_precision=PRECISION)
    return sums


@triton.jit
def layer_kernel(
    x,  # (members or 1, rows, inputs), a latent or a hidden layer
    x_member_stride,
    x_stride,
    inputs,
    weight,  # (members, inputs, outputs)
    action,  # row r lies at r // samples * action_robot_stride + r % samples * action_stride
    action_robot_stride,
    action_stride,
    action_dim,
    action_weight,  # (members, action_dim, outputs)
    first,  # float32; row r of member m starts from first[r // samples * first_robot_stride + m * outputs]
    first_robot_stride,
    drawn,  # (members,) int32, which members of the weights run
    out,  # (members, rows, outputs); two-hot: (members, rows)
    bins,  # (outputs,) float32 support of the two-hot distribution
    row_count,
    samples,  # rows of a robot
    outputs,
    ENDING: tl.constexpr,
    ACTIVATION: tl.constexpr,
    HAS_X: tl.constexpr,
    HAS_ACTION: tl.constexpr,
    GROUPS: tl.constexpr,
    PRECISION: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
    BLOCK_A: tl.constexpr,
):
    """See the module; a program for each block of rows and each member."""
    member = tl.program_id(1).to(tl.int64)
    chosen = tl.load(drawn + tl.program_id(1)).to(tl.int64)
    rows = tl.program_id(0) * BLOCK_M + tl.arange(0, BLOCK_M)
    columns = tl.arange(0, BLOCK_N)
    row_mask = rows < row_count
    column_mask = columns < outputs
    mask = row_mask[:, None] & column_mask[None, :]
    robots = (rows // samples).to(tl.int64)
    starts = first + robots * first_robot_stride + chosen * outputs
    sums = tl.load(starts[:, None] + columns[None, :], mask=mask, other=0.0)
    if HAS_X:
        rows_at = x + member * x_member_stride + rows.to(tl.int64) * x_stride
        own = weight + chosen * inputs * outputs
        sums = accumulate(sums, rows_at, own, columns, row_mask, column_mask, inputs, outputs, BLOCK_K, PRECISION)
    if HAS_ACTION:
        rows_at = action + robots * action_robot_stride + (rows % samples).to(tl.int64) * action_stride
        own = action_weight + chosen * action_dim * outputs
        sums = accumulate(sums, rows_at, own, columns, row_mask, column_mask, action_dim, outputs, BLOCK_A, PRECISION)
    if ENDING == TWO_HOT:
        logits = tl.where(column_mask[None, :], sums, float("-inf"))
        grown = tl.exp(logits - tl.max(logits, axis=1)[:, None])
        support = tl.load(bins + columns, mask=column_mask, other=0.0)
        mean = tl.sum(grown * support[None, :], axis=1) / tl.sum(grown, axis=1)
        size = tl.exp(tl.abs(mean)) - 1.0
        tl.store(out + member * row_count + rows, tl.where(mean < 0, -size, size), mask=row_mask)
    else:
        if ENDING == HIDDEN:
            sums = activate(layer_norm(sums, column_mask[None, :], outputs), ACTIVATION)
        elif ENDING == SIMPLEX:
            grown = tl.exp(layer_norm(sums, column_mask[None, :], outputs))
            simplices = tl.reshape(grown, (BLOCK_M, BLOCK_N // GROUPS, GROUPS))
            sums = tl.reshape(simplices / tl.expand_dims(tl.sum(simplices, axis=1), 1), (BLOCK_M, BLOCK_N))
        elif ENDING == SQUASHED:
            sums = tanh(sums)
        to = out + (member * row_count + rows)[:, None] * outputs + columns[None, :]
        tl.store(to, sums.to(out.dtype.element_ty), mask=mask)
