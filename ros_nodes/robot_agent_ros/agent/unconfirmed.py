"""What was lived, until the gate has accepted the commands of it: what a robot was not commanded did not happen."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from robot_agent.drivers.driver import EpisodeSummary
from robot_agent.types import Transition
from robot_agent_ros.agent.pairing import Refused

PATIENCE = 0.25
"""s after which a command that was not accepted counts as refused; the gate answers within some ms."""


@dataclass
class _Command:
    """A command that the gate has not accepted yet, and what came after it."""

    stamp: int
    sent: float
    items: list[Transition | EpisodeSummary] = field(default_factory=list)


class Unconfirmed:
    """Hands on transitions and episodes, in order, once their commands are accepted.

    After a command that was refused, one is sent at a time until one is accepted; what came of all that were sent since
    the refused one is dropped, and left out of its episode's summary.

    Args:
        keep: is given what is confirmed.
        accepted: whether the gate accepted the command of this stamp, ns.
        why: a command may not have been accepted, in words.
        clock: s of real time.

    Attributes:
        refused: commands that were not accepted.
        refuses: the last one was not, and none has been since.
    """

    def __init__(
        self,
        keep: Callable[[Transition | EpisodeSummary], None],
        accepted: Callable[[int], bool] = lambda stamp: True,
        why: Callable[[], str] = str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keep, self._accepted, self._why, self._clock = keep, accepted, why, clock
        self._commands: deque[_Command] = deque()
        self._dropped: list[Transition] = []
        self.refused = 0
        self.refuses = False

    def sent(self, stamp: int) -> None:
        """A command went out, whose stamp is `stamp` ns."""
        self._commands.append(_Command(stamp, self._clock()))

    def add(self, item: Transition | EpisodeSummary) -> None:
        """What came of the command that was sent last, or the end of its episode."""
        if self._commands:
            self._commands[-1].items.append(item)
        else:
            self._hand_on(item)

    def settle(self) -> None:
        """Hands on what is confirmed now.

        Raises:
            Refused: a command was not accepted, or the one that was sent since then has not been yet.
        """
        self._confirm()
        if self._commands and self._is_refused():
            self._drop()
            raise Refused("command_refused", self._why())
        if self._commands and self.refuses:
            raise Refused("command_refused", self._why())

    def end(self) -> None:
        """Hands on what is confirmed, and drops the rest: nobody waits any longer."""
        self._confirm()
        self._drop()

    def _confirm(self) -> None:
        while self._commands and self._accepted(self._commands[0].stamp):
            self.refuses = False
            for item in self._commands.popleft().items:
                self._hand_on(item)

    def _is_refused(self) -> bool:
        """Whether the oldest is: a later one was accepted, or it has waited for long enough."""
        oldest, *later = self._commands
        return any(self._accepted(one.stamp) for one in later) or self._clock() - oldest.sent > PATIENCE

    def _drop(self) -> None:
        items = [item for command in self._commands for item in command.items]
        self.refused += len(self._commands)
        self.refuses = True
        self._commands.clear()
        self._dropped += [item for item in items if isinstance(item, Transition)]
        for item in items:
            if isinstance(item, EpisodeSummary):
                self._hand_on(item)

    def _hand_on(self, item: Transition | EpisodeSummary) -> None:
        if isinstance(item, EpisodeSummary):
            rewards = [one.reward or 0.0 for one in self._dropped if one.episode == item.episode]
            self._dropped.clear()
            item.length -= len(rewards)
            item.episode_return -= sum(reward for reward in rewards if math.isfinite(reward))
            del item.decision_ms[item.length :]
            if item.length == 0:
                return
        self._keep(item)
