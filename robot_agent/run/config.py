"""What a run is made of. A command line and a YAML file can set every field."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, Literal, get_type_hints

from robot_agent.agent import AgentConfig
from robot_agent.errors import RunError
from robot_agent.learning.learner import LearnerConfig
from robot_agent.learning.online import OnlineConfig
from robot_agent.memory.replay import ReplayConfig


@dataclass(frozen=True)
class RunConfig:
    """A run: one agent, one world, from nothing.

    Attributes:
        world: a name that `robot-agent worlds` lists, such as dmc/cartpole-swingup.
        streams: what the agent perceives: proprio, camera, or both.
        frames: budget in simulator control frames, action repeat included.
        minutes: second budget in minutes of wall-clock; the first that is reached ends the run.
        seed: of everything that is drawn.
        device: where the mind lives: auto takes CUDA when it is there.
        deterministic: learn between decisions in the same thread, so that the same run gives the same weights.
        action_repeat: frames that one decision lasts; the world's own default if not given.
        camera_size: height and width of the camera in pixels.
        checkpoint_minutes: between two checkpoints; one more is written at the end.
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
    checkpoint_minutes: float = 5.0
    agent: AgentConfig = field(default_factory=AgentConfig)
    online: OnlineConfig = field(default_factory=OnlineConfig)
    replay: ReplayConfig = field(default_factory=ReplayConfig)


def default_config(streams: tuple[str, ...]) -> RunConfig:
    """The defaults for a set of streams: frames cost more to learn from than numbers, so a batch holds fewer."""
    if "camera" not in streams:
        return RunConfig(streams=("proprio",))
    return RunConfig(
        streams=tuple(stream for stream in ("proprio", "camera") if stream in streams),
        online=OnlineConfig(learner=LearnerConfig(batch_size=64)),
    )


def to_tree(config: Any) -> Any:
    """A config as plain mappings and lists, for YAML."""
    if is_dataclass(config):
        return {part.name: to_tree(getattr(config, part.name)) for part in fields(config)}
    if isinstance(config, tuple):
        return [to_tree(item) for item in config]
    return config


def from_tree(config: Any, tree: Any, where: str = "") -> Any:
    """`config` with the fields that `tree` names replaced.

    Raises:
        RunError: `tree` names a field that there is not, or gives one a value of another kind.
    """
    if not isinstance(tree, dict):
        raise RunError(f"{where or 'the configuration'} is {tree!r}, expected a mapping of fields to values")
    names = [part.name for part in fields(config)]
    changes: dict[str, Any] = {}
    for name, value in tree.items():
        path = f"{where}{name}"
        if name not in names:
            raise RunError(f"unknown field {path!r} in the configuration, expected one of {', '.join(names)}")
        current = getattr(config, name)
        if is_dataclass(current):
            changes[name] = from_tree(current, value, f"{path}.")
        else:
            changes[name] = _converted(value, current, get_type_hints(type(config))[name], path)
    return replace(config, **changes)


def _converted(value: Any, current: Any, hint: Any, path: str) -> Any:
    if isinstance(value, list):
        value = tuple(tuple(item) if isinstance(item, list) else item for item in value)
    optional = type(None) in getattr(hint, "__args__", ())
    if value is None and optional:
        return value
    expected = type(current) if current is not None else (int, float)
    if expected is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if isinstance(value, bool) != (expected is bool) or not isinstance(value, expected):
        kind = expected.__name__ if isinstance(expected, type) else "number"
        raise RunError(f"{path} in the configuration is {value!r}, expected a value like {current!r} ({kind})")
    return value
