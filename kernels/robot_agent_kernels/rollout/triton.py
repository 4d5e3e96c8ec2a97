"""What a rollout does between the layers of its networks, as kernels."""

from __future__ import annotations

import triton
import triton.language as tl

from robot_agent_kernels.mlp.triton import tanh


@triton.jit
def latent_kernel(
    prediction,  # (heads, rows, codes * groups) float32
    latent,  # (rows, latent), written
    uncertainty,  # (rows,) float32, written at the first step and added to later
    codebook,  # (codes, channels) float32, or not read
    row_count,
    scale,  # of the squared distances: 1 / (heads * horizon)
    groups,
    codes,
    HEADS: tl.constexpr,
    CHANNELS: tl.constexpr,
    FIRST: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_C: tl.constexpr,
    BLOCK_G: tl.constexpr,
):
    """Predictions of all heads to the mean latent, and the squared distances of the heads' latents to it.

    With `CHANNELS` 0 a prediction becomes simplices: LayerNorm, then a softmax over `codes` members of each of the
    groups. Otherwise it is the logits of `codes` codes of each group, and becomes the mean code of `CHANNELS` values.
    """
    rows = tl.program_id(0) * BLOCK_M + tl.arange(0, BLOCK_M)
    row_mask = rows < row_count
    code, group = tl.arange(0, BLOCK_C), tl.arange(0, BLOCK_G)
    code_mask, group_mask = code < codes, group < groups
    inside = (code_mask[:, None] & group_mask[None, :])[None, :, :]
    mask = row_mask[:, None, None] & inside
    offsets = (code[:, None] * groups + group[None, :])[None, :, :]
    width = codes * groups
    distance = tl.zeros((BLOCK_M,), tl.float32)
    OWN_C: tl.constexpr = 1 if CHANNELS > 0 else BLOCK_C
    for channel in tl.static_range(CHANNELS if CHANNELS > 0 else 1):
        mean = tl.zeros((BLOCK_M, OWN_C, BLOCK_G), tl.float32)
        square = tl.zeros((BLOCK_M, OWN_C, BLOCK_G), tl.float32)
        for head in tl.static_range(HEADS):
            start = prediction + (head * row_count + rows).to(tl.int64)[:, None, None] * width
            x = tl.load(start + offsets, mask=mask, other=0.0)
            if CHANNELS > 0:
                x = tl.where(code_mask[None, :, None], x, float("-inf"))
                grown = tl.exp(x - tl.expand_dims(tl.max(x, axis=1), 1))
                values = tl.load(codebook + code * CHANNELS + channel, mask=code_mask, other=0.0)
                of_channel = tl.sum(grown * values[None, :, None], axis=1) / tl.sum(grown, axis=1)
                own = tl.expand_dims(of_channel, 1)
                own = tl.where(group_mask[None, None, :], own, 0.0)
            else:
                level = tl.sum(tl.sum(x, axis=2), axis=1) / width
                centered = tl.where(inside, x - level[:, None, None], 0.0)
                variance = tl.sum(tl.sum(centered * centered, axis=2), axis=1) / width
                grown = tl.exp(centered * tl.rsqrt(variance + 1e-5)[:, None, None])
                grown = tl.where(inside, grown, 0.0)
                total = tl.where(group_mask[None, :], tl.sum(grown, axis=1), 1.0)
                own = grown / tl.expand_dims(total, 1)
            before = mean  # running mean and sum of squared distances (Welford 1962)
            mean = before + (own - before) / (head + 1)
            square += (own - before) * (own - mean)
        distance += tl.sum(tl.sum(square, axis=2), axis=1)
        to = latent + rows.to(tl.int64)[:, None, None] * (width if CHANNELS == 0 else CHANNELS * groups)
        if CHANNELS > 0:
            at = (channel * groups + group)[None, None, :]
            tl.store(
                to + at, mean.to(latent.dtype.element_ty), mask=row_mask[:, None, None] & group_mask[None, None, :]
            )
        else:
            tl.store(to + offsets, mean.to(latent.dtype.element_ty), mask=mask)
    distance = distance * scale
    if not FIRST:
        distance += tl.load(uncertainty + rows, mask=row_mask, other=0.0)
    tl.store(uncertainty + rows, distance, mask=row_mask)


@triton.jit
def total_kernel(
    rewards,  # (horizon, rows)
    values,  # (members, rows)
    terminations,  # (horizon, rows) logits, or not read
    step_uncertainty,  # (rows,)
    returns,  # (robots, candidates), row r at r // samples * candidates + r % samples
    uncertainty,  # likewise
    row_count,
    samples,
    candidates,
    horizon,
    members,
    discount,
    HAS_TERMINATION: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """The discounted sum of rewards, closed by the mean of the drawn values."""
    rows = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = rows < row_count
    total = tl.zeros((BLOCK,), tl.float32)
    weight = tl.zeros((BLOCK,), tl.float32) + 1.0
    for step in range(horizon):
        total += weight * tl.load(rewards + step * row_count + rows, mask=mask, other=0.0)
        weight = weight * discount
        if HAS_TERMINATION:
            logit = tl.load(terminations + step * row_count + rows, mask=mask, other=0.0)
            weight = weight / (1.0 + tl.exp(logit))
    value = tl.zeros((BLOCK,), tl.float32)
    for member in range(members):
        value += tl.load(values + member * row_count + rows, mask=mask, other=0.0)
    at = rows // samples * candidates + rows % samples
    tl.store(returns + at, total + weight * value / members, mask=mask)
    tl.store(uncertainty + at, tl.load(step_uncertainty + rows, mask=mask, other=0.0), mask=mask)


@triton.jit
def propose_kernel(
    raw,  # (rows, 2 * action_dim) float32: mean, then raw log standard deviation
    noise,  # (rows, horizon, action_dim) float32, or not read
    seed,  # (robots,) int64
    actions,  # row r at r // samples * robot_stride + r % samples * row_stride, written
    robot_stride,
    row_stride,
    row_count,
    samples,
    step,
    horizon,
    action_dim,
    stream,  # where this use's random numbers begin
    lowest_log_std,
    highest_log_std,
    HAS_NOISE: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_A: tl.constexpr,
):
    """The policy's squashed Gaussian action; a robot's first sequence is the most likely one."""
    rows = tl.program_id(0) * BLOCK_M + tl.arange(0, BLOCK_M)
    units = tl.arange(0, BLOCK_A)
    mask = (rows < row_count)[:, None] & (units < action_dim)[None, :]
    mean = tl.load(raw + rows[:, None] * 2 * action_dim + units[None, :], mask=mask, other=0.0)
    width = tl.load(raw + rows[:, None] * 2 * action_dim + action_dim + units[None, :], mask=mask, other=0.0)
    if HAS_NOISE:
        own = (rows[:, None] * horizon + step) * action_dim + units[None, :]
        white = tl.load(noise + own, mask=mask, other=0.0)
    else:
        of_robot = tl.load(seed + rows // samples, mask=rows < row_count, other=0)
        counter = ((rows % samples)[:, None] * horizon + step) * action_dim + units[None, :]
        white = tl.randn(of_robot[:, None], stream + counter)
        white = tl.where((rows % samples)[:, None] == 0, 0.0, white)
    log_std = lowest_log_std + 0.5 * (highest_log_std - lowest_log_std) * (tanh(width) + 1.0)
    at = (rows // samples).to(tl.int64) * robot_stride + (rows % samples) * row_stride
    tl.store(actions + at[:, None] + units[None, :], tanh(mean + tl.exp(log_std) * white), mask=mask)
