"""The steps of MPPI as kernels: sampling around the mean and refitting to the elites, with nothing read back."""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def sample_kernel(
    mean,  # (robots, horizon, action_dim)
    std,
    noise,  # (robots, samples, horizon, action_dim) white, or not read
    seed,  # (robots,) int64
    actions,  # sample s of robot r at r * robot_stride + s * horizon * action_dim, written
    robot_stride,
    samples,
    horizon,
    action_dim,
    stream,  # where this iteration's random numbers begin
    correlation,
    innovation,  # sqrt(1 - correlation^2)
    HAS_NOISE: tl.constexpr,
    BLOCK_S: tl.constexpr,
    BLOCK_A: tl.constexpr,
):
    """Sequences around the mean with AR(1) noise, clamped to [-1, 1]."""
    robot = tl.program_id(0).to(tl.int64)
    sample = tl.program_id(1) * BLOCK_S + tl.arange(0, BLOCK_S)
    units = tl.arange(0, BLOCK_A)
    mask = (sample < samples)[:, None] & (units < action_dim)[None, :]
    last = tl.zeros((BLOCK_S, BLOCK_A), tl.float32)
    for step in range(horizon):
        own = (sample[:, None] * horizon + step) * action_dim + units[None, :]
        if HAS_NOISE:
            white = tl.load(noise + robot * samples * horizon * action_dim + own, mask=mask, other=0.0)
        else:
            white = tl.randn(tl.load(seed + robot), stream + own)
        last = tl.where(step == 0, white, correlation * last + innovation * white)
        at = (robot * horizon + step) * action_dim + units
        center = tl.load(mean + at, mask=units < action_dim, other=0.0)[None, :]
        spread = tl.load(std + at, mask=units < action_dim, other=0.0)[None, :]
        action = tl.minimum(tl.maximum(center + spread * last, -1.0), 1.0)
        tl.store(actions + robot * robot_stride + own, action, mask=mask)


@triton.jit
def members_kernel(seed, drawn, ensemble, count, stream, BLOCK: tl.constexpr):
    """`count` different members of an ensemble, each set alike likely: those with the smallest of random numbers."""
    index = tl.arange(0, BLOCK)
    key = tl.where(index < ensemble, tl.rand(tl.load(seed), stream + index), 2.0)
    before = (key[None, :] < key[:, None]) | ((key[None, :] == key[:, None]) & (index[None, :] < index[:, None]))
    rank = tl.sum(before.to(tl.int32), axis=1)
    tl.store(drawn + rank, index, mask=(index < ensemble) & (rank < count))


@triton.jit
def refit_kernel(
    actions,  # (robots, candidates, units)
    returns,  # (robots, candidates)
    uncertainty,
    elite_noise,  # (robots, candidates) Gumbel, or not read
    action_noise,  # (robots, action_dim) white, or not read
    seed,  # (robots,) int64
    mean,  # (robots, units), written
    std,
    weights,  # (robots, candidates), written
    value,  # (robots,), written
    disagreement,
    action,  # (robots, action_dim), written: the first action of a drawn elite, plus noise
    candidates,
    units,  # horizon * action_dim
    action_dim,
    elites,
    temperature,
    coefficient,
    lowest_std,
    highest_std,
    stream,
    HAS_NOISE: tl.constexpr,
    BLOCK_S: tl.constexpr,
    BLOCK_J: tl.constexpr,
    BLOCK_U: tl.constexpr,
):
    """As `mppi.refit.refit`, a program a robot; candidates that are not finite weigh nothing."""
    robot = tl.program_id(0).to(tl.int64)
    index = tl.arange(0, BLOCK_S)
    there = index < candidates
    gain = tl.load(returns + robot * candidates + index, mask=there, other=float("nan"))
    doubt = tl.load(uncertainty + robot * candidates + index, mask=there, other=float("nan"))
    finite = (tl.abs(gain) < float("inf")) & (tl.abs(doubt) < float("inf"))  # comparisons with NaN are false
    gain, doubt = tl.where(finite, gain, 0.0), tl.where(finite, doubt, 0.0)
    center = tl.sum(gain, axis=0) / candidates
    away = tl.where(there, gain - center, 0.0)
    unit = tl.sqrt(tl.sum(away * away, axis=0) / candidates) / (tl.sum(doubt, axis=0) / candidates + 1e-6)
    score = tl.where(finite, gain + coefficient * unit * doubt, float("-inf"))
    tl.store(weights + robot * candidates + index, score, mask=there)
    tl.debug_barrier()

    before = tl.zeros((BLOCK_S,), tl.int32)
    for start in range(0, candidates, BLOCK_J):
        other = start + tl.arange(0, BLOCK_J)
        theirs = tl.load(weights + robot * candidates + other, mask=other < candidates, other=float("-inf"))
        leads = theirs[None, :] > score[:, None]
        ties = (theirs[None, :] == score[:, None]) & (other[None, :] < index[:, None])
        before += tl.sum((leads | ties).to(tl.int32), axis=1)
    elite = finite & (before < elites)
    kept = tl.maximum(tl.sum(elite.to(tl.float32), axis=0), 1.0)
    filled = tl.where(elite, score, 0.0)
    level = tl.sum(filled, axis=0) / kept
    away = tl.where(elite, score - level, 0.0)
    spread = tl.sqrt(tl.sum(away * away, axis=0) / kept)
    best = tl.max(tl.where(elite, score, -3.0e38), axis=0)
    grown = tl.where(elite, tl.exp((tl.where(elite, score, best) - best) / (temperature * spread + 1e-6)), 0.0)
    total = tl.sum(grown, axis=0)
    weight = grown / tl.where(total > 0, total, 1.0)
    tl.debug_barrier()
    tl.store(weights + robot * candidates + index, weight, mask=there)
    tl.store(value + robot, tl.sum(weight * filled, axis=0))
    tl.store(disagreement + robot, tl.sum(weight * doubt, axis=0))

    if HAS_NOISE:
        gumbel = tl.load(elite_noise + robot * candidates + index, mask=there, other=0.0)
    else:
        uniform = tl.rand(tl.load(seed + robot), stream + index)
        gumbel = -tl.log(-tl.log(tl.minimum(tl.maximum(uniform, 1e-20), 1.0 - 1e-7)))
    lot = tl.where(weight > 0, tl.log(tl.maximum(weight, 1e-38)) + gumbel, float("-inf"))
    drawn = tl.argmax(lot, axis=0)
    for start in range(0, units, BLOCK_U):
        unit_index = start + tl.arange(0, BLOCK_U)
        mask = (weight > 0)[:, None] & (unit_index < units)[None, :]
        at = (robot * candidates + index)[:, None] * units + unit_index[None, :]
        theirs = tl.load(actions + at, mask=mask, other=0.0)
        fitted = tl.sum(weight[:, None] * theirs, axis=0)
        off = tl.where(mask, theirs - fitted[None, :], 0.0)
        deviation = tl.sqrt(tl.sum(weight[:, None] * off * off, axis=0))
        deviation = tl.minimum(tl.maximum(deviation, lowest_std), highest_std)
        unit_mask = unit_index < units
        tl.store(mean + robot * units + unit_index, fitted, mask=unit_mask)
        tl.store(std + robot * units + unit_index, deviation, mask=unit_mask)
        if HAS_NOISE:
            white = tl.load(action_noise + robot * action_dim + unit_index, mask=unit_index < action_dim, other=0.0)
        else:
            # Negative counters are used by nothing else.
            white = tl.randn(tl.load(seed + robot), -1 - unit_index)
        first = tl.sum(tl.where((index == drawn)[:, None], theirs, 0.0), axis=0)
        chosen = tl.minimum(tl.maximum(first + deviation * white, -1.0), 1.0)
        chosen = tl.where(total > 0, chosen, 0.0)
        tl.store(action + robot * action_dim + unit_index, chosen, mask=unit_index < action_dim)
