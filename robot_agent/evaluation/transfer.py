"""Whether simulation can be trusted: the gap to reality, how far a policy bears change, whether scores agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize

from robot_agent.evaluation.statistics import mean_interval, rate_interval

FEWEST_POLICIES = 4
"""With fewer, a correlation between simulation and reality says nothing."""
RESAMPLES = 2000
_FEWEST_DISTINCT = 3


@dataclass(frozen=True)
class Estimate:
    """A number and its 95 % interval."""

    value: float
    low: float
    high: float


def rate_difference(simulation: Sequence[bool], reality: Sequence[bool]) -> Estimate:
    """Share of successes in reality less that in simulation, from episodes that began alike.

    The interval is Newcombe's for paired proportions (Statistics in Medicine 17, 1998, method 10): it squares and adds
    the Wilson intervals of both shares, less what their correlation explains.

    Args:
        simulation: whether each episode succeeded there.
        reality: the same episodes, in the same order.

    Raises:
        ValueError: no episodes, or not as many on both sides.
    """
    second, first = _paired(simulation, reality)
    one, other = float(first.mean()), float(second.mean())
    low_one, high_one = rate_interval(first.astype(bool).tolist())
    low_other, high_other = rate_interval(second.astype(bool).tolist())
    phi = _phi(first, second)
    down = (one - low_one) ** 2 - 2 * phi * (one - low_one) * (high_other - other) + (high_other - other) ** 2
    up = (high_one - one) ** 2 - 2 * phi * (high_one - one) * (other - low_other) + (other - low_other) ** 2
    return Estimate(one - other, one - other - max(down, 0.0) ** 0.5, one - other + max(up, 0.0) ** 0.5)


def mean_difference(simulation: Sequence[float], reality: Sequence[float]) -> Estimate:
    """Mean of what reality gave less what simulation gave, episode by episode, with Student's t interval.

    Raises:
        ValueError: no episodes, or not as many on both sides.
    """
    here, there = _paired(simulation, reality)
    difference = there - here
    return Estimate(float(difference.mean()), *mean_interval(difference.tolist()))


def pearson(simulation: ArrayLike, reality: ArrayLike) -> float:
    """Pearson's r between the scores of policies, (policies,) each, as SIMPLER defines it.

    `simpler_env/utils/metrics.py` of that project calls r 1 where the centred scores are the same, and 0 where only one
    side has no variance.

    Raises:
        ValueError: no policies, or not as many on both sides.
    """
    here, there = _paired(simulation, reality)
    here, there = here - here.mean(), there - there.mean()
    if np.array_equal(here, there):
        return 1.0
    size = float(np.sqrt(np.sum(here**2) * np.sum(there**2)))
    return float(np.sum(here * there)) / size if size > 0 else 0.0


def mean_maximum_rank_violation(simulation: ArrayLike, reality: ArrayLike) -> float:
    """MMRV of the scores of policies, (policies,) each: 0 where simulation ranks as reality does, in units of a score.

    For each policy the largest difference in reality to another one with which simulation has it in another order,
    then the mean over policies: `mean_i max_j |r_i - r_j| [(s_i > s_j) != (r_i > r_j)]`. As in SIMPLER's
    `simpler_env/utils/metrics.py`: a tie on one side alone counts as another order.

    Raises:
        ValueError: no policies, or not as many on both sides.
    """
    here, there = _paired(simulation, reality)
    other_order = (here[:, None] > here) != (there[:, None] > there)
    return float(np.where(other_order, np.abs(there[:, None] - there), 0.0).max(axis=1).mean())


@dataclass(frozen=True)
class Predictivity:
    """How well scores in simulation predict scores in reality, across policies."""

    pearson: Estimate
    mmrv: Estimate


def predictivity(simulation: ArrayLike, reality: ArrayLike, seed: int = 0) -> Predictivity | None:
    """r and MMRV of policies, each with its bootstrap interval; None for fewer than `FEWEST_POLICIES`.

    Policies are drawn anew, and so are episodes, alike for all policies and on both sides because they began alike (the
    pigeonhole bootstrap, Owen, Annals of Applied Statistics 1, 2007: it errs towards wide intervals). Draws with fewer
    than three different policies say nothing and are drawn again.

    Args:
        simulation: scores of episodes there, (policies, episodes).
        reality: the same, of the same episodes.
        seed: of the draws.

    Raises:
        ValueError: the shapes differ.
    """
    here, there = np.asarray(simulation, float), np.asarray(reality, float)
    if here.shape != there.shape or here.ndim != 2 or not here.size:
        raise ValueError(f"scores have shapes {here.shape} and {there.shape}, expected (policies, episodes) of both")
    policies, episodes = here.shape
    if policies < FEWEST_POLICIES:
        return None
    rng = np.random.default_rng(seed)
    draws: list[tuple[float, float]] = []
    while len(draws) < RESAMPLES:
        chosen = rng.integers(policies, size=policies)
        if len(np.unique(chosen)) < _FEWEST_DISTINCT:
            continue
        rows = np.ix_(chosen, rng.integers(episodes, size=episodes))
        scores = here[rows].mean(axis=1), there[rows].mean(axis=1)
        draws.append((pearson(*scores), mean_maximum_rank_violation(*scores)))
    (r_low, mmrv_low), (r_high, mmrv_high) = np.percentile(draws, (2.5, 97.5), axis=0)
    means = here.mean(axis=1), there.mean(axis=1)
    return Predictivity(
        Estimate(pearson(*means), float(r_low), float(r_high)),
        Estimate(mean_maximum_rank_violation(*means), float(mmrv_low), float(mmrv_high)),
    )


@dataclass(frozen=True)
class Halving:
    """The value of an axis at which success is half of what it is in the world as made.

    Attributes:
        value: None where success does not fall to half within the values that were visited, or there was none to halve.
        low, high: its 95 % interval, nearest to the world as made first; None for beyond the farthest value.
        beyond: the farthest value that was visited, where success does not fall to half before it; else None.
    """

    value: float | None
    low: float | None
    high: float | None
    beyond: float | None


def halving_value(values: Sequence[float], successes: ArrayLike, seed: int = 0) -> Halving:
    """Where a sensitivity curve falls to half of where it begins.

    The shares of successes are first made to fall all the way (isotonic regression), so that noise makes no crossing;
    between two values they are interpolated linearly. The interval is of episodes drawn anew, alike at all values.

    Args:
        values: of the axis, (values,): the neutral one first, then away from it in one direction.
        successes: whether each episode succeeded, or its score, (values, episodes); the same episodes at each value.
        seed: of the draws.

    Raises:
        ValueError: other shapes, or values that do not lead away from the first.
    """
    scores = np.asarray(successes, float)
    away = np.abs(np.asarray(values, float) - values[0])
    if scores.ndim != 2 or len(scores) != len(away) or len(away) < 2 or not scores.size:
        raise ValueError(
            f"scores have shape {scores.shape}, expected ({len(away)} values, episodes), two values at least"
        )
    if np.any(np.diff(away) <= 0):
        raise ValueError(f"values are {list(values)}, expected each farther from the first than the one before")
    rng = np.random.default_rng(seed)
    episodes = scores.shape[1]
    found = _halved(away, scores.mean(axis=1))
    draws = [
        drawn
        for _ in range(RESAMPLES)
        if (drawn := _halved(away, scores[:, rng.integers(episodes, size=episodes)].mean(axis=1))) is not None
    ]
    if found is None or not draws:
        return Halving(None, None, None, None)
    direction = 1.0 if values[1] > values[0] else -1.0

    def as_value(distance: float) -> float | None:
        return float(values[0] + direction * distance) if np.isfinite(distance) else None

    # Not interpolated: some are infinite, and infinity less infinity is no number.
    low, high = np.quantile(draws, (0.025, 0.975), method="inverted_cdf")
    return Halving(as_value(found), as_value(low), as_value(high), None if np.isfinite(found) else float(values[-1]))


def _halved(away: NDArray[np.float64], rates: NDArray[np.float64]) -> float | None:
    """The distance at which rates are half of the first; infinite if they never are, None if the first is 0."""
    if rates[0] <= 0:
        return None
    falling = optimize.isotonic_regression(rates, increasing=False).x
    half = falling[0] / 2
    below = np.flatnonzero(falling <= half)
    if not len(below):
        return float("inf")
    after = int(below[0])
    before = after - 1
    share = (falling[before] - half) / (falling[before] - falling[after])
    return float(away[before] + share * (away[after] - away[before]))


def _phi(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Correlation of two binary columns as Newcombe corrects it: a positive one is taken for smaller."""
    both, neither = float(np.sum(one * other)), float(np.sum((1 - one) * (1 - other)))
    only_one, only_other = float(np.sum(one * (1 - other))), float(np.sum((1 - one) * other))
    size = (both + only_one) * (only_other + neither) * (both + only_other) * (only_one + neither)
    if size == 0:
        return 0.0
    product = both * neither - only_one * only_other
    if product > 0:
        product = max(product - len(one) / 2, 0.0)
    return product / size**0.5


def _paired(one: ArrayLike, other: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    first, second = np.asarray(one, float), np.asarray(other, float)
    if first.shape != second.shape or first.ndim != 1 or not first.size:
        raise ValueError(f"there are {first.size} and {second.size} scores, expected as many of each, at least one")
    return first, second
