"""A life: the loop drives a body, the learner learns beside it, and the run folder keeps what came of it."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import gymnasium
import numpy as np

from robot_agent.agent import Agent, AgentState
from robot_agent.device import prepare_device
from robot_agent.drivers.driver import Driver, EpisodeSummary, Listener
from robot_agent.errors import CheckpointError, RunError
from robot_agent.evaluation.model_quality import latent_quality
from robot_agent.learning.checkpoint import CheckpointStore
from robot_agent.learning.hindsight import RewardFunction
from robot_agent.learning.service import InlineLearnerService, LearnerJob, LearnerService, ProcessLearnerService
from robot_agent.loop import Loop
from robot_agent.memory.replay import Replay, ReplayWriter
from robot_agent.memory.schema import row_dtype
from robot_agent.run.config import RunConfig, resumed, to_tree, validate
from robot_agent.run.folder import RunFolder
from robot_agent.run.load import check_body, load_config
from robot_agent.run.metrics import MetricsWriter
from robot_agent.types import BodySpec, Transition

MakeBody = Callable[[], gymnasium.Env[Any, Any]]
RECENT_EPISODES = 5
ABOUT_THE_WORLD = ("world", "chapter", "drift")
"""Of what a body says beside a step, what goes into the metrics, so that curves can be held against the changes."""


@dataclass(frozen=True)
class Progress:
    """Where a life stands, for displays."""

    frames: int
    seconds: float
    episodes: int
    last_return: float
    updates: int
    decisions_per_second: float


class RewardFunctionOf:
    """Builds a goal world in the learner's process and takes its `compute_reward`; picklable."""

    def __init__(self, make_body: MakeBody) -> None:
        self.make_body = make_body

    def __call__(self) -> RewardFunction | None:
        return getattr(self.make_body().unwrapped, "compute_reward", None)


class Recorder(Listener):
    """Appends to replay, tells the learner, and writes a line of metrics an episode."""

    def __init__(self, life: Life) -> None:
        self.life = life

    def on_step(self, transition: Transition, state: AgentState) -> None:
        life = self.life
        life.replay.append(transition)
        life.decisions += 1
        life.learner.advance(life.decisions, hurry=life.in_a_hurry)

    def on_episode(self, summary: EpisodeSummary) -> None:
        life = self.life
        life.episodes += 1
        life.returns.append(summary.episode_return)
        life.metrics.episode(
            {
                "frames": life.frames,
                "episode": summary.episode,
                "episode_return": summary.episode_return,
                "episode_length": summary.length,
                "seconds": round(life.seconds, 3),
                "updates": life.learner.updates,
                "skipped_updates": life.learner.skipped_updates,
                "plan_ms_p50": float(np.percentile(summary.decision_ms, 50)),
                "plan_ms_p99": float(np.percentile(summary.decision_ms, 99)),
                "quarantined": life.quarantined_before + life.replay.quarantined,
                **({} if summary.success is None else {"success": summary.success}),
                **{name: summary.last_info[name] for name in ABOUT_THE_WORLD if name in summary.last_info},
                **latent_quality(life.agent.mind, summary.transitions),
            }
        )
        for record in life.learner.drain_metrics():
            life.metrics.updates({**record, "seconds": round(life.seconds, 3), "frames": life.frames})


class Life:
    """One agent in one body, learning; owns the run folder while it lasts.

    Args:
        path: of the run folder.
        config: of the run; when resuming it must be the folder's own but for budget and device.
        make_body: builds the body; picklable where hindsight needs its `compute_reward` in the learner's process.
        resume: go on with the run that the folder holds.
        on_progress: called after each decision.
        keep_budget: write the budget of a resumed run into its folder, for the next time.

    Raises:
        RunError: the folder holds a run and `resume` is False, or holds none and it is True; a value of the
            configuration is out of bounds; the budget is spent already; another process writes into the folder.
        CheckpointError: no checkpoint can be used, or it is of another body.
        BodyError: the body's spaces are not what an agent can live in.
    """

    def __init__(
        self,
        path: Path,
        config: RunConfig,
        make_body: MakeBody,
        resume: bool = False,
        on_progress: Callable[[Progress], None] | None = None,
        keep_budget: bool = True,
    ) -> None:
        validate(config)
        if resume:
            config = resumed(load_config(RunFolder.open(path)), config)
        self.make_body = make_body
        self.body = make_body()
        self.spec = BodySpec.from_env(self.body)
        self.config = config
        self.on_progress = on_progress
        self.device = prepare_device(config.device)
        self.resumed = resume
        self.folder = RunFolder.open(path) if resume else RunFolder.create(path)
        self.lock = self.folder.lock()
        before = Replay(self.folder.replay) if resume else None
        self.decisions = before.decisions if before else 0
        self.episodes = before.next_episode if before else 0
        self.quarantined_before = before.quarantined if before else 0
        self.seconds_before = self._seconds_so_far() if resume else 0.0
        if before is not None:
            try:
                self._check_goes_on(before)
            except BaseException:
                self.lock.close()
                self.body.close()
                raise
        if keep_budget or not resume:
            self.folder.write_config(to_tree(config) | {"device": self.device})
        self.returns: list[float] = []
        self.earlier_returns = [record["episode_return"] for record in self.folder.read_metrics()] if resume else []
        self.largest_episodes = float("inf")
        self.agent = Agent(self.spec, config.agent, config.seed, self.device)
        self.replay = ReplayWriter(self.folder.replay, self.spec, config.replay)
        self.metrics = MetricsWriter(self.folder)
        self.learner = self._start_learner(resume)
        self.started = self.last_checkpoint = time.perf_counter()
        self.decisions_at_start = self.decisions
        self.interrupted = False
        if self.body.has_wrapper_attr("life_steps"):  # a world that changes goes on changing where it was
            self.body.set_wrapper_attr("life_steps", self.decisions)

    @property
    def frames(self) -> int:
        """Simulator control frames lived, action repeat included."""
        return self.decisions * self.spec.frames_per_step

    @property
    def seconds(self) -> float:
        """Wall-clock of the whole run, earlier parts included."""
        return self.seconds_before + time.perf_counter() - self.started

    def live(self, episodes: float = float("inf")) -> dict[str, Any]:
        """Lives until the budget is spent or the person interrupts; returns what `summary.json` holds.

        Args:
            episodes: a further budget, counted from now.
        """
        self.largest_episodes = episodes
        driver = Driver(
            Loop(self.agent, self.learner.weights),
            {"agent": self.body},
            [Recorder(self)],
            seed=self.config.seed,
            first_episode=self.episodes,
            keep_transitions=True,
        )
        try:
            with self._interruptible():
                driver.run(self._is_over)
            self.checkpoint()
        except BaseException:
            self.close()
            if not self.resumed and not self.decisions:
                shutil.rmtree(self.folder.path, ignore_errors=True)  # a start that failed is no run
            raise
        self.close()
        return self._summarise()

    def checkpoint(self) -> Path:
        """Writes a checkpoint now."""
        self.last_checkpoint = time.perf_counter()
        counters = {"frames": self.frames, "episodes": self.episodes, "seconds": round(self.seconds, 3)}
        return self.learner.checkpoint(self.decisions, {**counters, "config": to_tree(self.config)})

    def close(self) -> None:
        """Ends the learner and closes all files."""
        with ExitStack() as last_to_first:  # each is closed whatever the others raise
            for part in (self.lock, self.body, self.metrics, self.replay, self.learner):
                last_to_first.callback(part.close)

    def _check_goes_on(self, before: Replay) -> None:
        """Before anything is opened for writing."""
        store = CheckpointStore(self.folder.checkpoints)
        if not store.empty:
            check_body(store.load_latest(), self.spec)
        if any(segment.dtype != row_dtype(self.spec) for segment in before.segments.values()):
            raise CheckpointError(
                f"{self.folder.path} was lived in a body of another shape: resume with the body it began with"
            )
        spent = self.config.minutes is not None and self.seconds_before >= self.config.minutes * 60
        if spent or self.frames >= self.config.frames:
            raise RunError(
                f"{self.folder.path} has spent its budget already ({self.frames} frames, "
                f"{self.seconds_before / 60:.1f} minutes): give more with --frames or --minutes"
            )

    def _is_over(self, driver: Driver) -> bool:
        if self.on_progress:
            lived = self.decisions - self.decisions_at_start
            rate = lived / max(time.perf_counter() - self.started, 1e-9)
            recent = self._recent_returns()
            last = recent[-1] if recent else float("nan")
            self.on_progress(Progress(self.frames, self.seconds, self.episodes, last, self.learner.updates, rate))
        late = time.perf_counter() - self.last_checkpoint > self.config.checkpoint_minutes * 60
        if late or self._is_worth_keeping():
            self.checkpoint()
        return self.in_a_hurry() or len(self.returns) >= self.largest_episodes or self.frames >= self.config.frames

    def _is_worth_keeping(self) -> bool:
        every = self.keep_checkpoints_every
        return every > 0 and self.decisions > self.decisions_at_start and self.decisions % every == 0

    @property
    def keep_checkpoints_every(self) -> int:
        """Decisions between two checkpoints that are kept for good; 0 for none."""
        frames = self.config.keep_checkpoints_every
        return max(1, round(frames / self.spec.frames_per_step)) if frames else 0

    def in_a_hurry(self) -> bool:
        """Whether nothing should be waited for any more: interrupted, or the minutes are over."""
        minutes = self.config.minutes
        return self.interrupted or (minutes is not None and self.seconds >= minutes * 60)

    def _recent_returns(self) -> list[float]:
        known = [value for value in [*self.earlier_returns, *self.returns] if value is not None]
        return known[-RECENT_EPISODES:]

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Ctrl-C and SIGTERM end the life after the current step; a second Ctrl-C ends it at once."""

        def interrupt(signum: int, frame: FrameType | None) -> None:
            self.interrupted = True
            signal.signal(signal.SIGINT, signal.default_int_handler)

        if threading.current_thread() is threading.main_thread():
            previous = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
        else:
            previous = {}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _start_learner(self, resume: bool) -> LearnerService:
        reward_function = RewardFunctionOf(self.make_body) if self.spec.goal_dim else None
        job = LearnerJob(
            spec=self.spec,
            mind=self.config.agent.mind,
            online=self.config.online,
            seed=self.config.seed,
            run_folder=self.folder.path,
            weights_path=self.folder.path / "weights.shared",
            make_reward_function=reward_function,
            resume=resume,
            device=self.device,
            keep_checkpoints_every=self.keep_checkpoints_every,
        )
        return InlineLearnerService(job) if self.config.deterministic else ProcessLearnerService(job)

    def _seconds_so_far(self) -> float:
        records = [*self.folder.read_metrics()[-1:], self.folder.read_summary()]
        return max(float(record.get("seconds", 0.0)) for record in records)

    def _summarise(self) -> dict[str, Any]:
        lived = time.perf_counter() - self.started
        summary = {
            "status": "interrupted" if self.interrupted else "finished",
            "frames": self.frames,
            "decisions": self.decisions,
            "episodes": self.episodes,
            "updates": self.learner.updates,
            "skipped_updates": self.learner.skipped_updates,
            "quarantined": self.quarantined_before + self.replay.quarantined,
            "seconds": round(self.seconds, 3),
            "decisions_per_second": round((self.decisions - self.decisions_at_start) / max(lived, 1e-9), 2),
            "return_last_5_mean": float(np.mean(recent)) if (recent := self._recent_returns()) else None,
            "cores": os.cpu_count(),
        }
        self.folder.write_summary(summary)
        return summary
