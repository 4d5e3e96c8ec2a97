"""What a handful of returns can tell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

FEWEST_FOR_AN_INTERVAL = 3
"""With fewer values an interval says next to nothing."""


def spoken(values: Sequence[float], of: str = "episode") -> str:
    """Mean, standard deviation and 95 % interval in words."""
    count = f"{len(values)} {of}{'' if len(values) == 1 else 's'}"
    if len(values) == 1:
        return f"{values[0]:.1f} in {count}"
    text = f"{np.mean(values):.1f} ± {np.std(values, ddof=1):.1f} over {count}"
    if len(values) < FEWEST_FOR_AN_INTERVAL:
        return f"{text}, too few for an interval"
    low, high = mean_interval(values)
    return f"{text}, 95 % interval {low:.1f} to {high:.1f}"


def spoken_rate(successes: Sequence[bool]) -> str:
    """Share of successes and its 95 % interval in words."""
    low, high = rate_interval(successes)
    share = 100 * float(np.mean(successes))
    return f"{share:.0f} % of {len(successes)}, 95 % interval {100 * low:.0f} to {100 * high:.0f} %"


def rate_interval(successes: Sequence[bool], confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's interval of a share.

    Args:
        successes: independent trials.
        confidence: share of intervals that would hold the true rate.

    Raises:
        ValueError: there are no trials.
    """
    if not len(successes):
        raise ValueError("no trials: an interval needs at least one")
    interval = stats.binomtest(int(sum(successes)), len(successes)).proportion_ci(confidence, method="wilson")
    return float(interval.low), float(interval.high)


def mean_interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float]:
    """Student's t interval of the mean: `mean ± t * s / sqrt(n)`.

    Args:
        values: independent samples; a single one gives an interval of no width.
        confidence: share of intervals that would hold the true mean.

    Raises:
        ValueError: there are no values.
    """
    if not len(values):
        raise ValueError("no values: an interval needs at least one")
    mean = float(np.mean(values))
    if len(values) == 1:
        return mean, mean
    half = float(stats.t.ppf(0.5 + confidence / 2, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))
    return mean - half, mean + half
