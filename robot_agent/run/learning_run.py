"""A run that learns: what a life in a simulator and a robot's have in common, all but the body."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

import numpy as np

from robot_agent.agent import Agent
from robot_agent.device import prepare_device
from robot_agent.drivers.driver import EpisodeSummary
from robot_agent.errors import CheckpointError, RunError
from robot_agent.learning.checkpoint import CheckpointStore
from robot_agent.learning.goal_functions import GoalFunctions
from robot_agent.learning.service import InlineLearnerService, LearnerJob, LearnerService, ProcessLearnerService
from robot_agent.replay.columns import row_dtype
from robot_agent.replay.replay import Replay, ReplayWriter
from robot_agent.replay.schema import Lived
from robot_agent.run.config import RunConfig, to_tree, validate
from robot_agent.run.folder import RunFolder
from robot_agent.run.load import check_body
from robot_agent.run.metrics import MetricsWriter
from robot_agent.types import BodySpec, Transition

MakeGoalFunctions = Callable[[], GoalFunctions | None]


class LearningRun:
    """An agent, its replay, its learner and their checkpoints; owns the run folder while it lasts.

    Args:
        path: of the run folder.
        config: of the run.
        spec: shapes of the body.
        make_goal_functions: gives a goal world's functions where the learner runs; picklable where that is a process
            of its own. None switches hindsight off.
        resume: continue the run that the folder holds.
        keep_config: write the configuration of a resumed run into its folder, for the next time.
        start_learner: how learning runs beside acting; by default as the configuration says.

    Raises:
        RunError: the folder holds a run and `resume` is False, or holds none and it is True; a value of the
            configuration is out of bounds; another process writes into the folder; the learner's process cannot be
            given `make_goal_functions`.
        CheckpointError: no checkpoint can be used, or it is of another body.
    """

    def __init__(
        self,
        path: Path,
        config: RunConfig,
        spec: BodySpec,
        make_goal_functions: MakeGoalFunctions | None = None,
        resume: bool = False,
        keep_config: bool = True,
        start_learner: Callable[[LearnerJob], LearnerService] | None = None,
    ) -> None:
        validate(config)
        self.config = config
        self.spec = spec
        if self._has_hindsight and make_goal_functions and start_learner is None and not config.deterministic:
            _check_picklable(make_goal_functions)
        self.device = prepare_device(config.device)
        self.resumed = resume
        self.folder = RunFolder.open(path) if resume else RunFolder.create(path)
        with ExitStack() as undo:  # what fails half-way leaves nothing open
            self.lock = self.folder.lock()
            undo.callback(self.lock.close)
            self._begin(keep_config or not resume, make_goal_functions, start_learner, undo)
            undo.pop_all()
        self.started = self.last_checkpoint = self.last_metrics = time.perf_counter()
        self.decisions_at_start = self.decisions

    def _begin(
        self,
        keep_config: bool,
        make_goal_functions: MakeGoalFunctions | None,
        start_learner: Callable[[LearnerJob], LearnerService] | None,
        undo: ExitStack,
    ) -> None:
        config, spec, resume = self.config, self.spec, self.resumed
        before = Replay(self.folder.replay) if resume else None
        lived = before.lived if before else Lived()
        self.decisions, self.frames, self.episodes = lived
        self.quarantined_before = before.quarantined if before else 0
        self.seconds_before = self._seconds_so_far() if resume else 0.0
        if before is not None:
            self._check_goes_on(before)
        if keep_config:
            self.folder.write_config(to_tree(config) | {"device": self.device})
        self.returns: list[float] = []
        self.agent = Agent(spec, config.agent, config.seed, self.device)
        self.replay = ReplayWriter(self.folder.replay, spec, config.replay, lived=lived)
        undo.callback(self.replay.close)
        self.metrics = MetricsWriter(self.folder)
        undo.callback(self.metrics.close)
        self.learner = self._start_learner(make_goal_functions, start_learner)

    @property
    def seconds(self) -> float:
        """Wall-clock of the whole run, earlier parts included."""
        return self.seconds_before + time.perf_counter() - self.started

    @property
    def checkpoint_is_due(self) -> bool:
        """Whether the last one is `checkpoint_minutes` ago, or one is due that is kept for good."""
        late = time.perf_counter() - self.last_checkpoint > self.config.checkpoint_minutes * 60
        return late or self._is_worth_keeping()

    def _is_worth_keeping(self) -> bool:
        every = self.keep_checkpoints_every
        return every > 0 and self.decisions > self.decisions_at_start and self.decisions % every == 0

    @property
    def keep_checkpoints_every(self) -> int:
        """Decisions between two checkpoints that are kept for good; 0 for none."""
        frames = self.config.keep_checkpoints_every
        return max(1, round(frames / self.spec.frames_per_step)) if frames else 0

    def keep(self, transition: Transition, hurry: Callable[[], bool] = lambda: False) -> None:
        """Appends to replay and informs the learner; waits as `LearnerService.advance` does."""
        self.replay.append(transition)
        self.decisions += 1
        self.frames += int(self.spec.frames_in(transition.dt))
        self.learner.advance(self.decisions, hurry=hurry)

    def end_episode(self, summary: EpisodeSummary, metrics: Mapping[str, Any]) -> None:
        """Writes a line of metrics about an episode, and what the learner has to tell."""
        self.episodes += 1
        self.returns.append(summary.episode_return)
        ended = {"episode_return": summary.episode_return, "episode_length": summary.length}
        self._write_metrics(summary, {**ended, **metrics})

    def note_progress(self, summary: EpisodeSummary, metrics: Mapping[str, Any]) -> None:
        """The same about an episode that has not ended yet: it may take very long, or never end."""
        so_far = {"return_so_far": summary.episode_return, "length_so_far": summary.length}
        self._write_metrics(summary, {**so_far, **metrics})

    def _write_metrics(self, summary: EpisodeSummary, metrics: Mapping[str, Any]) -> None:
        self.last_metrics = time.perf_counter()
        self.metrics.episode(
            {
                "frames": self.frames,
                "episode": summary.episode,
                "seconds": round(self.seconds, 3),
                "updates": self.learner.updates,
                "skipped_updates": self.learner.skipped_updates,
                "plan_ms_p50": float(np.percentile(summary.decision_ms, 50)),
                "plan_ms_p99": float(np.percentile(summary.decision_ms, 99)),
                "quarantined": self.quarantined_before + self.replay.quarantined,
                **metrics,
            }
        )
        for record in self.learner.drain_metrics():
            self.metrics.updates({**record, "seconds": round(self.seconds, 3), "frames": self.frames})

    def checkpoint(self) -> Path:
        """Writes a checkpoint now."""
        self.last_checkpoint = time.perf_counter()
        counters = {"frames": self.frames, "episodes": self.episodes, "seconds": round(self.seconds, 3)}
        return self.learner.checkpoint(self.decisions, {**counters, "config": to_tree(self.config)})

    def close(self) -> None:
        """Ends the learner and closes all files."""
        with ExitStack() as last_to_first:  # each is closed whatever the others raise
            for part in (self.lock, self.metrics, self.replay, self.learner):
                last_to_first.callback(part.close)

    def _check_goes_on(self, before: Replay) -> None:
        """Before anything is opened for writing."""
        store = CheckpointStore(self.folder.checkpoints)
        if not store.empty:
            check_body(store.load_latest(), self.spec)
        if any(row_dtype(segment.spec) != row_dtype(self.spec) for segment in before.segments.values()):
            raise CheckpointError(
                f"{self.folder.path} was lived in a body of another shape: resume with the body it began with"
            )

    def _start_learner(
        self, make_goal_functions: MakeGoalFunctions | None, start: Callable[[LearnerJob], LearnerService] | None
    ) -> LearnerService:
        job = LearnerJob(
            spec=self.spec,
            mind=self.config.agent.mind,
            online=self.config.online,
            seed=self.config.seed,
            run_folder=self.folder.path,
            weights_path=self.folder.path / "weights.shared",
            make_goal_functions=make_goal_functions if self._has_hindsight else None,
            resume=self.resumed,
            device=self.device,
            keep_checkpoints_every=self.keep_checkpoints_every,
        )
        if start is not None:
            return start(job)
        return InlineLearnerService(job) if self.config.deterministic else ProcessLearnerService(job)

    @property
    def _has_hindsight(self) -> bool:
        return self.spec.goal_dim > 0 and self.config.online.hindsight.share > 0

    def _seconds_so_far(self) -> float:
        records = [*self.folder.read_progress()[-1:], self.folder.read_summary()]
        return max(float(record.get("seconds", 0.0)) for record in records)


def _check_picklable(make_goal_functions: MakeGoalFunctions) -> None:
    """Before anything is written: the learner's process builds the body's reward function itself."""
    try:
        ForkingPickler.dumps(make_goal_functions)
    except Exception as error:  # pickle raises several kinds
        raise RunError(
            f"the function that makes the body cannot be given to the learner's process ({error}): "
            "define it at the top of a module, without lambda, or set online.hindsight.share to 0"
        ) from error
