"""Every world that can be named, and how a name becomes a gymnasium environment."""

from __future__ import annotations

import difflib
import importlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gymnasium

from robot_agent_sim.calibration import CalibrationFileError
from robot_agent_sim.calibration.body import read_body
from robot_agent_sim.cameras.platform import requested_backend
from robot_agent_sim.dm_control_tasks import DOMAINS
from robot_agent_sim.life.lives import LIVES
from robot_agent_sim.wrappers.action_repeat import ActionRepeat
from robot_agent_sim.wrappers.changed_command import ChangedCommand

if TYPE_CHECKING:
    from robot_agent_sim.arena.solo import Behaviour

STREAMS = ("camera", "proprio")
_DISCRETE_ENTRY_POINTS = (
    "gymnasium.envs.toy_text",
    "gymnasium.envs.tabular",
    "gymnasium.envs.phys2d",
    "gymnasium.envs.classic_control.cartpole",
    "gymnasium.envs.classic_control.acrobot",
    "gymnasium.envs.classic_control.mountain_car:",
    "gymnasium.envs.box2d.lunar_lander",
    "_raise_shimmy_error",
)


OWN_WORLDS = {
    "servo-arm/reach": (
        "robot_agent_sim.servo_arm.reach:ServoArmReachEnv",
        "three servos whose tip shall reach a ball",
    ),
    "so101/reach": ("robot_agent_sim.so101.tasks:ReachEnv", "an SO-101 arm whose tip shall reach a marker"),
    "so101/reach-by-sight": (
        "robot_agent_sim.so101.tasks:ReachBySightEnv",
        "the same, the marker known by camera only",
    ),
    "so101/push-cube": ("robot_agent_sim.so101.tasks:PushCubeEnv", "an SO-101 arm that shall push a cube to a place"),
    "so101/lift-cube": ("robot_agent_sim.so101.tasks:LiftCubeEnv", "an SO-101 arm that shall lift a cube"),
    "rover/goal": ("robot_agent_sim.rover.tasks:RoverGoalEnv", "a rover that shall drive to a marker it sees"),
    "rover/traffic": ("robot_agent_sim.rover.tasks:RoverTrafficEnv", "the same rover among three others"),
}
"""Worlds that are made here: by name, the class and one line. `gymnasium.make("<name>-v0")` builds them too."""

SHARED_WORLDS = {
    "arena/pursuit": ("robot_agent_sim.arena.games:PursuitEnv", "a rover that hunts another one"),
    "arena/push": ("robot_agent_sim.arena.games:PushEnv", "two rovers that push one box, each its own way"),
}
"""Worlds of two agents: by name, the class and one line."""

SIDES = {
    "arena/pursuit": ("arena/pursuit", "chaser", "a rover that hunts another one"),
    "arena/pursuit/runner": ("arena/pursuit", "runner", "a rover that another one hunts"),
    "arena/push": ("arena/push", "east", "a rover that pushes a box west, against another one"),
    "arena/push/west": ("arena/push", "west", "a rover that pushes a box east, against another one"),
}
"""Shared worlds as one of their agents lives in them: by name, the shared world, the agent, and one line."""

SEEN_ONLY = frozenset({"so101/reach-by-sight", "rover/goal", "rover/traffic", *SIDES})
"""Worlds of which only a camera tells what shall be done."""


class UnknownWorldError(ValueError):
    """No world has this name; the message offers the nearest ones."""


@dataclass(frozen=True)
class World:
    """A world that `make` can build: its name, one line about it, and the streams it offers."""

    name: str
    description: str
    streams: tuple[str, ...]


def list_worlds() -> list[World]:
    """The worlds made here, dm_control's suite, then the gymnasium environments that are registered (newest versions).

    No environment is built for the list, so a registered one may still turn out to have no `Box` action or to miss
    a package of its own: `make` says so.
    """
    worlds = [World(name, description, STREAMS) for name, (_, description) in OWN_WORLDS.items()]
    worlds += [World(name, description, STREAMS) for name, (_, _, description) in SIDES.items()]
    worlds += [World(f"life/{name}", description, STREAMS) for name, (description, _) in LIVES.items()]
    worlds += [
        World(f"dmc/{domain.name}-{task}", f"{task} with {domain.body}", STREAMS)
        for domain in DOMAINS
        for task in domain.tasks
    ]
    worlds += [World(f"gym/{name}", "a registered gymnasium environment", STREAMS) for name in _gymnasium_ids()]
    return worlds


def make(
    world: str,
    *,
    streams: Sequence[str] | None = None,
    camera_size: tuple[int, int] = (64, 64),
    action_repeat: int | None = None,
    seed: int | None = None,
    camera_backend: str | None = None,
    body: Path | str | None = None,
    randomise: bool = False,
    opponent: str | Behaviour = "scripted",
) -> gymnasium.Env[Any, Any]:
    """Builds a world.

    Observations are a flat `Dict` of `camera/<name>` uint8 (height, width, 3) and `proprio` float32 (n,), as
    `streams` asks; goal worlds add `achieved_goal` and `desired_goal`. Actions are `Box(-1, 1)` float32 (n,).
    `metadata` has `control_dt` (seconds between two decisions), `frames_per_step` and `action_meaning`. `info` has
    `frames` (simulator control frames of the step), `clipped_actions` (since the episode began) and, where the
    simulator's state is known, `state` float64. `reset(seed=)` makes an episode that does not depend on earlier ones.

    Args:
        world: a name of `OWN_WORLDS`; one of `SIDES`, to be an agent of a shared world; `life/<name>` for a stream of
            worlds and changes; `dmc/<domain>-<task>` for dm_control's suite; `gym/<Id>` for an installed gymnasium
            environment.
        streams: of `camera` and `proprio`, at least one; default `proprio`, with `camera` where only the camera shows
            what shall be done: there it cannot be left out.
        camera_size: (height, width) in pixels of every camera.
        action_repeat: frames that one decision lasts, rewards summed; default 2 for `dmc/`,
            `so101/` and lives with it, whose frames are 0.02 s and shorter, else 1.
        seed: of the sequence of episodes that resets without a seed give.
        camera_backend: `auto` (GL, and ray casting where there is no GL), `gl` or `raycast`, for MuJoCo worlds
            that are rendered here; default from the environment variable `ROBOT_AGENT_CAMERA`, else `auto`.
        body: a `calibration.yaml`: an arm of `so101/` is as it was measured there.
        randomise: and anew at each reset within what the calibration leaves open.
        opponent: in worlds of `SIDES`, how the other agent behaves at first: `scripted`, `random`, `still`, or a
            function of its own (see `arena.solo.Behaviour`).

    Raises:
        UnknownWorldError: no such world.
        CalibrationFileError: the calibration cannot be read, or is not of this body.
        ValueError: the world cannot offer a stream, its action space is not a finite `Box`, or a bad argument.
    """
    if streams is None:
        streams = STREAMS if _is_seen_only(world) else ("proprio",)
    _check_arguments(streams, camera_size, action_repeat)
    if "camera" not in streams and _is_seen_only(world):
        raise ValueError(f"only the camera shows what shall be done in {world}: ask for the streams camera and proprio")
    if opponent != "scripted" and not _has_opponent(world):
        raise ValueError(f"there is no opponent in {world}: leave it out, or choose one of {', '.join(SIDES)}")
    backend = requested_backend(camera_backend)
    suite, _, name = world.partition("/")
    if randomise and body is None:
        raise ValueError("randomise draws from what a calibration leaves open: give the body too")
    if body is not None and not (world in OWN_WORLDS and suite == "so101"):
        raise ValueError(f"{world} cannot have a calibrated body: leave it out, or choose a world of so101/")
    if body is not None:
        env = _make_calibrated(body, randomise, seed or 0, world, streams, camera_size, action_repeat, backend)
    elif world in OWN_WORLDS:
        env = _make_own(world, streams, camera_size, action_repeat, backend)
    elif world in SIDES:
        env = _make_own(world, streams, camera_size, action_repeat, backend, opponent=opponent)
    elif suite == "life" and name in LIVES:
        env = _make_life(name, streams, camera_size, action_repeat, backend, opponent, seed or 0)
    elif suite == "dmc":
        env = _make_dm_control(world, streams, camera_size, action_repeat, backend)
    elif suite == "gym" and name:
        from robot_agent_sim.gymnasium_env import make_gymnasium

        try:
            env = make_gymnasium(name, streams, camera_size, action_repeat or 1)
        except gymnasium.error.UnregisteredEnv as error:
            raise _unknown(world) from error
    else:
        raise _unknown(world)
    if seed is not None:
        env.reset(seed=seed)
        env.action_space.seed(seed)
    return env


def make_parallel(world: str, **options: Any) -> Any:
    """Builds a world of `SHARED_WORLDS` as a PettingZoo `ParallelEnv`.

    Args:
        world: its name.
        options: of `arena.ArenaEnv`: `streams`, `camera_size`, `camera_backend`, `episode_steps`.

    Raises:
        UnknownWorldError: no such world.
        ValueError: a bad option.
    """
    if world not in SHARED_WORLDS:
        names = ", ".join(SHARED_WORLDS)
        raise UnknownWorldError(f"unknown world of several agents {world!r}, expected one of {names}")
    if "camera" not in options.get("streams", STREAMS) and set(options["streams"]) <= set(STREAMS):
        raise ValueError(f"only the camera shows what shall be done in {world}: ask for the streams camera and proprio")
    return _imported(SHARED_WORLDS[world][0])(**options)


def register() -> None:
    """Makes the worlds that are made here known to `gymnasium.make`."""
    for name, (entry_point, _) in OWN_WORLDS.items():
        if f"{name}-v0" not in gymnasium.registry:
            gymnasium.register(f"{name}-v0", entry_point=entry_point)


def _make_own(
    world: str,
    streams: Sequence[str],
    camera_size: tuple[int, int],
    action_repeat: int | None,
    backend: str,
    **options: Any,
) -> gymnasium.Env[Any, Any]:
    """One of `OWN_WORLDS`, whose options these are, or of `SIDES`, whose only option is `opponent`."""
    view = {"streams": streams, "camera_size": camera_size, "camera_backend": backend}
    env: gymnasium.Env[Any, Any]
    if world in SIDES:
        from robot_agent_sim.arena.solo import against

        shared, agent, _ = SIDES[world]
        env = against(options["opponent"], make_parallel(shared, **view), agent)
    else:
        env = _imported(OWN_WORLDS[world][0])(**view, **options)
    repeat = action_repeat or (2 if world.startswith("so101/") else 1)
    env = ChangedCommand(env)
    return env if repeat == 1 else ActionRepeat(env, repeat)


def _make_dm_control(
    world: str, streams: Sequence[str], camera_size: tuple[int, int], action_repeat: int | None, backend: str
) -> gymnasium.Env[Any, Any]:
    from robot_agent_sim.dm_control_env import make_dm_control

    return make_dm_control(*_dm_control_task(world), streams, camera_size, action_repeat or 2, backend)


def _make_calibrated(body: Path | str, randomise: bool, seed: int, world: str, *view: Any) -> gymnasium.Env[Any, Any]:
    from robot_agent_sim.drift.calibrated import earliest, uncertainty
    from robot_agent_sim.drift.drift import Drift

    measured = read_body(body)
    if not randomise:
        return _make_own(world, *view, body=measured)
    ranges = uncertainty(measured)
    if not ranges:
        raise CalibrationFileError(
            f"{body} leaves nothing open that could be drawn anew: robot-agent calibrate dynamics says how sure it is"
        )
    env: gymnasium.Env[Any, Any] = Drift(_make_own(world, *view, body=earliest(measured)), ranges=ranges, seed=seed)
    return env


def _imported(entry_point: str) -> Any:
    module, _, name = entry_point.partition(":")
    return getattr(importlib.import_module(module), name)


def _make_life(
    name: str,
    streams: Sequence[str],
    camera_size: tuple[int, int],
    action_repeat: int | None,
    backend: str,
    opponent: str | Behaviour,
    seed: int,
) -> gymnasium.Env[Any, Any]:
    from robot_agent_sim.life.stream import LifeStream

    def make_world(world: str) -> gymnasium.Env[Any, Any]:
        if world.startswith("dmc/"):
            return _make_dm_control(world, streams, camera_size, action_repeat, backend)
        options = {"opponent": opponent} if world in SIDES else {}
        return _make_own(world, streams, camera_size, action_repeat, backend, **options)

    return LifeStream(LIVES[name][1], make_world, seed)


def _worlds_of(world: str) -> set[str]:
    """The world itself, or the worlds of a life."""
    suite, _, name = world.partition("/")
    return {chapter.world for chapter in LIVES[name][1]} if suite == "life" and name in LIVES else {world}


def _is_seen_only(world: str) -> bool:
    return not SEEN_ONLY.isdisjoint(_worlds_of(world))


def _has_opponent(world: str) -> bool:
    return not _worlds_of(world).isdisjoint(SIDES)


def _check_arguments(streams: Sequence[str], camera_size: tuple[int, int], action_repeat: int | None) -> None:
    if isinstance(streams, str) or not streams or not set(streams) <= set(STREAMS):
        raise ValueError(f"streams is {streams!r}, expected one or both of {', '.join(STREAMS)}")
    if len(camera_size) != 2 or min(camera_size) < 1:
        raise ValueError(f"camera_size is {camera_size}, expected (height, width) in pixels")
    if action_repeat is not None and action_repeat < 1:
        raise ValueError(f"action_repeat is {action_repeat}, expected at least 1")


def _dm_control_task(world: str) -> tuple[str, str]:
    wanted = world.removeprefix("dmc/").replace("-", "_")
    for domain in DOMAINS:
        for task in domain.tasks:
            if wanted == f"{domain.name}_{task}":
                return domain.name, task
    raise _unknown(world)


def _gymnasium_ids() -> Iterator[str]:
    newest: dict[str, gymnasium.envs.registration.EnvSpec] = {}
    for spec in gymnasium.registry.values():
        if f"{spec.namespace}/{spec.name}" in OWN_WORLDS:
            continue
        family = f"{spec.namespace}/{spec.name}" if spec.namespace else spec.name
        if family not in newest or (spec.version or 0) > (newest[family].version or 0):
            newest[family] = spec
    for family in sorted(newest):
        spec = newest[family]
        discrete = getattr(spec.entry_point, "__name__", str(spec.entry_point)).startswith(
            _DISCRETE_ENTRY_POINTS
        ) and not spec.kwargs.get("continuous")
        if not discrete:
            yield spec.id


def _unknown(world: str) -> UnknownWorldError:
    def simplified(name: str) -> str:
        return re.sub(r"[-_]", "", name.rpartition("/")[2]).lower()

    names = [known.name for known in list_worlds()]
    suite = world.partition("/")[0] + "/"
    of_suite = [name for name in names if name.startswith(suite)]
    pool = of_suite or names
    near = difflib.get_close_matches(world, pool, n=3, cutoff=0.7)
    by_simplified = {simplified(name): name for name in reversed(pool)}
    for match in difflib.get_close_matches(simplified(world), by_simplified, n=3, cutoff=0.5):
        if by_simplified[match] not in near:
            near.append(by_simplified[match])
    listing = f"`robot-agent worlds {suite}`" if of_suite else "`robot-agent worlds`"
    hint = f"did you mean {' or '.join(near[:3])}?" if near else f"{listing} lists what there is"
    return UnknownWorldError(f"unknown world {world!r}: {hint}")
