"""An agent as a run left it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from robot_agent.agent import Agent
from robot_agent.errors import CheckpointError
from robot_agent.learning.checkpoint import Checkpoint, CheckpointStore, unflatten
from robot_agent.run.config import RunConfig, default_config, from_tree, with_current_names
from robot_agent.run.folder import RunFolder
from robot_agent.types import BodySpec


def load_config(folder: RunFolder) -> RunConfig:
    """The configuration of a run.

    Raises:
        RunError: `config.yaml` names a field or a value that this version does not know.
    """
    tree = with_current_names(folder.read_config())
    return from_tree(default_config(tuple(tree.get("streams", ("proprio",)))), tree)


def load_agent(
    path: Path, spec: BodySpec, device: str = "cpu", step: int | None = None
) -> tuple[Agent, RunConfig, Checkpoint]:
    """The agent of a run's newest usable checkpoint, or of the one at a decision, for a body.

    Raises:
        RunError: `path` is no run folder.
        CheckpointError: no usable checkpoint, or one of another body's shape.
    """
    folder = RunFolder.open(path)
    config = load_config(folder)
    store = CheckpointStore(folder.checkpoints)
    checkpoint = store.load_latest() if step is None else store.load(step)
    check_body(checkpoint, spec)
    agent = Agent(spec, config.agent, config.seed, device)
    learner = unflatten(checkpoint.tensors, checkpoint.state["learner"])
    agent.load_weights(learner["mind"], version=int(learner["updates"]))
    return agent, config, checkpoint


def check_body(checkpoint: Checkpoint, spec: BodySpec) -> None:
    """Refuses a checkpoint of a body of another shape.

    Raises:
        CheckpointError: says which shape differs.
    """
    trained = checkpoint.state["body"]
    for name, value in asdict(spec).items():
        if name not in ("control_dt", "frames_per_step") and _plain(trained[name]) != _plain(value):
            raise CheckpointError(
                f"the checkpoint {checkpoint.path} is of a body with {name} {trained[name]}, this one has {value}: "
                "use the world and streams that the run was started with"
            )


def _plain(value: object) -> object:
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
