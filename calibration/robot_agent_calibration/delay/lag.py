"""How late one motion is after another, to a fraction of a sample."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar, nnls

EARLIEST, LATEST = -0.1, 0.3
"""s, where a lag is looked for."""
_GRID = 0.004
_STEP = 1e-3
"""s, of derivatives."""

Causes = Callable[[float], NDArray[np.float64]]
"""What could have moved something, (n, causes), if it were that many s late."""


@dataclass(frozen=True)
class Lag:
    """A lag and how well it is known.

    Attributes:
        value: s.
        standard_error: s.
        likeness: share of the answer's variance that the causes explain, 0 to 1, in the best channel.
        beyond: whether the best lag is at an end of what was searched, so that the true one may lie farther out.
        lags, costs: what the search saw, (k,) in s and (k,).
    """

    value: float
    standard_error: float
    likeness: float
    beyond: bool
    lags: NDArray[np.float64]
    costs: NDArray[np.float64]


def lag_between(answers: Sequence[NDArray[np.float64]], causes: Sequence[Causes]) -> Lag:
    """The lag at which non-negative multiples of the causes explain the answers best, all channels with one lag.

    Args:
        answers: a channel each, (n,), none of them constant.
        causes: of each channel.
    """
    spreads = [float(np.var(answer)) * len(answer) for answer in answers]

    def cost(lag: float) -> float:
        rests = (_rest(answer, cause(lag))[0] for answer, cause in zip(answers, causes, strict=True))
        return sum(float(rest @ rest) / spread for rest, spread in zip(rests, spreads, strict=True))

    lags = np.arange(EARLIEST, LATEST + 1e-9, _GRID)
    costs = np.array([cost(lag) for lag in lags])
    coarse = float(lags[int(np.argmin(costs))])
    best = float(minimize_scalar(cost, bounds=(coarse - _GRID, coarse + _GRID), method="bounded").x)
    information, likeness = 0.0, 0.0
    for answer, cause, spread in zip(answers, causes, spreads, strict=True):
        rest, weights = _rest(answer, cause(best))
        slope = (cause(best + _STEP) - cause(best - _STEP)) @ weights / (2 * _STEP)
        used = cause(best)[:, weights > 0]
        slope = slope - used @ np.linalg.lstsq(used, slope, rcond=None)[0]  # what other weights could mimic is no news
        noise = float(rest @ rest) / max(1, len(rest) - len(weights) - 1) * _alike(rest)
        information += float(slope @ slope) / max(noise, 1e-30)
        likeness = max(likeness, 1 - float(rest @ rest) / spread)
    beyond = bool(np.argmin(costs) in (0, len(lags) - 1))
    return Lag(best, float(1 / np.sqrt(max(information, 1e-12))), likeness, beyond, lags, costs)


def _rest(answer: NDArray[np.float64], causes: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    weights = nnls(causes, answer)[0]
    return answer - causes @ weights, weights


def _alike(rest: NDArray[np.float64]) -> float:
    """Samples over which what is left stays alike: its autocorrelation time."""
    products = np.correlate(rest, rest, "full")[len(rest) - 1 :]
    ended = np.flatnonzero(products < 0.05 * products[0])
    if not len(ended) or products[0] <= 0:
        return 1.0
    return float(1 + 2 * products[1 : ended[0]].sum() / products[0])
