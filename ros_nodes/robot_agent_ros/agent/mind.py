"""The agent's mind for a robot: loaded or new, alone or with a run that it keeps learning in."""

from __future__ import annotations

import itertools
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from robot_agent.errors import RunError
from robot_agent.learning.service import LearnerJob
from robot_agent.loop import Loop
from robot_agent.run.config import RunConfig, default_config, from_tree
from robot_agent.run.folder import RunFolder, read_yaml
from robot_agent.run.learning_run import LearningRun
from robot_agent.run.load import load_agent, load_config
from robot_agent_ros.agent.body import RobotBody
from robot_agent_ros.agent.config import AgentConfig
from robot_agent_ros.agent.learning import SupervisedLearner
from robot_agent_ros.agent.making_body import body_of_parameters, body_of_world, make_world
from robot_agent_ros.agent.task import Task, hindsight_of, task_of
from robot_agent_ros.errors import ParameterError

NO_WORLD = "robot"
"""What stands for the world in the configuration of a robot that no world is of."""


@dataclass(frozen=True)
class Mind:
    """What acts.

    Attributes:
        body, task, loop: see there.
        run: what it learns in, None if it does not.
        learner: of the run.
        world: that the body is of; empty if none.
    """

    body: RobotBody
    task: Task
    loop: Loop
    run: LearningRun | None
    learner: SupervisedLearner | None
    world: str


def make_mind(config: AgentConfig) -> Mind:
    """Loads or makes the mind that the parameters ask for, and warms its planner up.

    Raises:
        ParameterError: the parameters contradict each other or the checkpoint.
        RobotAgentError: the checkpoint is missing, damaged, in use, or of another body.
    """
    path = Path(config.checkpoint).expanduser() if config.checkpoint else None
    kept = load_config(RunFolder.open(path)) if path else _new_run(config)
    world = config.world or (kept.world if path and kept.world != NO_WORLD else "")
    env = (
        make_world(world, kept.streams, kept.camera_size, kept.action_repeat, config.calibration or kept.body)
        if world
        else None
    )
    body = body_of_world(world, env) if env is not None else body_of_parameters(config)
    if env is not None and config.control_rate and abs(config.control_rate * body.spec.control_dt - 1) > 0.01:
        raise ParameterError(
            f"control_rate is {config.control_rate:g} Hz, expected {1 / body.spec.control_dt:g} Hz as in {world}: "
            "leave it at 0"
        )
    task = task_of(config, body, env)
    if not config.learn:
        if path is None:
            raise ParameterError(
                "checkpoint is empty and learn is false, so there is nothing to act with: give one of them"
            )
        agent, _, _ = load_agent(path, body.spec)
        loop = Loop(agent, None, config.explore)
        loop.agent.warm_up()
        return Mind(body, task, loop, None, None, world)
    return _learning(config, kept, path, body, task, world)


def _learning(config: AgentConfig, kept: RunConfig, path: Path | None, body: RobotBody, task: Task, world: str) -> Mind:
    started: list[SupervisedLearner] = []

    def start(job: LearnerJob) -> SupervisedLearner:
        started.append(SupervisedLearner(job, config.learner_idle, config.learner_core))
        return started[0]

    folder = path or _new_folder(config)
    try:
        run = LearningRun(
            folder,
            replace(kept, checkpoint_minutes=config.checkpoint_minutes),
            body.spec,
            hindsight_of(config, world, kept.streams, kept.camera_size, config.calibration or kept.body),
            resume=path is not None,
            keep_config=path is None,
            start_learner=start,
        )
        try:
            loop = Loop(run.agent, run.learner.weights, config.explore)
            loop.swap_weights()  # the learner has published what its checkpoint held
            loop.agent.warm_up()
        except BaseException:
            run.close()
            raise
    except BaseException:
        if path is None:
            _discard(folder)
        raise
    return Mind(body, task, loop, run, started[0], world)


def _new_run(config: AgentConfig) -> RunConfig:
    height, width = config.camera_size
    base = replace(default_config(config.streams), seed=config.seed, camera_size=(height, width))
    base = replace(base, world=config.world or NO_WORLD, body=config.calibration)
    return from_tree(base, read_yaml(Path(config.settings).expanduser())) if config.settings else base


def _new_folder(config: AgentConfig) -> Path:
    """An empty folder that this call made, or found empty.

    Raises:
        ParameterError: the one that is named holds something, or none can be made.
    """
    try:
        if not config.run_folder:
            return _folder_of_now(Path.home() / "robot_agent_runs")
        folder = Path(config.run_folder).expanduser()
        folder.mkdir(parents=True, exist_ok=True)
        is_empty = not any(folder.iterdir())
    except OSError as error:
        raise ParameterError(
            f"cannot make the run folder {error.filename} ({error.strerror}): set run_folder"
        ) from error
    if not is_empty:
        raise ParameterError(
            f"run_folder {folder} holds something already: set checkpoint to it if it is a run to go on with, or set "
            "run_folder to a folder that does not exist yet"
        )
    return folder


def _discard(folder: Path) -> None:
    """A start that failed is no run; what another process began there in the meantime stays."""
    with suppress(RunError), RunFolder(folder).lock():
        shutil.rmtree(folder, ignore_errors=True)


def _folder_of_now(parent: Path) -> Path:
    """Named after the time, and made in one step: of robots that start in the same second each gets its own."""
    parent.mkdir(parents=True, exist_ok=True)
    name = time.strftime("%Y-%m-%d-%H%M%S")
    for number in itertools.count(1):
        folder = parent / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise AssertionError
