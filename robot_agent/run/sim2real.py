"""The evaluation of policies in bodies that stand for the real one, as one record."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import gymnasium

from robot_agent.agent import Agent
from robot_agent.evaluation.episodes import EpisodeMeasures, film, measure_episodes, worst_episodes
from robot_agent.evaluation.summaries import estimated, gap, has_success, score, summarised
from robot_agent.evaluation.transfer import FEWEST_POLICIES, halving_value, predictivity
from robot_agent.run.adaptation import live_on
from robot_agent.run.life import MakeBody, Progress
from robot_agent.run.policies import Policy
from robot_agent.run.video import write_video
from robot_agent.types import BodySpec

SCHEMA = "robot-agent/sim2real"
VERSION = 1
"""Grows when a field changes its meaning or goes away; new fields may come without."""
SIMULATION = "simulation"


class Bodies(Protocol):
    """Where policies live."""

    def simulation(self, policy: Policy) -> MakeBody:
        """The world that a policy was trained in, as made."""

    def reality(self, policy: Policy, name: str) -> MakeBody:
        """A body that stands for the real one."""

    def changed(self, policy: Policy, axis: str, value: float) -> MakeBody:
        """The simulation with one axis away from how it was made."""

    def can_be_filmed(self, name: str) -> bool:
        """Whether an episode in this reality can be lived again."""


@dataclass(frozen=True)
class VisitedAxis:
    """An axis and the values of its curve, the neutral one first."""

    name: str
    meaning: str
    values: tuple[float, ...]
    seen: bool


@dataclass(frozen=True)
class StudyConfig:
    """What is measured.

    Attributes:
        realities: by name.
        episodes: of each policy in each body.
        seed: of the episodes, the same in all bodies.
        success_return: the return from which an episode succeeds, for worlds that do not say.
        axes: of the sensitivity curves.
        sensitivity_episodes: at each value of an axis.
        learn_minutes: of experience in each reality that the agent learns from; 0 for none.
        learn_stops: at which the learning agent is evaluated.
        clips: of failures, for each run and body.
        device: where minds live.
    """

    realities: tuple[str, ...]
    episodes: int = 20
    seed: int = 0
    success_return: float | None = None
    axes: tuple[VisitedAxis, ...] = ()
    sensitivity_episodes: int = 20
    learn_minutes: float = 0.0
    learn_stops: int = 5
    clips: int = 2
    device: str = "cpu"


class Study:
    """Measures policies in simulation, in realities, along axes, and while they learn on.

    Args:
        config: what is measured.
        policies: at least one, all trained in the same world.
        bodies: where they live.
        out: a folder for clips and for the copies of runs that learn on.
        on_episode: called with a line about each episode.
        on_progress: called after each decision of an agent that learns.
    """

    def __init__(
        self,
        config: StudyConfig,
        policies: Sequence[Policy],
        bodies: Bodies,
        out: Path,
        on_episode: Callable[[str], None] = lambda words: None,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> None:
        self.config, self.policies, self.bodies, self.out = config, list(policies), bodies, out
        self.on_episode, self.on_progress = on_episode, on_progress
        self.notes: list[str] = []
        self._opened = ExitStack()
        self._envs: dict[tuple[Path, str], gymnasium.Env[Any, Any]] = {}
        self._agents: dict[str, Agent] = {}

    @property
    def last_policies(self) -> list[Policy]:
        """The newest of each run."""
        return [policy for policy in self.policies if policy.newest]

    @property
    def planned_episodes(self) -> int:
        """About how many will be lived with learning off."""
        config, last = self.config, len(self.last_policies)
        direct = len(self.policies) * (1 + len(config.realities)) * config.episodes
        along = sum(len(axis.values) for axis in config.axes) * config.sensitivity_episodes * last
        later = len(config.realities) * config.learn_stops * config.episodes * last if config.learn_minutes else 0
        return direct + along + later

    def measure(self) -> dict[str, Any]:
        """All of it; what `sim2real.json` holds, but for what the command line knows."""
        with self._opened:
            measures = {
                (policy.name, body): self._measured(policy, body, self._make(policy, body), self.config.episodes)
                for policy in self.policies
                for body in (SIMULATION, *self.config.realities)
            }
            results = [self._result(policy, body, measures) for policy, body in self._places()]
            sensitivity = [
                found
                for policy in self.last_policies
                for axis in self.config.axes
                if (found := self._along(policy, axis)) is not None
            ]
            learning = [
                self._learned(policy, reality, measures)
                for policy in (self.last_policies if self.config.learn_minutes else ())
                for reality in self.config.realities
            ]
        return {
            "schema": SCHEMA,
            "version": VERSION,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "policies": [self._about(policy) for policy in self.policies],
            "realities": list(self.config.realities),
            "episodes": self.config.episodes,
            "seed": self.config.seed,
            "success_return": self.config.success_return,
            "results": results,
            "predictivity": [self._predictivity(reality, measures) for reality in self.config.realities],
            "sensitivity": sensitivity,
            "learning": learning,
            "notes": self.notes,
        }

    # ---- living ----

    def _places(self) -> list[tuple[Policy, str]]:
        return [(policy, body) for policy in self.policies for body in (SIMULATION, *self.config.realities)]

    def _make(self, policy: Policy, body: str) -> MakeBody:
        return self.bodies.simulation(policy) if body == SIMULATION else self.bodies.reality(policy, body)

    def _env(self, policy: Policy, body: str, make: MakeBody) -> gymnasium.Env[Any, Any]:
        if (policy.run, body) not in self._envs:
            env = self._envs[policy.run, body] = make()
            self._opened.callback(env.close)
        return self._envs[policy.run, body]

    def _agent(self, policy: Policy, env: gymnasium.Env[Any, Any]) -> Agent:
        if policy.name not in self._agents:
            self._agents[policy.name] = policy.load(BodySpec.from_env(env), self.config.device)
        return self._agents[policy.name]

    def _measured(self, policy: Policy, body: str, make: MakeBody, episodes: int) -> list[EpisodeMeasures]:
        env = self._env(policy, body, make)
        return measure_episodes(
            self._agent(policy, env),
            env,
            episodes,
            self.config.seed,
            self.config.success_return,
            lambda: self.on_episode(f"{policy.name} in {body}"),
        )

    # ---- parts of the record ----

    def _about(self, policy: Policy) -> dict[str, Any]:
        return {
            "name": policy.name,
            "run": str(policy.run),
            "decisions": policy.decisions,
            "world": policy.config.world,
            "streams": list(policy.config.streams),
            "seed": policy.config.seed,
            "newest": policy.newest,
        }

    def _result(
        self, policy: Policy, body: str, measures: dict[tuple[str, str], list[EpisodeMeasures]]
    ) -> dict[str, Any]:
        own, simulated = measures[policy.name, body], measures[policy.name, SIMULATION]
        return {
            "policy": policy.name,
            "body": body,
            **summarised(own),
            "gap": None if body == SIMULATION else gap(simulated, own),
            "clips": self._clips(policy, body, own) if policy.newest else [],
        }

    def _clips(self, policy: Policy, body: str, measures: Sequence[EpisodeMeasures]) -> list[dict[str, Any]]:
        if not self.config.clips or (body != SIMULATION and not self.bodies.can_be_filmed(body)):
            return []
        env, clips = self._envs[policy.run, body], []
        if env.render_mode != "rgb_array":
            note = f"clips: {body} has no pictures, so there are none of it"
            self.notes += [note] if note not in self.notes else []
            return []
        for episode in worst_episodes(measures, self.config.clips):
            path = self.out / "clips" / _file_name(policy.name, body, f"{episode}.mp4")
            frames = film(self._agent(policy, env), env, episode, self.config.seed)
            write_video(path, frames, fps=max(1, round(1 / float(env.metadata["control_dt"]))))
            clips.append({"episode": episode, "file": str(path.relative_to(self.out))})
        return clips

    def _along(self, policy: Policy, axis: VisitedAxis) -> dict[str, Any] | None:
        """One sensitivity curve; None where this policy or its world has no such axis."""
        if axis.seen and "camera" not in policy.config.streams:
            self.notes.append(f"{axis.name}: {policy.name} has no camera, so nothing was measured")
            return None
        curve = []
        for value in axis.values:
            try:
                env = self.bodies.changed(policy, axis.name, value)()
            except ValueError as error:
                self.notes.append(f"{axis.name}: {error}")
                return None
            with closing(env):
                curve.append(
                    measure_episodes(
                        self._agent(policy, env),
                        env,
                        self.config.sensitivity_episodes,
                        self.config.seed,
                        self.config.success_return,
                        lambda: self.on_episode(f"{policy.name} along {axis.name}"),
                    )
                )
        by_success = has_success([one for measures in curve for one in measures])
        scores = [[score(one, by_success) for one in measures] for measures in curve]
        return {
            "policy": policy.name,
            "axis": axis.name,
            "meaning": axis.meaning,
            "values": list(axis.values),
            "episodes": self.config.sensitivity_episodes,
            "score": "success" if by_success else "return",
            "scores": [estimated(row, by_success) for row in scores],
            "halving": asdict(halving_value(axis.values, scores)) if by_success else None,
        }

    def _learned(
        self, policy: Policy, reality: str, measures: dict[tuple[str, str], list[EpisodeMeasures]]
    ) -> dict[str, Any]:
        make = self.bodies.reality(policy, reality)
        copy = self.out / "learned" / _file_name(policy.title or policy.run.name, reality)
        copy.parent.mkdir(parents=True, exist_ok=True)
        life = live_on(policy.run, copy, make, self.config.learn_minutes, self.config.learn_stops, self.on_progress)
        later = [
            self._measured(Policy(copy, step, policy.config), reality, make, self.config.episodes)
            for step in life.steps
        ]
        return {
            "policy": policy.name,
            "reality": reality,
            "run": str(copy.relative_to(self.out)),
            "off": summarised(measures[policy.name, reality]),
            "minutes": list(life.minutes),
            "on": [summarised(one) | {"gap": gap(measures[policy.name, SIMULATION], one)} for one in later],
            "gain": [gap(measures[policy.name, reality], one) for one in later],
            "lived": [{"minutes": minute, "success": success} for minute, success in life.lived],
        }

    def _predictivity(self, reality: str, measures: dict[tuple[str, str], list[EpisodeMeasures]]) -> dict[str, Any]:
        by_success = all(has_success(measures[policy.name, body]) for policy, body in self._places())
        simulated, real = (
            [[score(one, by_success) for one in measures[policy.name, body]] for policy in self.policies]
            for body in (SIMULATION, reality)
        )
        found = predictivity(simulated, real)
        return {
            "reality": reality,
            "policies": len(self.policies),
            "score": "success" if by_success else "return",
            "pearson": asdict(found.pearson) if found else None,
            "mmrv": asdict(found.mmrv) if found else None,
            "why_not": None
            if found
            else f"needs {FEWEST_POLICIES} policies or more, and these are {len(self.policies)}",
        }


def _file_name(*parts: str) -> str:
    return re.sub(r"[^\w.@=-]", "-", "_".join(parts))
