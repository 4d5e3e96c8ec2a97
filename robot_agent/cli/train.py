"""`robot-agent train`: starts a run, or resumes one."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import tyro

from robot_agent.cli.body import body_factory
from robot_agent.cli.progress import LifeProgress
from robot_agent.errors import RobotAgentError, RunError
from robot_agent.report import write_report
from robot_agent.run.config import RunConfig, default_config, from_tree, validate, with_current_names
from robot_agent.run.folder import RunFolder, read_yaml
from robot_agent.run.life import Life
from robot_agent.run.load import load_config


@dataclass(frozen=True)
class TrainCommand:
    """Learns a world by living in it.

    The run folder holds configuration, metrics, checkpoints, and every transition. Ctrl-C finishes the step, writes a
    checkpoint, and prints the command that resumes the run.
    """

    out: Path
    """The run folder; with several seeds, the folder of their run folders."""

    resume: bool = False
    """Go on with the run in `--out` (`--resume FOLDER` does the same); a larger budget may be given."""

    seeds: tuple[int, ...] = ()
    """Several runs, one a seed, in `OUT/seed-N`; the report shows their mean and interval."""

    config: Path | None = None
    """A YAML file with any of the fields below; flags win over it."""

    run: Annotated[RunConfig, tyro.conf.arg(name="")] = field(default_factory=RunConfig)


def parse(argv: Sequence[str]) -> TrainCommand:
    """The command line as a config; raises SystemExit on flags that there are not."""
    args = _resume_as_flag(list(argv))
    base = _base_config(args)
    return tyro.cli(
        TrainCommand,
        args=args,
        prog="robot-agent train",
        default=TrainCommand(out=tyro.MISSING, run=base),
    )


def _resume_as_flag(args: list[str]) -> list[str]:
    """`--resume FOLDER` to `--resume --out FOLDER`."""
    if "--resume" not in args:
        return args
    if "--config" in args:
        raise RunError("--resume uses the run's own configuration and takes no --config: leave it out")
    after = args.index("--resume") + 1
    named = after < len(args) and not args[after].startswith("-")
    out = _value_of(args, "--out")
    if named and out:
        raise RunError(f"--resume {args[after]} and --out {out[0]} name a folder each: leave --out out")
    if named:
        args.insert(after, "--out")
    elif not out:
        raise RunError("--resume needs the folder of a run: robot-agent train --resume FOLDER")
    return args


def _base_config(args: Sequence[str]) -> RunConfig:
    """What the flags change: the resumed run's configuration, or the defaults for the streams, with the YAML file."""
    out = _value_of(args, "--out")
    if "--resume" in args and out:
        return load_config(RunFolder.open(Path(out[0])))
    file = _value_of(args, "--config")
    tree = with_current_names(read_yaml(Path(file[0]))) if file else {}
    streams = _value_of(args, "--streams") or tree.get("streams", ["proprio"])
    return from_tree(default_config(tuple(streams)), tree)


def _value_of(args: Sequence[str], flag: str) -> list[str]:
    for index, arg in enumerate(args):
        if arg.startswith(flag + "="):
            return [arg.split("=", 1)[1]]
        if arg == flag:
            values = []
            for value in args[index + 1 :]:
                if value.startswith("-"):
                    break
                values.append(value)
            return values
    return []


def run(argv: Sequence[str]) -> int:
    """Runs the command; returns the exit status."""
    command = parse(argv)
    if command.seeds and command.resume:
        raise RobotAgentError("--seeds starts several runs and --resume continues one: give one of them")
    if not command.seeds:
        return _train(command.out, command.run, command.resume)
    if len(set(command.seeds)) < len(command.seeds):
        raise RobotAgentError(f"--seeds are {' '.join(map(str, command.seeds))}, expected each once")
    for seed in command.seeds:  # all of them before the first one is lived
        validate(replace(command.run, seed=seed))
    folders = [command.out / f"seed-{seed}" for seed in command.seeds]
    for folder in folders:
        if (folder / "config.yaml").exists():
            raise RunError(f"{folder} already holds a run: choose another --out")
    for folder, seed in zip(folders, command.seeds, strict=True):
        status = _train(folder, replace(command.run, seed=seed), resume=False)
        if status:
            return status
    lived = [folder for folder in folders if RunFolder.open(folder).read_progress()]
    if lived:
        print(f"report: {write_report(lived, command.out / 'report.html')}")
    else:
        print("no report: no episode has ended in any of these runs")
    return 0


def _train(out: Path, config: RunConfig, resume: bool) -> int:
    if config.body and not resume:  # the run is to be found again from anywhere; one that goes on has what it has
        config = replace(config, body=str(Path(config.body).resolve()))
    with LifeProgress(out.name, config.frames, config.minutes) as progress:
        life = Life(out, config, body_factory(config), resume=resume, on_progress=progress.update)
        print(
            f"{config.world} ({' + '.join(config.streams)}) on {life.device}, plans by back end "
            f"{life.agent.planner.backend}, run folder {out}",
            file=sys.stderr,
        )
        summary = life.live()
    mean = summary["return_last_5_mean"]
    print(
        f"{summary['status']}: {summary['frames']} frames in {summary['seconds']:.0f} s "
        f"({summary['decisions_per_second']:.1f} decisions/s), {summary['updates']} updates, "
        f"mean return of the last episodes {'unknown' if mean is None else f'{mean:.1f}'}"
    )
    if summary["status"] == "interrupted":
        print(f"resume with: robot-agent train --resume {out}")
        return 130
    return 0
