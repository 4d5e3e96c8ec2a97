"""What another's environment returns, checked and converted once, where it enters."""

from __future__ import annotations

import math
import numbers
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from robot_agent_sim.cameras.picture import as_rgb
from robot_agent_sim.errors import WorldError


class ForeignReturns(gymnasium.Wrapper[Any, Any, Any, Any]):
    """The innermost wrapper of a foreign environment: everything above it may trust the types.

    Rewards and ends become float and bool, also from arrays of one number; an `info` that is no mapping becomes an
    empty one; pictures become uint8 (height, width, 3). A `close` that raises is a warning.

    Raises:
        WorldError: in `reset`, `step` and `render`: the environment raised an error, or returned what has no such
            meaning.
    """

    @property
    def render_mode(self) -> str | None:  # type: ignore[override]  # as `gymnasium.Wrapper` itself does
        """`rgb_array` also where the environment collects lists of frames."""
        mode = self.env.render_mode
        return "rgb_array" if mode == "rgb_array_list" else mode

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Starts an episode."""
        with _named("reset"):
            returned = self.env.reset(seed=seed, options=options)
        if not isinstance(returned, tuple) or len(returned) != 2:
            raise WorldError(
                f"reset returned {_described(returned)}, expected (observation, info): "
                "bring the world to gymnasium's interface of since 0.26"
            )
        observation, info = returned
        return observation, _mapping(info)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """One frame."""
        with _named("step"):
            returned = self.env.step(action)
        if not isinstance(returned, tuple) or len(returned) != 5:
            raise WorldError(
                f"step returned {_described(returned)}, expected (observation, reward, terminated, truncated, info): "
                "bring the world to gymnasium's interface of since 0.26"
            )
        observation, reward, terminated, truncated, info = returned
        ends = _flag("terminated", terminated), _flag("truncated", truncated)
        return observation, _number("reward", reward), *ends, _mapping(info)

    def render(self) -> NDArray[np.uint8]:
        """The picture of now."""
        with _named("render"):
            picture = self.env.render()
        return as_rgb(picture)

    def close(self) -> None:
        """Closes the environment, whatever it says to that."""
        try:
            self.env.close()
        except Exception as error:
            warnings.warn(f"the world's close raised {_named_error(error)}", stacklevel=2)


@contextmanager
def _named(method: str) -> Iterator[None]:
    """An error of foreign code as one sentence; the cause says where it was."""
    try:
        yield
    except (WorldError, gymnasium.error.DependencyNotInstalled):
        raise
    except Exception as error:
        raise WorldError(f"the world's {method} raised {_named_error(error)}: mend the world") from error


def _named_error(error: Exception) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _number(name: str, value: Any) -> float:
    if isinstance(value, numbers.Real):
        return float(value)
    array = np.asarray(value)
    if array.size != 1 or array.dtype.kind not in "buif":
        raise WorldError(f"the {name} is {_described(value)}, expected one number")
    return float(array.item())


def _flag(name: str, value: Any) -> bool:
    number = _number(name, value)
    if math.isnan(number):
        raise WorldError(f"the {name} is {value!r}, expected true or false")
    return bool(number)


def _mapping(info: Any) -> dict[str, Any]:
    return dict(info) if isinstance(info, Mapping) else {}


def _described(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array {value.shape} of {value.dtype}"
    return f"a {type(value).__name__} of {len(value)}" if isinstance(value, tuple | list | dict) else repr(value)
