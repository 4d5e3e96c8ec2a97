"""What a handful of returns can tell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats


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
