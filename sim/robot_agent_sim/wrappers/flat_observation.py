"""Brings other people's observations to the flat form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict, Tuple
from numpy.typing import NDArray

from robot_agent_sim.cameras.picture import as_rgb
from robot_agent_sim.cameras.resize import resize_by_area
from robot_agent_sim.errors import WorldError

_GOALS = ("achieved_goal", "desired_goal")
_SMALLEST_PICTURE = 8
"""Pixels of the shorter side, below which an array that need not be a picture counts as numbers."""


class FlatObservation(gymnasium.ObservationWrapper[Any, Any, Any]):
    """Any nesting of `Box`es as `camera/<name>` uint8 (height, width, 3) and `proprio` float32 (n,).

    Pictures become cameras at `camera_size` (`camera/main` where the whole observation is one picture): uint8 or floats
    within [0, 1] or [0, 255] with 1, 3 or 4 channels, and grey ones of uint8. All else is numbers, flattened and
    concatenated in the sorted order of their names into `proprio`. Names of nested parts are joined by `/`; goals stay
    as they are. A stream that was not asked for is left out. Whatever is returned is a copy.

    A number that is infinite, or too large for float32, becomes the finite bound that its space declares, if any.

    Raises:
        ValueError: a part that is no `Box`, no numbers where proprio is asked for, or two cameras of one name.
        WorldError: in `reset` and `step`: an observation that is not of the declared space.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], streams: Sequence[str], camera_size: tuple[int, int]) -> None:
        super().__init__(env)
        space = env.observation_space
        self._camera_size = camera_size
        parts = sorted((_Part(path, box) for path, box in _boxes(space)), key=lambda part: part.name)
        self._goals = [part for part in parts if part.is_goal]
        parts = [part for part in parts if not part.is_goal]
        pictures, numbers = [part for part in parts if part.is_picture], [part for part in parts if not part.is_picture]
        self._cameras = _named_cameras(pictures) if "camera" in streams else {}
        self._numbers = numbers if "proprio" in streams else []
        if "proprio" in streams and not numbers:
            raise ValueError(f"the observation {space} has no numbers for the stream proprio: ask for camera")
        spaces: dict[str, gymnasium.Space[Any]] = {
            key: Box(0, 255, (*camera_size, 3), np.uint8) for key in self._cameras
        }
        if self._numbers:
            width = sum(part.size for part in self._numbers)
            spaces["proprio"] = Box(-np.inf, np.inf, (width,), np.float32)
        spaces |= {part.name: part.box for part in self._goals}
        self.observation_space = Dict(spaces)

    @property
    def has_camera(self) -> bool:
        """Whether the observation itself holds an image that was asked for."""
        return bool(self._cameras)

    def observation(self, observation: Any) -> dict[str, NDArray[Any]]:
        """The flat form of one observation."""
        flat: dict[str, NDArray[Any]] = {
            key: resize_by_area(as_rgb(part.within(observation), part.unit), self._camera_size)
            for key, part in self._cameras.items()
        }
        if self._numbers:
            flat["proprio"] = np.concatenate([part.numbers(observation) for part in self._numbers])
        return flat | {part.name: np.array(part.within(observation)) for part in self._goals}


@dataclass(frozen=True)
class _Part:
    """One `Box` of an observation: the keys and indices that lead to it, and what its space declares."""

    path: tuple[str | int, ...]
    box: Box

    @property
    def name(self) -> str:
        return "/".join(map(str, self.path)) or "main"

    @property
    def is_goal(self) -> bool:
        return self.path in [(name,) for name in _GOALS]

    @property
    def size(self) -> int:
        return int(np.prod(self.box.shape))

    @property
    def unit(self) -> bool:
        """Whether white is 1."""
        return bool(np.all(self.box.high <= 1))

    @property
    def is_picture(self) -> bool:
        """Whether it is one.

        Raises:
            ValueError: it looks like several in one.
        """
        shape, is_bytes = self.box.shape, self.box.dtype == np.uint8
        if len(shape) < 2 or not (is_bytes or _spans_colours(self.box)):
            return False
        if len(shape) == 2:
            return is_bytes and min(shape) >= _SMALLEST_PICTURE
        if len(shape) == 3 and shape[2] == 3 and is_bytes:
            return True
        channels_last = len(shape) == 3 and shape[2] in (1, 3, 4)
        sides = shape[:2] if channels_last else shape[-2:]
        if min(sides) < _SMALLEST_PICTURE:
            return False
        if channels_last or (len(shape) == 3 and shape[0] in (1, 3)):
            return True
        if is_bytes:
            raise ValueError(
                f"the observation {self.name!r} is {self.box}, expected numbers or a picture (height, width, channels) "
                "with 1, 3 or 4 of them: take one frame of a stack, the agent stacks frames itself"
            )
        return False

    def within(self, observation: Any) -> Any:
        """This part of an observation."""
        part = observation
        try:
            for key in self.path:
                part = part[key]
        except (KeyError, IndexError, TypeError) as error:
            raise WorldError(
                f"the observation has no {self.name!r}, which its space declares: mend the world"
            ) from error
        return part

    def numbers(self, observation: Any) -> NDArray[np.float32]:
        """Its numbers (size,), a copy, infinite ones at the bounds."""
        part = np.asarray(self.within(observation))
        if part.size != self.size or part.dtype.kind not in "buif":
            raise WorldError(
                f"the observation {self.name!r} is {part.dtype} {part.shape}, its space declares {self.box}: "
                "mend the world"
            )
        with np.errstate(over="ignore"):
            numbers = part.ravel().astype(np.float32)
            if np.any(np.isinf(numbers)):
                low, high = self.box.low.ravel().astype(np.float32), self.box.high.ravel().astype(np.float32)
                numbers = np.where(np.isinf(numbers), np.clip(numbers, low, high), numbers)
        return numbers


def _spans_colours(box: Box) -> bool:
    return bool(
        np.issubdtype(box.dtype, np.floating)
        and np.all(box.low >= 0)
        and (np.all(box.high == 1) or np.all(box.high == 255))
    )


def _boxes(space: gymnasium.Space[Any], path: tuple[str | int, ...] = ()) -> list[tuple[tuple[str | int, ...], Box]]:
    """Every `Box` of a nested space, and the way to it."""
    if isinstance(space, Dict):
        return [found for key, part in space.spaces.items() for found in _boxes(part, (*path, key))]
    if isinstance(space, Tuple):
        return [found for index, part in enumerate(space.spaces) for found in _boxes(part, (*path, index))]
    if not isinstance(space, Box):
        name = "/".join(map(str, path)) or "main"
        raise ValueError(f"the observation {name!r} is {space}, expected a Box: flatten it with a wrapper")
    return [(path, space)]


def _named_cameras(pictures: Sequence[_Part]) -> dict[str, _Part]:
    """Cameras by name; dots would not do, since cameras are modules of a network."""
    named: dict[str, _Part] = {}
    for part in pictures:
        key = f"camera/{part.name.removeprefix('camera/').replace('.', '_')}"
        if key in named:
            raise ValueError(f"the pictures {named[key].name!r} and {part.name!r} would both be {key}: rename one")
        named[key] = part
    return named
