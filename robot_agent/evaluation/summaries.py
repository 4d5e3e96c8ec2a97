"""What some episodes came to, alone and against the same episodes in another body, as plain mappings for a record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from robot_agent.evaluation.episodes import EpisodeMeasures
from robot_agent.evaluation.statistics import FEWEST_FOR_AN_INTERVAL, mean_interval, rate_interval
from robot_agent.evaluation.transfer import mean_difference, rate_difference


def has_success(measures: Sequence[EpisodeMeasures]) -> bool:
    """Whether it is known of every episode if it succeeded."""
    return all(one.success is not None for one in measures)


def score(one: EpisodeMeasures, by_success: bool) -> float:
    """Success as 0 or 1 where episodes have one, else the return."""
    return float(bool(one.success)) if by_success else one.episode_return


def estimated(scores: Sequence[float], rate: bool) -> dict[str, float | None]:
    """Mean and 95 % interval: Wilson's of a rate, Student's t of a return."""
    value = float(np.mean(scores))
    if rate:
        low, high = rate_interval([bool(one) for one in scores])
    elif len(scores) < FEWEST_FOR_AN_INTERVAL:
        return {"value": value, "low": None, "high": None}
    else:
        low, high = mean_interval(scores)
    return {"value": value, "low": low, "high": high}


def gap(simulation: Sequence[EpisodeMeasures], reality: Sequence[EpisodeMeasures]) -> dict[str, Any]:
    """What reality gives less what simulation gives, of episodes that began alike; too few have no interval."""
    by_success = has_success(simulation) and has_success(reality)
    success = rate_difference([bool(one.success) for one in simulation], [bool(one.success) for one in reality])
    returns = mean_difference([one.episode_return for one in simulation], [one.episode_return for one in reality])
    of_returns: dict[str, float | None] = asdict(returns)
    if len(simulation) < FEWEST_FOR_AN_INTERVAL:
        of_returns |= {"low": None, "high": None}
    return {"success": asdict(success) if by_success else None, "return": of_returns}


def summarised(measures: Sequence[EpisodeMeasures]) -> dict[str, Any]:
    """What some episodes came to."""
    by_success = has_success(measures)
    done = [one.seconds_to_success for one in measures if one.seconds_to_success is not None]
    milliseconds = [ms for one in measures for ms in one.decision_ms]
    return {
        "episodes": len(measures),
        "success": estimated([score(one, True) for one in measures], True) if by_success else None,
        "return": estimated([one.episode_return for one in measures], False),
        "seconds_to_success": {"median": float(np.median(done)), "of": len(done)} if done else None,
        "action_change": float(np.mean([one.action_change for one in measures])),
        "action_jerk": float(np.mean([one.action_jerk for one in measures])),
        "limit_use": float(np.mean([one.limit_use for one in measures])),
        "decision_ms": {
            "p50": float(np.percentile(milliseconds, 50)),
            "p99": float(np.percentile(milliseconds, 99)),
        },
        "per_episode": {
            "success": [one.success for one in measures],
            "return": [one.episode_return for one in measures],
        },
    }
