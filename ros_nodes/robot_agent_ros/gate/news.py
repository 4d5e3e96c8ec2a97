"""What the gate says aloud, on the console and /rosout: each change once, and not too often. No rclpy in here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from robot_agent_bodies.gate.gate import Refusal, Status

PAUSE = 2.0
"""s between two lines about the same subject; what changes back within them is not said."""
REPEAT = 30.0
"""s after which an event that goes on is said again, with how often it was."""

STATUSES = {
    Status.WAITING_FOR_JOINTS: "joint states do not come",
    Status.WAITING_FOR_REST: "it begins when all joints rest",
    Status.OUTSIDE_LIMITS: "a joint is beyond its limits: move it back by hand",
    Status.FOLLOWING: "commands move the robot",
    Status.HOLDING: "no fresh command comes",
    Status.STOPPED: "gate/stop was called; gate/reset goes on",
    Status.NOT_FOLLOWING: "the robot does not go where the output goes; gate/reset goes on",
    Status.NOT_ENABLED: "gate/enable has not said that the robot may move",
    Status.JOINTS_LOST: "joint states do not come any more",
    Status.CLOCK_JUMPED: "a clock jumped; commands are refused for a moment",
    Status.CLOCK_STOPPED: "use_sim_time is set, and /clock stands still or does not come",
}
"""What a status means, where its detail does not say it."""
REFUSALS = {
    Refusal.MALFORMED: "expected one point, with one value for each name",
    Refusal.MISSING_JOINT: "expected all joints of the gate",
    Refusal.UNKNOWN_JOINT: "expected the joints of the gate only",
    Refusal.DUPLICATE_JOINT: "expected each joint once",
    Refusal.NON_FINITE: "expected finite numbers",
    Refusal.STALE_STAMP: "its stamp is too old: compare clocks, and `command_timeout` or `joint_timeout`",
    Refusal.FUTURE_STAMP: "its stamp lies in the future: compare clocks, and `future_tolerance`",
    Refusal.STALE_SOURCE: "it was sent too long ago: compare clocks, and `command_timeout`",
    Refusal.FUTURE_SOURCE: "it was sent in the future by the sender's clock",
    Refusal.WRONG_FRAME: "expected the frame of `frame_id`",
    Refusal.FOREIGN_PUBLISHER: "another node sends commands: only the first is obeyed",
}
"""What was wrong; a refusal that is not here has the name of a status, which is said anyway."""


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
