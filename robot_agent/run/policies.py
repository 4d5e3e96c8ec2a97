"""Policies by name: the checkpoints of runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from robot_agent.agent import Agent
from robot_agent.errors import RunError
from robot_agent.learning.checkpoint import CheckpointStore
from robot_agent.run.config import RunConfig
from robot_agent.run.folder import RunFolder
from robot_agent.run.load import load_agent, load_config
from robot_agent.types import BodySpec


@dataclass(frozen=True)
class Policy:
    """An agent as it was after some decisions of its life.

    Attributes:
        run: the run folder.
        step: the decision, None for the newest checkpoint that is whole.
        config: of the run.
        newest: whether it is the last of its run that was asked for.
        title: what its run is called; the folder's name if not given.
    """

    run: Path
    step: int | None
    config: RunConfig
    newest: bool = True
    title: str = ""

    @property
    def name(self) -> str:
        """What its run is called, with the decision where one was asked for."""
        title = self.title or self.run.name
        return title if self.step is None else f"{title}@{self.step}"

    @property
    def decisions(self) -> int:
        """Decisions of its life.

        Raises:
            CheckpointError: its run holds no checkpoint that is whole.
        """
        if self.step is not None:
            return self.step
        return CheckpointStore(RunFolder.open(self.run).checkpoints).load_latest().step

    def load(self, spec: BodySpec, device: str) -> Agent:
        """The agent, for a body.

        Raises:
            CheckpointError: there is no such checkpoint, or it is of a body of another shape.
        """
        return load_agent(self.run, spec, device, self.step)[0]


def named_policies(names: Sequence[str], all_checkpoints: bool = False) -> list[Policy]:
    """The policies that a command line names: `RUN` or `RUN@DECISIONS`.

    Args:
        names: at least one.
        all_checkpoints: every checkpoint of each run that is named without a decision.

    Raises:
        RunError: there is no such run, a decision is no number, or two policies are the same.
    """
    policies: list[Policy] = []
    for name in names:
        path, at, decision = name.rpartition("@")
        if not at or Path(name).exists():
            path, at = name, ""
        if at and not decision.isdigit():
            raise RunError(
                f"{name} names no policy: expected the folder of a run, or RUN@DECISIONS such as runs/a@5000"
            )
        run = Path(path)
        folder = RunFolder.open(run)
        config = load_config(folder)
        steps: list[int | None] = [int(decision) if at else None]
        if all_checkpoints and not at:
            steps = list(CheckpointStore(folder.checkpoints).steps)
            if not steps:
                raise RunError(f"{run} holds no checkpoint: train it further, or leave it out")
        policies += [Policy(run, step, config) for step in steps]
    named = [(policy.run.resolve(), policy.step) for policy in policies]
    if len(set(named)) < len(named):
        twice = next(policy.name for index, policy in enumerate(policies) if named[index] in named[:index])
        raise RunError(f"{twice} is named twice: name each policy once")
    runs = {run for run, _ in named}
    last = {run: max(age(policy) for policy in policies if policy.run.resolve() == run) for run in runs}
    alike = len({run.name for run in runs}) < len(runs)
    return [
        replace(
            policy,
            newest=age(policy) == last[policy.run.resolve()],
            title=str(policy.run) if alike else policy.run.resolve().name,
        )
        for policy in policies
    ]


def age(policy: Policy) -> float:
    """Decisions of its life; infinite for the newest checkpoint there is."""
    return float("inf") if policy.step is None else policy.step
