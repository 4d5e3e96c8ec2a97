"""What an agent cannot learn from is said while it happens, and ends a life that consists of it."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from robot_agent.agent import AgentState
from robot_agent.drivers.driver import Listener
from robot_agent.errors import BodyError
from robot_agent.types import Transition

LONGEST_STRETCH = 1_000
"""Decisions in a row without a finite reading or reward, after which a life ends."""


class ReadingsWatch(Listener):
    """Counts decisions whose observation or reward is not finite: the agent repeats its action and does not learn.

    It warns of the first, the tenth, the hundredth and so on.
    """

    def __init__(self) -> None:
        self.decisions = 0
        self.unusable = 0
        self._stretch = 0
        self._last = ""

    def on_step(self, transition: Transition, state: AgentState) -> None:
        """Looks at one step.

        Raises:
            BodyError: `LONGEST_STRETCH` of them in a row were unusable.
        """
        self.decisions += 1
        found = not_finite(transition)
        if found is None:
            self._stretch = 0
            return
        self.unusable += 1
        self._stretch += 1
        self._last = found
        if self._stretch >= LONGEST_STRETCH:
            raise self._error(f"for {self._stretch:,} decisions")
        if math.log10(self.unusable).is_integer():
            warnings.warn(
                f"{found}: the agent repeats its last action and learns nothing from such decisions "
                f"({self.unusable:,} of {self.decisions:,} so far)",
                stacklevel=2,
            )

    def check(self) -> None:
        """At the end of a life.

        Raises:
            BodyError: there was nothing to learn from.
        """
        if self.decisions and self.unusable == self.decisions:
            raise self._error(f"in any of {self.decisions:,} decisions")

    def _error(self, when: str) -> BodyError:
        return BodyError(
            f"readings and rewards were not all finite {when} (last: {self._last}), so nothing can be learned: "
            "declare finite bounds in the observation space, to which infinite readings are clipped, or leave that out"
        )


def not_finite(transition: Transition) -> str | None:
    """The first number of a transition that is not finite, such as `proprio[3] is inf`; None if all are."""
    for observation in (transition.observation, transition.final_observation or {}):
        found = _first(observation)
        if found is not None:
            return found
    reward = transition.reward
    return None if reward is None or math.isfinite(reward) else f"the reward is {reward:g}"


def _first(observation: Mapping[str, Any]) -> str | None:
    for name, part in observation.items():
        if part.dtype.kind == "f" and not np.all(np.isfinite(part)):
            index = int(np.flatnonzero(~np.isfinite(part))[0])
            return f"{name}[{index}] is {part.flat[index]:g}"
    return None
