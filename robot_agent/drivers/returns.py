"""What a body returns, where it enters the mind: copied, and made plain."""

from __future__ import annotations

import math
import numbers
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robot_agent.errors import BodyError

REPORTED = ("state", "success", "is_success", "world", "chapter", "drift", "frames")
"""What reports read of an `info`; of episodes that are kept, nothing else is."""


def copied(observation: Any) -> dict[str, NDArray[Any]]:
    """An observation in arrays of its own: a body may write into its arrays again.

    Raises:
        BodyError: it is no mapping.
    """
    if not isinstance(observation, Mapping):
        raise BodyError(
            f"the body's observation is a {type(observation).__name__}, expected a flat mapping: "
            "wrap the environment with robot_agent_sim.gymnasium_env.adapt"
        )
    return {name: np.array(part) for name, part in observation.items()}


def one_number(value: Any) -> float | None:
    """A number of any type, or of an array of one; None for all else."""
    if isinstance(value, numbers.Real):
        return float(value)
    try:
        array = np.asarray(value)
    except ValueError:
        return None
    return float(array.item()) if array.size == 1 and array.dtype.kind in "buif" else None


def returned_by(method: str, returned: Any, parts: int) -> tuple[Any, ...]:
    """What `reset` or `step` returned, of so many parts.

    Raises:
        BodyError: it is no such tuple.
    """
    if not isinstance(returned, tuple) or len(returned) != parts:
        what = f"a tuple of {len(returned)}" if isinstance(returned, tuple) else f"a {type(returned).__name__}"
        raise BodyError(
            f"the body's {method} returned {what}, expected a tuple of {parts}: gymnasium's interface of since 0.26"
        )
    return returned


def flag_of(name: str, value: Any) -> bool:
    """Whether an episode ended.

    Raises:
        BodyError: it is neither yes nor no.
    """
    number = one_number(value)
    if number is None or math.isnan(number):
        raise BodyError(f"the body's {name} is {value!r}, expected true or false")
    return bool(number)


def reward_of(value: Any) -> float | None:
    """A reward, None where there is none.

    Raises:
        BodyError: it is not one number.
    """
    number = one_number(value)
    if number is None and value is not None:
        raise BodyError(f"the body's reward is {value!r}, expected one number: sum it up or wrap the environment")
    return number


def info_of(value: Any) -> dict[str, Any]:
    """An `info` with arrays of its own; empty where it is no mapping: what is for people stops nothing."""
    if not isinstance(value, Mapping):
        return {}
    return {name: np.array(part) if isinstance(part, np.ndarray) else part for name, part in value.items()}


def success_of(info: Mapping[str, Any]) -> bool | None:
    """Whether the task is done; None where the body does not say, or nothing that means yes or no."""
    number = one_number(info.get("success", info.get("is_success")))
    return None if number is None or math.isnan(number) else bool(number)


def close_body(body: Any) -> None:
    """Closes a body; one that raises is a warning, so that what was lived is kept."""
    try:
        body.close()
    except Exception as error:
        warnings.warn(f"the body's close raised {type(error).__name__}: {error}", stacklevel=2)
