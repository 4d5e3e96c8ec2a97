"""What a node says aloud, on the console and /rosout: each change once, and not too often. No rclpy in here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

PAUSE = 2.0
"""s between two lines about the same subject; what changes back within them is not said."""
REPEAT = 30.0
"""s after which an event that goes on is said again, with how often it was."""


@dataclass
class _Said:
    what: str
    at: float
    unsaid: int = 0


class News:
    """Says each change of a subject once.

    Args:
        say: takes a line, and whether it is about trouble.
    """

    def __init__(self, say: Callable[[str, bool], None]) -> None:
        self._say = say
        self._said: dict[str, _Said] = {}

    def state(self, subject: str, what: str, sentence: str, is_trouble: bool, now: float) -> None:
        """Says the sentence if `what` differs from what was said of the subject last; an empty sentence is not said.

        To be called again and again, so that a change that came too soon after another is said later, if it lasts.
        """
        last = self._said.get(subject, _Said("", -PAUSE))
        if what == last.what or now - last.at < PAUSE:
            return
        self._said[subject] = _Said(what, now if sentence else last.at)
        if sentence:
            self._say(sentence, is_trouble)

    def event(self, subject: str, sentence: str, now: float) -> None:
        """Trouble that may come hundreds of times a second: said the first time, and every `REPEAT` s."""
        last = self._said.get(subject)
        if last is not None and now - last.at < REPEAT:
            last.unsaid += 1
            return
        more = f" ({last.unsaid} more since that was said last)" if last is not None and last.unsaid else ""
        self._said[subject] = _Said(sentence, now)
        self._say(sentence + more, True)
