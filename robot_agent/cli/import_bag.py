"""`robot-agent import-bag`: turns a recording of a robot into replay that an agent learns from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import tyro

from robot_agent.errors import RunError
from robot_agent.run.bounds import CAMERA, check_numbers


@dataclass(frozen=True)
class ImportBagCommand:
    """Turns a recording of the whole graph into replay that an agent learns from. Needs no ROS.

    Every command of the recording becomes a decision about the newest picture and joints that were there, with the
    bounds on ages that the agent's node has.
    """

    bag: tyro.conf.Positional[Path]
    """An MCAP or sqlite3 file, or the folder that the recorder or `ros2 bag record` made."""

    out: Path
    """The run whose replay grows; it is made if it is not there, to be gone on with by `train --resume`."""

    world: str = ""
    """The world that the robot is the body of, such as so101/reach; by default the run's."""

    parameters: Path | None = None
    """The robot's parameter file, where no world says what it is: its section `agent` is read."""

    streams: tuple[Literal["proprio", "camera"], ...] = ("proprio", "camera")
    """What a new run perceives."""

    camera_size: tuple[int, int] = (64, 64)
    """Height and width of a new run's camera in pixels."""

    reward: Literal["recorded", "world", "none"] = "recorded"
    """What was recorded on agent/reward (unknown where nothing was), what the world gives, or unknown throughout."""

    source: Literal["plan", "policy", "random", "human", "demo"] = "plan"
    """Who gave the commands."""

    namespace: str = ""
    """Of the robot in the recording."""

    topic: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """What has another name than in our graph: joints, camera, camera_info, command, goal, reward, gate, accepted or
    clock, such as --topic camera=/camera/color/image_raw; a name without a topic leaves it out. It may be
    given several times."""


def parse(argv: Sequence[str]) -> ImportBagCommand:
    """The command line as a config; raises SystemExit on flags that there are not."""
    return tyro.cli(ImportBagCommand, args=list(argv), prog="robot-agent import-bag")


def run(argv: Sequence[str]) -> int:
    """Runs the command; returns the exit status."""
    command = parse(argv)
    check_numbers(command, {"camera_size": CAMERA}, "--")
    try:
        from robot_agent_bags.errors import BagError
        from robot_agent_bodies.parameters import config_from
        from robot_agent_ros.agent.config import AgentConfig
        from robot_agent_ros.bags.importing import import_bag
        from robot_agent_ros.errors import NodeError
    except ImportError as error:
        raise RunError(f"recordings cannot be read here ({error}): run pip install 'robot_agent[ros]'") from error

    from robot_agent.types import Source

    try:
        given = _agent_section(command.parameters) if command.parameters else {}
        config = config_from(AgentConfig, {"streams": command.streams, "camera_size": command.camera_size, **given})
        config = replace(config, world=command.world or config.world)
        done = import_bag(
            command.bag,
            command.out,
            config,
            command.reward,
            Source[command.source.upper()],
            command.namespace,
            command.topic,
        )
    except (NodeError, BagError) as error:
        raise RunError(str(error)) from error
    report = done.report
    if not done.transitions:
        causes = [f"{name} {count} times" for name, count in report.refused.most_common()]
        if report.pauses:
            causes.append(f"{report.pauses} came later than 1.8 periods after the one before")
        why = ", ".join(causes) or "nobody saw what came of them"
        raise RunError(
            f"nothing of {command.bag} could be imported from {report.commands} commands ({why}"
            f"{': ' + report.sentence if report.sentence else ''}): give the world or the parameters of this robot"
        )
    print(f"{done.replay}: {done.transitions} transitions in {done.episodes} episodes from {report.commands} commands")
    print(f"  reward known: {report.rewards}; quarantined: {done.quarantined}; actions clipped: {report.clipped}")
    if report.between:
        print(f"  commands between two decisions, every {1e3 * (done.survey.spacing or 0):.0f} ms: {report.between}")
    if report.pauses:
        print(f"  pauses of more than 1.8 periods: {report.pauses}")
    for name, count in report.refused.most_common():
        print(f"  not used, {name}: {count}")
    if done.survey.late:
        print(f"  stamps are of a clock that is {done.survey.late:.3f} s behind the recording's")
    for damage in done.bag.damages:
        print(f"  damaged: {damage}")
    for topic, count in done.bag.unreadable.items():
        print(f"  unreadable messages on {topic}: {count}")
    return 0


def _agent_section(path: Path) -> dict[str, object]:
    """The parameters of the node `agent` in a ROS parameter file."""
    from robot_agent.run.folder import read_yaml

    for name, section in read_yaml(path).items():
        if str(name).strip("/").rpartition("/")[2] == "agent" and isinstance(section, dict):
            return dict(section.get("ros__parameters", {}))
    raise RunError(f"{path} has no section `agent` with ros__parameters: give the parameter file of the robot")
