"""Learning beside a robot that never waits for it: a learner that dies is started again, acting goes on meanwhile."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from robot_agent.errors import RobotAgentError
from robot_agent.learning.service import LearnerJob, ProcessLearnerService
from robot_agent_ros.backoff import Backoff
from robot_agent_ros.errors import ParameterError

FIRST_PAUSE = 0.5
"""s before a learner that ended is started again."""


class SupervisedLearner:
    """A `LearnerService` of which acting needs nothing.

    Args:
        job: what to learn.
        idle: learn only while a core has nothing else to do.
        core: CPU core of the learner's process, -1 for any.
        start: of a service, for tests.

    Attributes:
        weights: as of the first service; it follows those of later ones.
        restarts: how many learners were started after the first.
        fault: why the last one ended, as long as none runs again.
    """

    def __init__(
        self,
        job: LearnerJob,
        idle: bool = True,
        core: int = -1,
        start: Callable[..., ProcessLearnerService] = ProcessLearnerService,
    ) -> None:
        self._job, self._idle, self._core, self._start_service = job, idle, core, start
        self._service: ProcessLearnerService | None = self._start(job)
        self._started = time.monotonic()
        self.weights = self._service.weights
        self.restarts = 0
        self.fault = ""
        self._backoff = Backoff(FIRST_PAUSE)
        self._updates = (0, 0)
        self._closing = threading.Event()
        self._starter: threading.Thread | None = None

    @property
    def runs(self) -> bool:
        """Whether there is a learner now."""
        return self._service is not None

    @property
    def pid(self) -> int | None:
        """Of the learner's process, None while there is none."""
        service = self._service
        return None if service is None else service.pid

    @property
    def updates(self) -> int:
        """Updates done."""
        return self._updates[0]

    @property
    def skipped_updates(self) -> int:
        """Updates that a loss which was not finite skipped."""
        return self._updates[1]

    def advance(self, decisions: int, hurry: Callable[[], bool] = lambda: False) -> None:
        """Says how many decisions are in replay; never waits."""
        service = self._service
        if service is None:
            return
        try:
            service.advance(decisions, hurry=lambda: True)
            self._updates = service.updates, service.skipped_updates
        except Exception as error:  # whatever ended learning, acting goes on
            self._lost(service, error)

    def drain_metrics(self) -> list[dict[str, float]]:
        """Records of losses since the last call."""
        service = self._service
        return [] if service is None else service.drain_metrics()

    def checkpoint(self, decisions: int, extra: Mapping[str, Any]) -> Path:
        """Writes a checkpoint and returns its folder.

        Raises:
            RobotAgentError: there is no learner now; the last checkpoint stands.
        """
        service = self._service
        if service is None:
            raise RobotAgentError(f"no checkpoint was written: the learner has ended ({self.fault}) and starts again")
        try:
            return service.checkpoint(decisions, extra)
        except Exception as error:
            self._lost(service, error)
            raise RobotAgentError(f"no checkpoint was written: {error}") from error

    def close(self) -> None:
        """Ends learning."""
        self._closing.set()
        if self._starter is not None:
            self._starter.join(timeout=30)
        service, self._service = self._service, None
        if service is not None:
            service.close()

    def _start(self, job: LearnerJob) -> ProcessLearnerService:
        # However far it falls behind it publishes what it learns: nobody waits for more.
        service = self._start_service(job, largest_lag=sys.maxsize, idle=self._idle)
        if self._core >= 0:
            try:
                os.sched_setaffinity(service.pid, {self._core})
            except OSError:
                service.close()
                raise ParameterError(
                    f"learner_core is {self._core}, expected one of {sorted(os.sched_getaffinity(0))}"
                ) from None
        return service

    def _lost(self, service: ProcessLearnerService, error: Exception) -> None:
        self._service = None
        self.fault = str(error) or type(error).__name__
        service.close()
        self._backoff.lived(time.monotonic() - self._started)
        if not self._closing.is_set():
            self._starter = threading.Thread(target=self._start_again, name="learner-starter", daemon=True)
            self._starter.start()

    def _start_again(self) -> None:
        while not self._closing.wait(self._backoff.pause()):
            try:
                service = self._start(replace(self._job, resume=True))
            except Exception as error:  # it is tried again, and diagnostics say so
                self.fault = str(error) or type(error).__name__
                continue
            self.restarts += 1
            self.fault, self._started = "", time.monotonic()
            self._service = service
            return
