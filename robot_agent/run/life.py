"""A life: the loop drives a body, the learner learns beside it, and the run folder keeps what came of it."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import gymnasium
import numpy as np

from robot_agent.agent import AgentState
from robot_agent.drivers.driver import Driver, EpisodeSummary, Listener
from robot_agent.drivers.returns import close_body
from robot_agent.errors import RunError
from robot_agent.evaluation.model_quality import latent_quality
from robot_agent.learning.goal_functions import GoalFunctions
from robot_agent.loop import Loop
from robot_agent.replay.replay import Replay
from robot_agent.run.config import RunConfig, resumed, validate
from robot_agent.run.folder import RunFolder
from robot_agent.run.learning_run import LearningRun
from robot_agent.run.load import load_config
from robot_agent.run.readings import ReadingsWatch
from robot_agent.types import BodySpec, Transition

MakeBody = Callable[[], gymnasium.Env[Any, Any]]
RECENT_EPISODES = 5
METRICS_SECONDS = 60.0
"""Without the end of an episode, after which a line of metrics is written all the same."""
FEWEST_KEPT, MOST_KEPT, KEPT_BYTES = 64, 2_000, 64_000_000
"""Of the transitions of an episode, which may never end, that stay in memory until it does."""
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


class GoalFunctionsOf:
    """Builds a goal world once more, where the learner runs in a process of its own; picklable if `make_body` is."""

    def __init__(self, make_body: MakeBody) -> None:
        self.make_body = make_body

    def __call__(self) -> GoalFunctions | None:
        """Those of another body, None with a warning where there can be no other."""
        try:
            body = self.make_body()
        except Exception as error:  # a stranger's: of some worlds and devices there is only one
            warnings.warn(
                "hindsight is off: the learner's process cannot build the world a second time "
                f"({type(error).__name__}: {error}); use --deterministic, which needs one body alone",
                stacklevel=2,
            )
            return None
        return goal_functions_of(body, partial(close_body, body))


def goal_functions_of(body: gymnasium.Env[Any, Any], close: Callable[[], None] = lambda: None) -> GoalFunctions | None:
    """Those of a body of a goal world, None with a warning where it has none."""
    functions = GoalFunctions.of_env(body, close)
    if functions is None:
        close()
        warnings.warn(
            "hindsight is off: the world has goals and no compute_reward(achieved, desired, info); add it, or set "
            "online.hindsight.share to 0",
            stacklevel=2,
        )
    return functions


class Recorder(Listener):
    """Appends to replay, informs the learner, and writes a line of metrics an episode."""

    def __init__(self, life: Life) -> None:
        self.life = life
        self._elite_shares: dict[str, list[float]] = {}

    def on_step(self, transition: Transition, state: AgentState) -> None:
        for name, share in (state.decision.elite_shares if state.decision else {}).items():
            self._elite_shares.setdefault(name, []).append(float(share.mean()))
        self.life.keep(transition, hurry=self.life.in_a_hurry)

    def on_episode(self, summary: EpisodeSummary) -> None:
        shares = {f"elites_{name}": float(np.mean(share)) for name, share in self._elite_shares.items()}
        self._elite_shares.clear()
        self.life.end_episode(
            summary,
            {
                **shares,
                **({} if summary.success is None else {"success": summary.success}),
                **{name: summary.last_info[name] for name in ABOUT_THE_WORLD if name in summary.last_info},
                **latent_quality(self.life.agent.mind, summary.transitions),
            },
        )


def transitions_kept(spec: BodySpec) -> int:
    """How many of an episode fit into `KEPT_BYTES`, at most `MOST_KEPT`: what is measured at its end."""
    pixels = sum(height * width * 3 for _, (height, width) in spec.cameras)
    return max(FEWEST_KEPT, min(MOST_KEPT, KEPT_BYTES // (pixels + 4 * spec.proprio_dim + 8 * spec.goal_dim)))


class Life(LearningRun):
    """One agent in one body, learning; owns the run folder while it lasts.

    Args:
        path: of the run folder.
        config: of the run; when resuming it must be the folder's own but for budget and device.
        make_body: builds the body; picklable for hindsight where the learner runs in a process of its own.
        resume: continue the run that the folder holds.
        on_progress: called after each decision.
        keep_budget: write the budget of a resumed run into its folder, for the next time.

    Raises:
        RunError: the folder holds a run and `resume` is False, or holds none and it is True; a value of the
            configuration is out of bounds; the budget is spent already; another process writes into the folder.
        CheckpointError: no checkpoint can be used, or it is of another body.
        BodyError: the body's spaces are not what an agent can live in; in `live`, its readings were never finite.
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
        self.body = make_body()
        self.on_progress = on_progress
        try:
            spec = BodySpec.from_env(self.body)
            # In this thread the body itself can say what a goal is worth.
            functions = partial(goal_functions_of, self.body) if config.deterministic else GoalFunctionsOf(make_body)
            super().__init__(path, config, spec, functions, resume, keep_budget)
        except BaseException:
            close_body(self.body)
            raise
        self.earlier_returns = [record["episode_return"] for record in self.folder.read_metrics()] if resume else []
        self.largest_episodes = self.largest_decisions = float("inf")
        self.interrupted = False
        if self.body.has_wrapper_attr("life_steps"):  # a world that changes continues its schedule
            self.body.set_wrapper_attr("life_steps", self.decisions)

    def live(self, episodes: float = float("inf"), decisions: float = float("inf")) -> dict[str, Any]:
        """Lives until the budget is spent or the person interrupts; returns what `summary.json` holds.

        Args:
            episodes: a further budget, counted from now.
            decisions: another one.
        """
        self.largest_episodes, self.largest_decisions = episodes, decisions
        readings = ReadingsWatch()
        driver = Driver(
            Loop(self.agent, self.learner.weights),
            {"agent": self.body},
            [Recorder(self), readings],
            seed=self.config.seed,
            first_episode=self.episodes,
            keep_transitions=transitions_kept(self.spec),
        )
        try:
            with self._interruptible():
                driver.run(self._is_over)
            self.checkpoint()
        except BaseException as error:
            if isinstance(error, Exception) and self.decisions > self.decisions_at_start:
                with suppress(Exception):  # what failed first is what a person must know
                    self.checkpoint()
            self.close()
            if not self.resumed and not self.decisions:
                shutil.rmtree(self.folder.path, ignore_errors=True)  # a start that failed is no run
            raise
        self.close()
        summary = self._summarise()
        if not self.interrupted:
            readings.check()
        return summary

    def close(self) -> None:
        """Ends the learner and closes body and files."""
        try:
            super().close()
        finally:
            close_body(self.body)

    def _check_goes_on(self, before: Replay) -> None:
        super()._check_goes_on(before)
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
        if self.checkpoint_is_due:
            self.checkpoint()
        if time.perf_counter() - self.last_metrics > METRICS_SECONDS:
            episode = driver.running("agent")
            if episode.length:
                self.note_progress(episode, latent_quality(self.agent.mind, episode.transitions[-FEWEST_KEPT:]))
        further = self.decisions - self.decisions_at_start
        if len(self.returns) >= self.largest_episodes or further >= self.largest_decisions:
            return True
        return self.in_a_hurry() or self.frames >= self.config.frames

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
