"""A world that knows what it truly was at each frame, however oddly it returns it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray

SIZE = 16
"""Pixels of a side of all pictures."""
VECTOR = Box(-1, 1, (3,), np.float32)


@dataclass(frozen=True)
class Frame:
    """What truly is at one frame: it follows from its episode and its number."""

    episode: int
    number: int
    reading: NDArray[np.float32]
    picture: NDArray[np.uint8]
    reward: float

    @classmethod
    def at(cls, episode: int, number: int) -> Frame:
        rng = np.random.default_rng((episode, number))
        return cls(
            episode,
            number,
            reading=rng.uniform(-1, 1, 3).astype(np.float32),
            picture=rng.integers(0, 256, (SIZE, SIZE, 3), np.uint8),
            reward=float(rng.integers(-8, 9)) / 4,
        )


def _linear(action: NDArray[np.float32]) -> NDArray[np.float64]:
    return 1 + 3 * action.astype(np.float64)


@dataclass(frozen=True)
class Kind:
    """A kind of foreign environment: how it returns what it is, and what that means.

    Attributes:
        name: in a few words.
        group: info, pictures, observations, rewards, actions, buffers, time or readings.
        space: of its observations; `observe` makes one of a frame.
        meant: what the rows of replay must hold of a frame, by key.
        valid: whether a row of this frame is one to learn from.
        actions: its action space; `native` is what an action in [-1, 1] must become there.
        reward, flag: how it returns a reward, and whether an episode ended.
        reward_meant: what a reward of a frame is.
        info: of a frame.
        render: a picture of a frame, None for a world without; `rendered` is what a video must show.
        returned_by_reset, returned_by_step: the whole tuple that it makes of the usual one.
        metadata: of the class; `dt` an attribute that the environment has.
        control_dt: seconds of a frame that this means.
        length: frames of an episode.
        repeat: action repeat.
        streams: that are asked for.
        refused: what the sentence says that must refuse it; None for a world in which an agent can live.
        warned: what a warning must say, if one is expected.
        make: builds the world; by default as described here.
        is_reported: write the report of its run as well.
        is_adapted: whether it goes through `adapt`, or is in the common form already.
    """

    name: str
    group: str
    space: gymnasium.Space[Any] = field(default_factory=lambda: VECTOR)
    observe: Callable[[Frame], Any] = lambda frame: frame.reading
    meant: Callable[[Frame], Mapping[str, Any]] = lambda frame: {"proprio": frame.reading}
    valid: Callable[[Frame], bool] = lambda frame: True
    actions: gymnasium.Space[Any] = field(default_factory=lambda: Box(-2.0, 4.0, (2,), np.float32))
    native: Callable[[NDArray[np.float32]], Any] = _linear
    reward: Callable[[float], Any] = lambda reward: reward
    flag: Callable[[bool], Any] = lambda over: over
    reward_meant: Callable[[float], float] = lambda reward: reward
    info: Callable[[Frame], Any] = lambda frame: {}
    render: Callable[[Frame], Any] | None = None
    render_mode: str = "rgb_array"
    rendered: Callable[[Frame], NDArray[np.uint8]] = lambda frame: frame.picture
    returned_by_reset: Callable[[tuple[Any, ...]], Any] = lambda returned: returned
    returned_by_step: Callable[[tuple[Any, ...]], Any] = lambda returned: returned
    metadata: Mapping[str, Any] = field(default_factory=lambda: {"render_fps": 10})
    dt: Any = None
    control_dt: float = 0.1
    length: int = 7
    repeat: int = 1
    streams: tuple[str, ...] = ("proprio",)
    refused: str | None = None
    warned: str | None = None
    make: Callable[[Kind], World] | None = None
    is_reported: bool = False
    is_adapted: bool = True

    def world(self) -> World:
        """A new one."""
        return self.make(self) if self.make else World(self)


class World(gymnasium.Env[Any, Any]):
    """A foreign environment of a kind.

    Attributes:
        events: what truly happened: the native action of each frame, None for a reset, and the frame.
    """

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.observation_space, self.action_space = kind.space, kind.actions
        self.metadata = dict(kind.metadata)
        self.render_mode = kind.render_mode if kind.render else None
        if kind.dt is not None:
            self.dt = kind.dt
        self.events: list[tuple[NDArray[Any] | None, Frame]] = []
        self.frame = Frame.at(0, 0)
        self._episode = -1

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        self._episode += 1
        self.frame = Frame.at(self._episode, 0)
        self.events.append((None, self.frame))
        return self.kind.returned_by_reset((self.kind.observe(self.frame), self.kind.info(self.frame)))

    def step(self, action: Any) -> Any:
        self.frame = Frame.at(self._episode, self.frame.number + 1)
        self.events.append((np.array(action), self.frame))
        kind, over = self.kind, self.frame.number >= self.kind.length
        returned = (kind.observe(self.frame), kind.reward(self.frame.reward), kind.flag(False), kind.flag(over))
        return kind.returned_by_step((*returned, kind.info(self.frame)))

    def render(self) -> Any:
        assert self.kind.render
        return self.kind.render(self.frame)


class Reusing(World):
    """Writes all that it returns into the same arrays, picture and `info` included, and into the action it is given."""

    def __init__(self, kind: Kind) -> None:
        super().__init__(kind)
        self._buffers: dict[str, Any] = {}

    def reset(self, **options: Any) -> Any:
        observation, info = super().reset(**options)
        return self._into("observation", observation), self._into("info", info)

    def step(self, action: Any) -> Any:
        observation, *middle, info = super().step(action)
        action[...] = action + 1
        return self._into("observation", observation), *middle, self._into("info", info)

    def render(self) -> Any:
        return self._into("picture", super().render())

    def _into(self, name: str, value: Any) -> Any:
        if name not in self._buffers:
            self._buffers[name] = copy.deepcopy(value)
        return _overwritten(self._buffers[name], value)


def _overwritten(old: Any, new: Any) -> Any:
    if isinstance(new, dict):
        for name, value in new.items():
            old[name] = _overwritten(old[name], value)
        return old
    if isinstance(new, np.ndarray):
        old[...] = new
        return old
    return new
