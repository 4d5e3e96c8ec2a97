"""Measures the choices that the default configuration makes: each alternative against the default, in the same run.

    python benchmarks/choices.py
    python benchmarks/choices.py --choices fsq --tasks cartpole-swingup --frames 50000
    python benchmarks/choices.py --choices default narrow --streams camera proprio --tasks cartpole-swingup

Each line is a short life from nothing and the evaluation of the agent it leaves behind. Rows go to
`results/choices.csv`; one that is measured again replaces the old.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import tyro
from dmc import measure
from table import write_row

from robot_agent.encoder.encoder import EncoderConfig
from robot_agent.run.config import RunConfig, default_config

KEY = ("choice", "world", "streams", "seed", "frames")
Choice = Literal["default", "own_encoder", "fsq", "narrow"]


@dataclass(frozen=True)
class Benchmark:
    """Which choices, on which tasks, for how long."""

    choices: tuple[Choice, ...] = ("default", "own_encoder", "fsq")
    """own_encoder: reward and value do not shape the encoder; fsq: discrete codes instead of simplices; narrow: two
    streams have the latent of one."""

    tasks: tuple[str, ...] = ("cartpole-swingup", "walker-walk")
    """Of dm_control's suite."""

    streams: tuple[Literal["proprio", "camera"], ...] = ("proprio",)
    """What the agent perceives."""

    frames: int = 20_000
    """Simulator frames of a life, action repeat included."""

    seed: int = 0
    """Of each life."""

    out: Path = Path(__file__).parent / "results" / "choices.csv"
    """The table."""


def alternative(config: RunConfig, choice: Choice) -> RunConfig:
    """The configuration with one choice made differently."""
    agent, online = config.agent, config.online
    if choice == "own_encoder":
        losses = online.learner.losses
        losses = replace(losses, terms=replace(losses.terms, shape_encoder=False))
        return replace(config, online=replace(online, learner=replace(online.learner, losses=losses)))
    if choice == "fsq":
        encoder = replace(agent.mind.encoder, latent="fsq")
        return replace(config, agent=replace(agent, mind=replace(agent.mind, encoder=encoder)))
    if choice == "narrow":
        return replace(config, agent=replace(agent, mind=replace(agent.mind, encoder=EncoderConfig())))
    return config


def main(argv: Sequence[str] | None = None) -> None:
    """Measures each choice on each task and adds its line to the table."""
    benchmark = tyro.cli(Benchmark, args=argv)
    for task in benchmark.tasks:
        for choice in benchmark.choices:
            config = replace(
                default_config(benchmark.streams),
                world=f"dmc/{task}",
                frames=benchmark.frames,
                seed=benchmark.seed,
                device="cpu",
                deterministic=True,
            )
            with tempfile.TemporaryDirectory() as scratch:
                row = {"choice": choice, **measure(Path(scratch) / "run", alternative(config, choice))}
            write_row(benchmark.out, row, KEY)
            print(",".join(map(str, row.values())), flush=True)


if __name__ == "__main__":
    main()
