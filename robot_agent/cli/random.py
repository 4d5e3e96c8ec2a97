"""`robot-agent random`: what random actions score, for reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import tyro

from robot_agent.agent import Agent
from robot_agent.cli.body import make_body
from robot_agent.drivers.returns import close_body
from robot_agent.evaluation.evaluate import evaluate
from robot_agent.evaluation.statistics import spoken
from robot_agent.run.bounds import POSITIVE_COUNT, SEED, check_numbers
from robot_agent.types import BodySpec


@dataclass(frozen=True)
class RandomCommand:
    """The return of uniformly random actions: mean, standard deviation and 95 % interval."""

    world: str
    """A name that `robot-agent worlds` lists."""

    episodes: int = 10
    """How many episodes."""

    seed: int = 0
    """Of the episodes and the actions."""


def parse(argv: Sequence[str]) -> RandomCommand:
    """The command line as a config; raises SystemExit on flags that there are not."""
    return tyro.cli(RandomCommand, args=list(argv), prog="robot-agent random")


def run(argv: Sequence[str]) -> int:
    """Runs the command; returns the exit status."""
    command = parse(argv)
    check_numbers(command, {"episodes": POSITIVE_COUNT, "seed": SEED}, "--")
    body = make_body(command.world)
    # An agent that has not learned anything acts at random.
    agent = Agent(BodySpec.from_env(body), seed=command.seed)
    returns = evaluate(agent, body, command.episodes, seed=command.seed, render=False, measure_latent=False).returns
    close_body(body)
    print(f"{command.world}: return of random actions {spoken(returns)}")
    return 0
