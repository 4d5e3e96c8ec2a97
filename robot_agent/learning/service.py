"""Where the learner runs: in this thread (repeatable), or in a process of its own beside acting (fast)."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import select
import signal
import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from robot_agent.device import prepare_device
from robot_agent.errors import RobotAgentError
from robot_agent.learning.checkpoint import CheckpointStore
from robot_agent.learning.goal_functions import GoalFunctions
from robot_agent.learning.online import OnlineConfig, OnlineLearner
from robot_agent.learning.weight_store import LocalWeightStore, SharedMemoryWeightStore, WeightStore
from robot_agent.mind import MindConfig
from robot_agent.replay.replay import Replay
from robot_agent.types import BodySpec

METRICS_EVERY = 100
"""Updates that one record of losses stands for."""


@dataclass(frozen=True)
class LearnerJob:
    """Everything that a learner needs to start, picklable.

    Attributes:
        spec: shapes of the body.
        mind: sizes of the modules.
        online: when and how to learn.
        seed: of initial weights and draws.
        run_folder: holds `replay/`, `checkpoints/` and `dumps/`.
        weights_path: of the shared-memory weight store.
        make_goal_functions: gives a goal world's functions where the learner runs, or None.
        resume: begin from the newest checkpoint.
        device: where the learning happens.
        keep_checkpoints_every: decisions between two checkpoints that are kept for good; 0 for none.
    """

    spec: BodySpec
    mind: MindConfig
    online: OnlineConfig
    seed: int
    run_folder: Path
    weights_path: Path
    make_goal_functions: Callable[[], GoalFunctions | None] | None = None
    resume: bool = False
    device: str = "cpu"
    keep_checkpoints_every: int = 0

    def checkpoints(self) -> CheckpointStore:
        """Where checkpoints go."""
        return CheckpointStore(self.run_folder / "checkpoints", keep_every=self.keep_checkpoints_every)

    def build(self, weights: WeightStore) -> OnlineLearner:
        """The learner, restored if the job says so."""
        learner = OnlineLearner(
            self.spec,
            self.mind,
            self.online,
            Replay(self.run_folder / "replay"),
            weights,
            self.seed,
            self.make_goal_functions() if self.make_goal_functions else None,
            self.run_folder / "dumps",
            self.device,
        )
        store = self.checkpoints()
        if self.resume and not store.empty:  # a run that was killed before its first checkpoint learns from its replay
            learner.restore(store.load_latest())
            if learner.updates:
                learner.publish()
        return learner


class LearnerService(Protocol):
    """Learns while others act; they meet only in replay and in the weight store."""

    weights: WeightStore

    @property
    def updates(self) -> int:
        """Updates done."""

    @property
    def skipped_updates(self) -> int:
        """Updates that a loss which was not finite skipped."""

    def advance(self, decisions: int, hurry: Callable[[], bool] = lambda: False) -> None:
        """Says how many decisions are in replay; returns at once unless learning is too far behind.

        It does not wait while replay holds nothing to learn from, and no longer once `hurry` says so.
        """

    def drain_metrics(self) -> list[dict[str, float]]:
        """Records of losses since the last call, each the mean of some updates."""

    def checkpoint(self, decisions: int, extra: Mapping[str, Any]) -> Path:
        """Writes a checkpoint and returns its folder."""

    def close(self) -> None:
        """Ends learning."""


class _MeanMetrics:
    """Means of losses over some updates, of those that were finite."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, Tensor] = {}
        self._start = time.perf_counter()
        self._updates = 0

    def add(self, metrics: Mapping[str, Tensor]) -> None:
        self._updates += 1
        for name, value in metrics.items():
            finite = torch.isfinite(value)
            self._sums[name] = self._sums.get(name, 0) + torch.where(finite, value, 0)
            self._counts[name] = self._counts.get(name, 0) + finite

    def full(self) -> bool:
        return self._updates >= METRICS_EVERY

    def take(self, updates: int) -> dict[str, float]:
        record = {name: float(total / self._counts[name]) for name, total in self._sums.items() if self._counts[name]}
        seconds = time.perf_counter() - self._start
        record |= {"updates": updates, "updates_per_second": self._updates / max(seconds, 1e-9)}
        self.__init__()  # type: ignore[misc]
        return record


class InlineLearnerService:
    """Learns in the caller's thread, between two decisions: the same run gives the same weights."""

    def __init__(self, job: LearnerJob) -> None:
        self.weights: WeightStore = LocalWeightStore()
        self._learner = job.build(self.weights)
        self._store = job.checkpoints()
        self._means = _MeanMetrics()
        self._metrics: list[dict[str, float]] = []

    @property
    def updates(self) -> int:
        return self._learner.updates

    @property
    def skipped_updates(self) -> int:
        return self._learner.skipped_updates

    def advance(self, decisions: int, hurry: Callable[[], bool] = lambda: False) -> None:
        before = self.updates
        for _ in range(self._learner.owed(decisions)):
            if hurry():
                break
            self._means.add(self._learner.update())
            if self._means.full():
                self._metrics.append(self._means.take(self.updates))
        self._learner.count_skipped()
        if self.updates > before:
            self._learner.publish()

    def drain_metrics(self) -> list[dict[str, float]]:
        drained, self._metrics = self._metrics, []
        return drained

    def checkpoint(self, decisions: int, extra: Mapping[str, Any]) -> Path:
        return self._learner.save(self._store, decisions, extra)

    def close(self) -> None:
        self._learner.close()


class ProcessLearnerService:
    """Learns in a process of its own, so that neither the interpreter lock nor a busy core delays a decision.

    Args:
        job: what to learn.
        largest_lag: updates that learning may fall behind before `advance` waits; keeps the update-to-data ratio true.
            A body that cannot wait takes a huge number.
        idle: learn only while a core has nothing else to do (SCHED_IDLE, which Linux has and needs no privilege); what
            is waited for, the beginning and a checkpoint, is done as fast as ever, the latter where the system lets a
            process come back from there (RLIMIT_NICE of 20, or root).
    """

    def __init__(self, job: LearnerJob, largest_lag: int = 50, idle: bool = False) -> None:
        self.largest_lag = largest_lag
        self.updates = 0
        self.skipped_updates = 0
        self._starved = False
        self._is_ready = False
        self._idle = idle
        self._online = job.online
        self._metrics: list[dict[str, float]] = []
        self._replies: list[Path | str] = []
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(job, theirs, largest_lag), name="learner", daemon=True)
        self._process.start()
        # Else an interpreter that ends with the service open waits for a process that waits for it.
        atexit.register(self._pipe.close)
        try:
            theirs.close()
            self._wait_for_reply()  # ready
            self._is_ready = True
            self._stand_back(self._idle)
            self.weights: WeightStore = SharedMemoryWeightStore(job.weights_path)
        except BaseException:
            self._process.kill()  # while it begins it hears nothing, and has nothing that could be lost
            self.close()
            raise

    @property
    def pid(self) -> int:
        """Of the learner's process."""
        assert self._process.pid is not None
        return self._process.pid

    def advance(self, decisions: int, hurry: Callable[[], bool] = lambda: False) -> None:
        sent = self._send_decisions(decisions)
        self._listen(0.0)
        due = self._online.updates_due(decisions)
        while due - self.updates - self.skipped_updates > self.largest_lag and not self._starved and not hurry():
            sent = sent or self._send_decisions(decisions)
            self._listen(0.1)

    def drain_metrics(self) -> list[dict[str, float]]:
        drained, self._metrics = self._metrics, []
        return drained

    def checkpoint(self, decisions: int, extra: Mapping[str, Any]) -> Path:
        self._stand_back(False)
        try:
            self._send(("checkpoint", decisions, dict(extra)))
            return Path(self._wait_for_reply())
        finally:
            self._stand_back(self._idle)

    def close(self) -> None:
        if self._process.is_alive():
            with suppress(RobotAgentError):  # it has closed its end already and is ending
                self._send(("stop",))
            self._process.join(timeout=10)
        if self._process.is_alive():
            self._process.kill()
        atexit.unregister(self._pipe.close)
        self._pipe.close()

    def _stand_back(self, idle: bool) -> None:
        if self._idle:
            with suppress(ProcessLookupError, PermissionError):  # it may go there freely, but not always come back
                os.sched_setscheduler(self.pid, os.SCHED_IDLE if idle else os.SCHED_OTHER, os.sched_param(0))

    def _send_decisions(self, decisions: int) -> bool:
        """Says how many decisions there are, unless the learner has long not listened; the next count says the same."""
        is_writable = bool(select.select([], [self._pipe], [], 0)[1])
        if is_writable:
            self._send(("decisions", decisions))
        return is_writable

    def _send(self, message: tuple[Any, ...]) -> None:
        try:
            self._pipe.send(message)
        except (BrokenPipeError, OSError) as error:
            raise self._ended() from error

    def _ended(self) -> RobotAgentError:
        if self._is_ready:
            return RobotAgentError("the learner's process has ended: resume the run")
        return RobotAgentError(
            "the learner's process could not start: begin the script's work under `if __name__ == '__main__':`, and "
            "define what makes the body in a module that can be imported"
        )

    def _listen(self, seconds: float) -> None:
        """Takes what the learner said in at most so many seconds."""
        try:
            while self._pipe.poll(seconds):
                kind, *content = self._pipe.recv()
                seconds = 0.0
                if kind == "progress":
                    self.updates, self.skipped_updates, self._starved = content
                elif kind == "metrics":
                    self._metrics.append(content[0])
                elif kind == "warning":
                    text, category = content
                    warnings.warn(text, category, stacklevel=2)
                elif kind == "error":
                    raise content[0]
                else:
                    self._replies.append(content[0])
        except (EOFError, ConnectionResetError) as error:
            raise self._ended() from error

    def _wait_for_reply(self) -> Path | str:
        while not self._replies:
            self._listen(1.0)
        return self._replies.pop(0)


def _serve(job: LearnerJob, pipe: Connection, largest_lag: int) -> None:
    """The learner's process: updates while any are owed, listens in between, ends when its parent does."""
    for number in (signal.SIGINT, signal.SIGTERM):  # the parent decides what they mean: a group of processes gets both
        signal.signal(number, signal.SIG_IGN)
    warnings.showwarning = lambda message, category, *_, **__: pipe.send(("warning", str(message), category))
    prepare_device(job.device)
    try:
        learner = job.build(SharedMemoryWeightStore(job.weights_path))
        pipe.send(("progress", *_progress(learner)))
        pipe.send(("ready", str(os.getpid())))
        try:
            _serve_forever(learner, job.checkpoints(), pipe, largest_lag)
        finally:
            learner.close()
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the parent is gone
    except Exception as error:  # the parent reports what ended learning
        pipe.send(("error", error if isinstance(error, RobotAgentError) else RuntimeError(repr(error))))


def _progress(learner: OnlineLearner) -> tuple[int, int, bool]:
    return learner.updates, learner.skipped_updates, learner.starved


def _serve_forever(learner: OnlineLearner, store: CheckpointStore, pipe: Connection, largest_lag: int) -> None:
    decisions = owed = 0
    means = _MeanMetrics()
    published = learner.updates
    sent = _progress(learner)
    while True:
        patience = 0.0 if owed else 0.05
        while pipe.poll(patience):
            kind, *content = pipe.recv()
            patience = 0.0
            if kind == "decisions":
                decisions = content[0]
            elif kind == "checkpoint":
                pipe.send(("checkpoint", str(learner.save(store, *content))))
            elif kind == "stop":
                return
        owed = learner.owed(decisions)
        if owed:
            means.add(learner.update())
            # Beyond the lag the actor waits, and then gets weights that have learned from everything up to then.
            if learner.updates - published >= learner.config.publish_every and owed - 1 <= largest_lag:
                learner.publish()
                published = learner.updates
            if means.full():
                pipe.send(("metrics", means.take(learner.updates)))
        if _progress(learner) != sent:
            sent = _progress(learner)
            pipe.send(("progress", *sent))
