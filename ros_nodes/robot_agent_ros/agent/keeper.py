"""Keeps what was lived, beside acting: a slow disk or a busy learner delays nothing but itself."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path

from robot_agent.drivers.driver import EpisodeSummary
from robot_agent.run.learning_run import LearningRun
from robot_agent.types import Transition

LONGEST_QUEUE = 2000
"""Steps that may wait to be kept; more are lost, and counted."""

CLOSING = 15.0
"""s that keeping what still waits, and closing the run, may take at the end."""
UNHEARD = "the learner is not heard"
LISTENING = 0.2
"""s after which the learner is listened to though nothing was lived."""


class Keeper:
    """A thread that owns the run folder's writers, and closes them.

    Args:
        run: what is kept.
        tell: is told in a sentence of what could not be.

    Attributes:
        lost: steps that were not kept.
        fault: why the last thing could not be kept, or the learner not be heard; empty once it could.
    """

    def __init__(self, run: LearningRun, tell: Callable[[str], None]) -> None:
        self.run = run
        self.lost = 0
        self.fault = ""
        self._tell = tell
        self._inbox: queue.Queue[Transition | EpisodeSummary | Future[Path] | None] = queue.Queue(LONGEST_QUEUE)
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._work, name="keeper", daemon=True)
        self._thread.start()

    def keep(self, item: Transition | EpisodeSummary) -> None:
        """A step, or the end of an episode; returns at once."""
        try:
            self._inbox.put_nowait(item)
        except queue.Full:
            self.lost += 1

    def checkpoint(self, seconds: float) -> Path:
        """Writes a checkpoint of all that was kept before, and waits so long for it.

        Raises:
            RobotAgentError: it could not be written.
            TimeoutError: it took longer.
        """
        written: Future[Path] = Future()
        until = time.monotonic() + seconds
        try:
            self._inbox.put(written, timeout=seconds)
        except queue.Full:
            raise TimeoutError("too much waits to be kept") from None
        return written.result(timeout=max(0.0, until - time.monotonic()))

    def close(self) -> None:
        """Keeps what still waits, and ends; what takes longer than `CLOSING` goes on alone and is told."""
        self._ends.set()
        with suppress(queue.Full):
            self._inbox.put_nowait(None)  # it need not wait until it would listen
        self._thread.join(timeout=CLOSING)
        if self._thread.is_alive():
            self._tell(f"the run folder is not closed after {CLOSING:g} s: its learner or its disk takes longer")

    def _work(self) -> None:
        try:
            while self._keep_next():
                pass
        finally:  # by whoever owns the writers, so never under a checkpoint that is being written
            try:
                self.run.close()
            except Exception as error:  # a full disk, too: there is nobody else to tell
                self._tell(f"not closed well: {error}")

    def _keep_next(self) -> bool:
        """What is done once; returns whether there may be more to do."""
        try:
            item = self._inbox.get(timeout=LISTENING)
        except queue.Empty:
            if not self._ends.is_set():
                self._listen()
            return not self._ends.is_set()
        if item is None:
            return False
        if isinstance(item, Future):
            try:
                item.set_result(self.run.checkpoint())
            except Exception as error:
                item.set_exception(error)
            return True
        try:
            self._keep(item)
            self.fault = ""
        except Exception as error:  # a full disk, a learner that ended: acting goes on
            self.lost += isinstance(item, Transition)
            self._failed("not kept", error)
        return True

    def _listen(self) -> None:
        """To the learner, which talks on while the robot holds, and may end."""
        try:
            self.run.learner.advance(self.run.decisions)
            if self.fault.startswith(UNHEARD):
                self.fault = ""
        except Exception as error:
            self._failed(UNHEARD, error)

    def _failed(self, what: str, error: Exception) -> None:
        sentence = f"{what}: {error or type(error).__name__}"
        if sentence != self.fault:
            self._tell(sentence)
        self.fault = sentence

    def _keep(self, item: Transition | EpisodeSummary) -> None:
        if isinstance(item, EpisodeSummary):
            self.run.end_episode(item, {})
            return
        self.run.keep(item)
        if self.run.checkpoint_is_due:
            self.run.checkpoint()
