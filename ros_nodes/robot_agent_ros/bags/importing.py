"""A recording as replay: a new segment of transitions, from which an agent learns as from its own."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from robot_agent_bags.bag import Bag

from robot_agent.replay.replay import Replay, ReplayWriter
from robot_agent.run.config import RunConfig, default_config, to_tree
from robot_agent.run.folder import RunFolder
from robot_agent.run.load import load_config
from robot_agent.types import Source
from robot_agent_ros.agent.body import RobotBody
from robot_agent_ros.agent.config import AgentConfig
from robot_agent_ros.agent.making_body import body_of_parameters, body_of_world, make_world
from robot_agent_ros.agent.mind import NO_WORLD
from robot_agent_ros.agent.task import Task, task_of
from robot_agent_ros.bags.living import Living, Report
from robot_agent_ros.bags.roles import CAMERA, COMMANDS, GOALS, JOINTS, Role, read_mapping, roles_of
from robot_agent_ros.bags.survey import Survey, survey
from robot_agent_ros.errors import ParameterError

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
        survey: what was seen before.
    """

    replay: Path
    transitions: int
    episodes: int
    quarantined: int
    report: Report
    bag: Bag
    survey: Survey


def import_bag(
    bag: Path,
    run: Path,
    config: AgentConfig,
    reward: str = "recorded",
    source: Source = Source.PLAN,
    namespace: str = "",
    topics: Sequence[str] = (),
) -> Imported:
    """Appends a recording to the replay of a run; a run that is not there yet is made.

    Args:
        bag: an MCAP file or the folder of a recording.
        run: a run folder; if it exists, it says world, streams and camera size.
        config: of the agent's node on the robot.
        reward: `recorded` (unknown where nothing was), `world` for what the world gives, or `none`.
        source: who gave the commands.
        namespace: of the robot in the recording.
        topics: what is elsewhere than in our graph, such as `camera=/camera/color/image_raw`.

    Raises:
        BagError: the recording cannot be read, lacks what is needed, or is not of this robot.
        ParameterError: the parameters describe no body.
        RunError: the run's folder cannot be used.
    """
    recording = Bag(bag)
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
    roles = _roles(recording, namespace, topics, body, task)
    seen = survey(recording, roles, body, config)
    folder = RunFolder.open(run) if exists else RunFolder.create(run)
    if not exists:
        folder.write_config(to_tree(kept))
    before = Replay(folder.replay)
    living = Living(body, task, config, roles, seen, before.next_episode, source)
    writer = ReplayWriter(folder.replay, body.spec)
    count = 0
    episodes = set()
    try:
        for transition in living.live(recording.messages(roles)):
            writer.append(transition)
            count += 1
            episodes.add(transition.episode)
    finally:
        writer.close()
        if not exists and not count:
            shutil.rmtree(run, ignore_errors=True)  # a run of nothing is none
    return Imported(folder.replay, count, len(episodes), writer.quarantined, living.report, recording, seen)


def _roles(bag: Bag, namespace: str, topics: Sequence[str], body: RobotBody, task: Task) -> dict[str, Role]:
    needed = [JOINTS, COMMANDS]
    if body.spec.cameras:
        needed.append(CAMERA)
    if task.goal is None:
        needed.append(GOALS)
    roles = roles_of(bag, namespace, read_mapping(topics), needed)
    bag.check(roles)
    return roles


def _new_config(config: AgentConfig) -> RunConfig:
    height, width = config.camera_size
    return replace(
        default_config(config.streams),
        world=config.world or NO_WORLD,
        body=config.calibration,
        camera_size=(height, width),
    )


def _body(config: AgentConfig, kept: RunConfig) -> tuple[RobotBody, Any]:
    if not config.world:
        return body_of_parameters(config), None
    env = make_world(config.world, kept.streams, kept.camera_size, kept.action_repeat, config.calibration or kept.body)
    body = body_of_world(config.world, env)
    if config.control_rate:
        body = replace(body, spec=replace(body.spec, control_dt=1 / config.control_rate))
    return body, env
