"""Brings other people's observations to the flat form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict
from numpy.typing import NDArray

from robot_agent_sim.cameras.resize import resize_by_area

_GOALS = ("achieved_goal", "desired_goal")


class FlatObservation(gymnasium.ObservationWrapper[Any, Any, Any]):
    """A `Box` or a `Dict` of them as `camera/<name>` uint8 (height, width, 3) and `proprio` float32 (n,).

    Images (uint8, three channels) become cameras at `camera_size` (`camera/main` where the whole observation is one
    image); numeric vectors are concatenated in the sorted order of their names into `proprio`; goals stay as they
    are. A stream that was not asked for is left out.

    Raises:
        ValueError: an observation that is neither image nor numeric vector, or no vectors where proprio is asked for.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], streams: Sequence[str], camera_size: tuple[int, int]) -> None:
        super().__init__(env)
        space = env.observation_space
        self._is_dict = isinstance(space, Dict)
        parts = dict(space.spaces) if isinstance(space, Dict) else {"main": space}
        self._goals = [name for name in _GOALS if self._is_dict and name in parts]
        images, vectors = _sort_out({name: part for name, part in parts.items() if name not in self._goals})
        self._camera_size = camera_size
        self._images = {f"camera/{name.removeprefix('camera/')}": name for name in images if "camera" in streams}
        self._vectors = vectors if "proprio" in streams else []
        if "proprio" in streams and not vectors:
            raise ValueError(f"the observation {space} has no numeric vectors for the stream proprio: ask for camera")
        spaces: dict[str, gymnasium.Space[Any]] = {
            key: Box(0, 255, (*camera_size, 3), np.uint8) for key in self._images
        }
        if self._vectors:
            width = sum(int(np.prod(parts[name].shape or ())) for name in self._vectors)
            spaces["proprio"] = Box(-np.inf, np.inf, (width,), np.float32)
        spaces |= {name: parts[name] for name in self._goals}
        self.observation_space = Dict(spaces)

    @property
    def has_camera(self) -> bool:
        """Whether the observation itself holds an image that was asked for."""
        return bool(self._images)

    def observation(self, observation: Any) -> dict[str, NDArray[Any]]:
        """The flat form of one observation."""
        parts = observation if self._is_dict else {"main": observation}
        flat = {key: resize_by_area(parts[name], self._camera_size) for key, name in self._images.items()}
        if self._vectors:
            vectors = [np.ravel(parts[name]).astype(np.float32) for name in self._vectors]
            flat["proprio"] = np.concatenate(vectors)
        return flat | {name: parts[name] for name in self._goals}


def _sort_out(parts: dict[str, gymnasium.Space[Any]]) -> tuple[list[str], list[str]]:
    """Names of the images and of the numeric vectors, each sorted."""
    images, vectors = [], []
    for name, part in sorted(parts.items()):
        if not isinstance(part, Box):
            raise ValueError(f"the observation {name!r} is {part}, expected a Box: flatten it with a wrapper")
        if part.dtype == np.uint8 and len(part.shape) == 3 and part.shape[2] == 3:
            images.append(name)
        elif len(part.shape) <= 1:
            vectors.append(name)
        else:
            raise ValueError(
                f"the observation {name!r} is {part}, expected a vector or a uint8 image (height, width, 3)"
            )
    return images, vectors
