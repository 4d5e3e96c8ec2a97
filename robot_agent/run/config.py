"""What a run is made of. A command line and a YAML file can set every field."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, Literal, get_args, get_origin, get_type_hints

from robot_agent.agent import AgentConfig
from robot_agent.encoder.encoder import EncoderConfig
from robot_agent.errors import RunError
from robot_agent.learning.learner import LearnerConfig
from robot_agent.learning.online import OnlineConfig
from robot_agent.learning.terms import TERMS
from robot_agent.learning.terms.term import TermConfig
from robot_agent.replay.replay import ReplayConfig
from robot_agent.run.bounds import (
    CAMERA,
    LARGEST_WIDTH,
    POSITIVE,
    POSITIVE_COUNT,
    SEED,
    Bounds,
    check_numbers,
)


@dataclass(frozen=True)
class RunConfig:
    """A run: one agent, one world, from nothing.

    Attributes:
        world: a name that `robot-agent worlds` lists, such as dmc/cartpole-swingup.
        streams: what the agent perceives: proprio, camera, or both.
        frames: budget in simulator control frames, action repeat included.
        minutes: second budget in minutes of wall-clock; the first that is reached ends the run.
        seed: a run's initial weights, episodes and all noise follow from it.
        device: where the networks compute: auto takes CUDA when it is there.
        deterministic: learn between decisions in the same thread, so that the same run gives the same weights.
        action_repeat: frames that one decision lasts; the world's own default if not given.
        camera_size: height and width of the camera in pixels.
        body: a calibration.yaml: the arm is as it was measured there.
        randomise_body: draw the arm anew for each episode, within what the calibration leaves open.
        opponent: in worlds with one, who it is: scripted, random, still, or the folder of a run, whose agent acts.
        checkpoint_minutes: between two checkpoints; one more is written at the end, and the last three are kept.
        keep_checkpoints_every: frames between two checkpoints that are kept for good, such as 10,000.
        agent: sizes of the modules and the search at each decision.
        online: when and how to learn.
        replay: how experience is kept on disk.
    """

    world: str = "dmc/cartpole-swingup"
    streams: tuple[Literal["proprio", "camera"], ...] = ("proprio",)
    frames: int = 100_000
    minutes: float | None = None
    seed: int = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    deterministic: bool = False
    action_repeat: int | None = None
    camera_size: tuple[int, int] = (64, 64)
    body: str | None = None
    randomise_body: bool = False
    opponent: str = "scripted"
    checkpoint_minutes: float = 5.0
    keep_checkpoints_every: int | None = None
    agent: AgentConfig = field(default_factory=AgentConfig)
    online: OnlineConfig = field(default_factory=OnlineConfig)
    replay: ReplayConfig = field(default_factory=ReplayConfig)


def default_config(streams: tuple[str, ...]) -> RunConfig:
    """The defaults for a set of streams.

    Frames cost more to learn from than numbers, so a batch holds fewer. Two streams say more than one, so their latent
    is wider: in the same width the picture is kept at the expense of where exactly the body is.
    """
    if "camera" not in streams:
        return RunConfig(streams=("proprio",))
    config = RunConfig(streams=("camera",), online=OnlineConfig(learner=LearnerConfig(batch_size=64)))
    if "proprio" not in streams:
        return config
    encoder = EncoderConfig(latent_dim=128, hidden=(256,))
    agent = replace(config.agent, mind=replace(config.agent.mind, encoder=encoder))
    return replace(config, streams=("proprio", "camera"), agent=agent)


def to_tree(config: Any) -> Any:
    """A config as plain mappings and lists, for YAML."""
    if is_dataclass(config):
        return {part.name: to_tree(getattr(config, part.name)) for part in fields(config)}
    if isinstance(config, dict):
        return {name: to_tree(value) for name, value in config.items()}
    if isinstance(config, tuple):
        return [to_tree(item) for item in config]
    return config


def from_tree(config: Any, tree: Any, where: str = "") -> Any:
    """`config` with the fields that `tree` names replaced.

    Raises:
        RunError: `tree` names a field that there is not, or gives one a value of another kind.
    """
    if not isinstance(tree, dict):
        raise RunError(
            f"{where.removesuffix('.') or 'the configuration'} is {tree!r}, expected a mapping of fields to values"
        )
    own = config if isinstance(config, dict) else {part.name: getattr(config, part.name) for part in fields(config)}
    hints = {} if isinstance(config, dict) else get_type_hints(type(config))
    changes: dict[str, Any] = {}
    for name, value in tree.items():
        path = f"{where}{name}"
        if name not in own:
            raise RunError(f"unknown field {path!r} in the configuration, expected one of {', '.join(own)}")
        current = own[name]
        if is_dataclass(current) or isinstance(current, dict):
            changes[name] = from_tree(current, value, f"{path}.")
        else:
            changes[name] = _converted(value, current, hints.get(name, type(current)), path)
    return {**config, **changes} if isinstance(config, dict) else replace(config, **changes)


def with_current_names(tree: dict[str, Any]) -> dict[str, Any]:
    """The tree of a configuration that an older version wrote, with the names that fields have now."""
    online = tree.get("online")
    learner = online.get("learner") if isinstance(online, dict) else None
    losses = learner.get("losses") if isinstance(learner, dict) else None
    if not isinstance(online, dict) or not isinstance(learner, dict) or not isinstance(losses, dict):
        return tree
    shared = {part.name for part in fields(TermConfig)}
    moved: dict[str, Any] = {}
    for name, value in losses.items():
        room = "weights" if name in TERMS else "terms" if name in shared else None
        if room is None:
            moved[name] = value
        else:
            moved.setdefault(room, {})[name] = value
    return {**tree, "online": {**online, "learner": {**learner, "losses": moved}}}


_WIDTHS = Bounds(1, LARGEST_WIDTH)
_FEW = Bounds(1, 100)
_BOUNDS = {
    "frames": Bounds(1, sys.maxsize),
    "minutes": POSITIVE,
    "seed": SEED,
    "action_repeat": Bounds(1, 1_000),
    "camera_size": CAMERA,
    "checkpoint_minutes": POSITIVE,
    "keep_checkpoints_every": POSITIVE_COUNT,
    "agent.mind.encoder": _WIDTHS,
    "agent.mind.encoder.frame_stack": _FEW,
    "agent.mind.encoder.shift_pixels": Bounds(0, 100),
    "agent.mind.world_model": _WIDTHS,
    "agent.mind.world_model.ensemble": _FEW,
    "agent.mind.world_model.context_dim": Bounds(0, LARGEST_WIDTH),
    "agent.mind.heads": _WIDTHS,
    "agent.mind.heads.value_ensemble": _FEW,
    "agent.mind.heads.bins": Bounds(2, LARGEST_WIDTH),
    "agent.mind.heads.bins_range": POSITIVE,
    "agent.mind.heads.log_std_bounds": Bounds(-100, 100),
    "agent.mind.discount": Bounds(0, 1),
    "agent.planner.search.horizon": _FEW,
    "agent.planner.search.samples": Bounds(0, 1_000_000),
    "agent.planner.search.policy_samples": Bounds(0, 1_000_000),
    "agent.planner.search.iterations": Bounds(1, 1_000),
    "agent.planner.search.elites": Bounds(1, 1_000_000),
    "agent.planner.search.min_std": Bounds(0),
    "agent.planner.search.max_std": POSITIVE,
    "agent.planner.search.temperature": POSITIVE,
    "agent.planner.search.value_members": _FEW,
    "agent.planner.deadline_ms": POSITIVE,
    "online.updates_per_decision": Bounds(0, 1_000),
    "online.publish_every": POSITIVE_COUNT,
    "online.learner.horizon": _FEW,
    "online.learner.batch_size": Bounds(1, 65_536),
    "online.learner.learning_rate": Bounds(0),
    "online.learner.encoder_learning_rate": Bounds(0),
    "online.learner.gradient_norm": POSITIVE,
    "online.learner.target_rate": Bounds(0, 1),
    "online.learner.target_members": _FEW,
    "online.sampler.episodes_per_batch": POSITIVE_COUNT,
    "online.sampler.capacity": POSITIVE_COUNT,
    "online.hindsight.share": Bounds(0, 1),
    "replay.segment_megabytes": Bounds(1, 1_000_000),
}


def validate(config: RunConfig) -> None:
    """Refuses values with which a run would fail later, before anything is written.

    Raises:
        RunError: says which value is out of bounds.
    """
    check_numbers(config, _BOUNDS)
    if (config.action_repeat or 1) > config.frames:
        raise RunError(
            f"one decision lasts {config.action_repeat} frames (action_repeat) and the whole run {config.frames} "
            "(frames): give more frames, or repeat less"
        )
    if not config.streams or len(set(config.streams)) < len(config.streams):
        raise RunError(
            f"streams are {' '.join(config.streams) or 'none'}, expected proprio, camera, or each of them once"
        )
    search = config.agent.planner.search
    if search.samples + search.policy_samples == 0:
        raise RunError("agent.planner.search has neither samples nor policy_samples: give at least one of them")


def resumed(kept: RunConfig, asked: RunConfig) -> RunConfig:
    """The configuration of a resumed run: its own, with the budget, device and opponent that are asked for.

    Raises:
        RunError: something else is asked to differ.
    """
    free = ("frames", "minutes", "device", "opponent")
    config = replace(kept, **{name: getattr(asked, name) for name in free})
    difference = _first_difference(to_tree(config), to_tree(asked))
    if difference is not None:
        name, own, other = difference
        raise RunError(
            f"a run is resumed with its own configuration: {name} is {own} and {other} was asked for; "
            f"only {', '.join(free[:-1])} and {free[-1]} may change"
        )
    return config


def _first_difference(own: Any, other: Any, where: str = "") -> tuple[str, Any, Any] | None:
    if isinstance(own, dict) and isinstance(other, dict):
        found = (_first_difference(own[name], other[name], f"{where}.{name}") for name in own)
        return next((difference for difference in found if difference is not None), None)
    return None if own == other else (where.removeprefix("."), own, other)


def _converted(value: Any, current: Any, hint: Any, path: str) -> Any:
    if isinstance(value, list):
        value = tuple(tuple(item) if isinstance(item, list) else item for item in value)
    optional = type(None) in getattr(hint, "__args__", ())
    if value is None and optional:
        return value
    choices = _choices(hint)
    if choices:
        wrong = [item for item in (value if isinstance(value, tuple) else (value,)) if item not in choices]
        if wrong:
            raise RunError(
                f"{path} in the configuration is {wrong[0]!r}, expected one of {', '.join(map(str, choices))}"
            )
    expected = type(current) if current is not None else str if str in get_args(hint) else (int, float)
    if expected is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if isinstance(value, bool) != (expected is bool) or not isinstance(value, expected):
        kind = expected.__name__ if isinstance(expected, type) else "number"
        raise RunError(f"{path} in the configuration is {value!r}, expected a value like {current!r} ({kind})")
    return value


def _choices(hint: Any) -> tuple[Any, ...]:
    """The values of a `Literal`, of the elements of a tuple of it, or of one that may be None."""
    if get_origin(hint) is Literal:
        return get_args(hint)
    return next((found for part in get_args(hint) if (found := _choices(part))), ())
