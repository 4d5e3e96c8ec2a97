"""A recording as replay: a new segment of transitions, from which an agent learns as from its own."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from robot_agent_bags.bag import Bag
from robot_agent_bags.errors import BagError

from robot_agent.replay.replay import Replay, ReplayWriter
from robot_agent.run.config import RunConfig, default_config, to_tree
from robot_agent.run.folder import RunFolder
from robot_agent.run.load import load_config
from robot_agent.types import Source
from robot_agent_ros.agent.body import RobotBody
from robot_agent_ros.agent.config import AgentConfig
from robot_agent_ros.agent.making_body import body_of_parameters, body_of_world, make_world
from robot_agent_ros.agent.mind import NO_WORLD
from robot_agent_ros.agent.task import task_of
from robot_agent_ros.bags.living import Living, Report, topic_names
from robot_agent_ros.errors import ParameterError
from robot_agent_ros.graph import COMMAND, JOINT_STATES, REWARD

REWARDS = ("recorded", "world", "none")


@dataclass(frozen=True)
class Imported:
    """What came of it.

    Attributes:
        replay: the folder that grew.
        transitions, episodes: that it grew by.
        quarantined: transitions with a number that is not finite.
        report: what became of the commands.
        bag: what was read, and what of it is damaged.
    """

    replay: Path
    transitions: int
    episodes: int
    quarantined: int
    report: Report
    bag: Bag


def import_bag(
    bag: Path,
    run: Path,
    config: AgentConfig,
    reward: str = "recorded",
    source: Source = Source.PLAN,
    namespace: str = "",
) -> Imported:
    """Appends a recording to the replay of a run; a run that is not there yet is made.

    Args:
        bag: an MCAP file or the folder of a recording.
        run: a run folder; if it exists, it says world, streams and camera size.
        config: of the agent's node on the robot.
        reward: `recorded` (unknown where nothing was), `world` for what the world gives, or `none`.
        source: who gave the commands.
        namespace: of the robot in the recording.

    Raises:
        BagError: the recording cannot be read, or lacks what is needed.
        ParameterError: the parameters describe no body.
        RunError: the run's folder cannot be used.
    """
    recording = Bag(bag)
    _check_topics(recording, namespace)
    exists = (run / "config.yaml").is_file()
    kept = load_config(RunFolder.open(run)) if exists else _new_config(config)
    if not config.world and not config.joints and kept.world != NO_WORLD:
        config = replace(config, world=kept.world)
    config = replace(config, reward={"recorded": "topic", "world": "world", "none": ""}[reward])
    body, env = _body(config, kept)
    if reward == "world" and (env is None or not body.spec.goal_dim):
        raise ParameterError(
            f"reward is world, but {config.world or 'a body without a world'} judges only what nobody recorded: take "
            "the recorded rewards, or none"
        )
    task = task_of(config, body, env)
    folder = RunFolder.open(run) if exists else RunFolder.create(run)
    if not exists:
        folder.write_config(to_tree(kept))
    before = Replay(folder.replay)
    living = Living(body, task, config, before.next_episode, source, namespace)
    writer = ReplayWriter(folder.replay, body.spec)
    count = 0
    episodes = set()
    try:
        for transition in living.live(recording.messages(topic_names(namespace))):
            writer.append(transition)
            count += 1
            episodes.add(transition.episode)
    finally:
        writer.close()
        if not exists and not count:
            shutil.rmtree(run, ignore_errors=True)  # a run of nothing is none
    return Imported(folder.replay, count, len(episodes), writer.quarantined, living.report, recording)


def _check_topics(bag: Bag, namespace: str) -> None:
    there, needed = bag.topics, topic_names(namespace)
    for row in (JOINT_STATES, COMMAND):
        whole = next(name for name, short in needed.items() if short == row.name)
        if whole not in there:
            raise BagError(
                f"{bag.path} has nothing on {whole}, only on {', '.join(sorted(there)) or 'no topic'}: "
                "record the whole graph, or give the robot's namespace"
            )


def has_rewards(bag: Path, namespace: str = "") -> bool:
    """Whether rewards were recorded."""
    needed = topic_names(namespace)
    return any(needed.get(topic) == REWARD.name for topic in Bag(bag).topics)


def _new_config(config: AgentConfig) -> RunConfig:
    height, width = config.camera_size
    return replace(
        default_config(config.streams),
        world=config.world or NO_WORLD,
        body=config.calibration,
        camera_size=(height, width),
        frames=10**12,
    )


def _body(config: AgentConfig, kept: RunConfig) -> tuple[RobotBody, Any]:
    if not config.world:
        return body_of_parameters(config), None
    env = make_world(config.world, kept.streams, kept.camera_size, kept.action_repeat, config.calibration or kept.body)
    body = body_of_world(config.world, env)
    if config.control_rate:
        body = replace(body, spec=replace(body.spec, control_dt=1 / config.control_rate))
    return body, env
