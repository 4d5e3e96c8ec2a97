"""Other people's gymnasium environments in the common form."""

from __future__ import annotations

import importlib
import math
import numbers
from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.registration import load_env_creator
from numpy.typing import NDArray

from robot_agent_sim.cameras.platform import prepare_gl_process
from robot_agent_sim.cameras.resize import resize_by_area
from robot_agent_sim.wrappers.action_repeat import ActionRepeat
from robot_agent_sim.wrappers.camera_observation import CameraObservation
from robot_agent_sim.wrappers.changed_command import ChangedCommand
from robot_agent_sim.wrappers.flat_observation import FlatObservation
from robot_agent_sim.wrappers.foreign_returns import ForeignReturns
from robot_agent_sim.wrappers.late_observation import LateObservation
from robot_agent_sim.wrappers.normalized_action import NormalizedAction

_DEFAULT_CONTROL_DT = 0.02


def make_gymnasium(
    name: str, streams: Sequence[str], camera_size: tuple[int, int], action_repeat: int
) -> gymnasium.Env[Any, Any]:
    """The registered environment `name` in the common form (see `robot_agent_sim.make`).

    As gymnasium has it, a name may begin with the module that registers the environment: `my_worlds:Reach-v0`.

    Raises:
        gymnasium.error.UnregisteredEnv: no environment of this name.
        ValueError: it misses a package, or its spaces do not fit the common form.
    """
    prepare_gl_process()
    module, _, registered = name.rpartition(":")
    if module:
        _import(module, name)
    try:
        env = _make(registered)
    except (gymnasium.error.DependencyNotInstalled, ImportError) as error:
        raise ValueError(f"the world gym/{name} misses a package ({error}): install what it needs") from error
    except gymnasium.error.Error:
        raise
    except Exception as error:
        raise ValueError(
            f"the world gym/{name} cannot be built ({type(error).__name__}: {error}): mend the world"
        ) from error
    try:
        return adapt(env, streams, camera_size, action_repeat)
    except ValueError as error:
        env.close()
        raise ValueError(f"the world gym/{name} does not fit: {error}") from error


def adapt(
    env: gymnasium.Env[Any, Any],
    streams: Sequence[str],
    camera_size: tuple[int, int] = (64, 64),
    action_repeat: int = 1,
) -> gymnasium.Env[Any, Any]:
    """Wraps any environment with a finite `Box` action and any nesting of `Box` observations into the common form.

    What the environment returns is copied, converted or refused here (see `ForeignReturns`, `FlatObservation`,
    `NormalizedAction`); above, nothing of it changes any more.

    Where the camera is asked for and the observation has no picture, the environment's own `rgb_array` rendering
    stands in as `camera/main`, resized.

    Raises:
        ValueError: the spaces do not fit, or a stream that is asked for cannot be had.
        WorldError: in `reset`, `step` and `render`: the environment failed, or returned what cannot be used.
    """
    control_dt = _control_dt(env)
    foreign = ForeignReturns(env)
    flat = FlatObservation(foreign, streams, camera_size)
    flat.metadata = {
        "action_meaning": f"each entry in [-1, 1] spans the bounds of {env.action_space}, in the world's own units",
        **(env.metadata or {}),
        "control_dt": control_dt,
    }
    adapted: gymnasium.Env[Any, Any] = flat
    if "camera" in streams and not flat.has_camera:
        if foreign.render_mode != "rgb_array":
            raise ValueError("it has no image in its observation and no rgb_array rendering: leave out camera")

        def take_image() -> NDArray[np.uint8]:
            return resize_by_area(foreign.render(), camera_size)

        adapted = CameraObservation(adapted, "camera/main", camera_size, take_image)
    return NormalizedAction(ActionRepeat(ChangedCommand(LateObservation(adapted)), action_repeat))


def _import(module: str, name: str) -> None:
    """Registers what a module brings."""
    try:
        importlib.import_module(module)
    except Exception as error:
        raise ValueError(
            f"the module of the world gym/{name} cannot be imported ({type(error).__name__}: {error}): "
            "install it, or put its folder on PYTHONPATH"
        ) from error


def _make(name: str) -> gymnasium.Env[Any, Any]:
    """The environment, with rendering if it declares it and takes a `render_mode`."""
    if _renders_rgb_arrays(name):
        try:
            return gymnasium.make(name, disable_env_checker=True, render_mode="rgb_array")
        except TypeError as error:
            if "render_mode" not in str(error):
                raise
    return gymnasium.make(name, disable_env_checker=True)


def _renders_rgb_arrays(name: str) -> bool:
    """Whether the environment's class declares `rgb_array` rendering."""
    spec = gymnasium.spec(name)
    creator = load_env_creator(spec.entry_point) if isinstance(spec.entry_point, str) else spec.entry_point
    return "rgb_array" in (getattr(creator, "metadata", {}).get("render_modes") or ())


def _control_dt(env: gymnasium.Env[Any, Any]) -> float:
    """Seconds of one step, by what the environment declares: `control_dt`, `dt`, or its frame rate.

    Raises:
        ValueError: its `control_dt` is no time.
    """
    metadata = env.metadata or {}
    if "control_dt" in metadata:
        declared = _positive(metadata["control_dt"])
        if declared is None:
            raise ValueError(f"its control_dt is {metadata['control_dt']!r}, expected seconds above 0")
        return declared
    rate = _positive(metadata.get("render_fps"))
    return _positive(getattr(env.unwrapped, "dt", None)) or (1.0 / rate if rate else _DEFAULT_CONTROL_DT)


def _positive(value: Any) -> float | None:
    """A positive finite number of any type, None for all else."""
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.item()
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    return float(value) if is_number and 0 < value < math.inf else None
