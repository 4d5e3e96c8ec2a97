"""The table of columns: what a row of replay is made of, on disk and in a batch. A new column is a line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from robot_agent.types import CAMERA_PREFIX, GOAL_KEYS, BodySpec, Transition


class Scope(Enum):
    """What a column is about."""

    OBSERVATION = "an observation, the one after an episode's last action included"
    STEP = "an action and what came of it"
    ROW = "either"


@dataclass(frozen=True)
class Column:
    """A column of replay.

    Attributes:
        name: of the column.
        dtype: of one entry.
        shape: of one entry.
        default: what rows hold that do not know it: those of older versions, and of another scope.
        scope: see `Scope`.
        of: what a transition holds of it; None for what the writer knows by itself.
    """

    name: str
    dtype: DTypeLike
    shape: tuple[int, ...] = ()
    default: Any = 0
    scope: Scope = Scope.ROW
    of: Callable[[Transition], Any] | None = None

    @property
    def is_camera(self) -> bool:
        """Whether it holds frames, which lie apart."""
        return self.name.startswith(CAMERA_PREFIX)

    @property
    def description(self) -> tuple[str, DTypeLike, tuple[int, ...]]:
        """As numpy takes it."""
        return self.name, self.dtype, self.shape


COMMITTED = 0xA5


@cache
def columns(spec: BodySpec) -> tuple[Column, ...]:
    """All columns of a body's rows; cameras first, `committed` last: a row without it was torn by a crash."""
    seen, step = Scope.OBSERVATION, Scope.STEP
    streams = len(spec.cameras) + bool(spec.proprio_dim)
    return (
        *(Column(CAMERA_PREFIX + name, np.uint8, (*size, 3), scope=seen) for name, size in spec.cameras),
        Column("proprio", np.float32, (spec.proprio_dim,), scope=seen),
        *(Column(key, np.float32, (spec.goal_dim,), scope=seen) for key in GOAL_KEYS),
        # Cameras in the order of the body, then proprio.
        Column("streams_known", np.bool_, (streams,), True, seen, lambda t: t.streams_known),
        Column("action", np.float32, (spec.action_dim,), scope=step, of=lambda t: t.action),
        Column("action_known", np.bool_, (), True, step, lambda t: t.action_known),
        Column("reward", np.float64, scope=step, of=lambda t: t.reward),
        Column("reward_known", np.bool_, scope=step, of=lambda t: t.reward is not None),
        Column("terminated", np.bool_, scope=step, of=lambda t: t.terminated),
        Column("truncated", np.bool_, scope=step, of=lambda t: t.truncated),
        Column("is_final", np.bool_),
        Column("valid", np.bool_, default=True),
        Column("source", np.uint8, of=lambda t: t.source),
        Column("episode", np.int64, of=lambda t: t.episode),
        Column("step", np.int64, of=lambda t: t.step),
        Column("stamp", np.float64, of=lambda t: t.stamp),
        Column("dt", np.float32, of=lambda t: t.dt),
        Column("weights_version", np.int64, of=lambda t: t.weights_version),
        Column("goal_kind", np.uint8, of=lambda t: t.goal_kind),
        Column("goal_address", np.int64, (2,), -1, of=lambda t: t.goal_address),
        Column("skill", np.int32, (), -1, of=lambda t: t.skill),
        Column("marked", np.bool_, of=lambda t: t.marked),
        Column("reserve", np.uint8, (16,)),
        Column("committed", np.uint8),
    )


def row_dtype(spec: BodySpec) -> np.dtype[np.void]:
    """A whole row: frames first, then the numbers.

    The observation after an episode's last action is a row of its own with `is_final` set.
    """
    return np.dtype([column.description for column in columns(spec)])


def frames_dtype(spec: BodySpec) -> np.dtype[np.void]:
    """The part of a row that cameras saw."""
    return np.dtype([column.description for column in columns(spec) if column.is_camera])


def numbers_dtype(spec: BodySpec) -> np.dtype[np.void]:
    """The part of a row that is not frames."""
    return np.dtype([column.description for column in columns(spec) if not column.is_camera])


def blank_row(spec: BodySpec) -> np.ndarray[tuple[()], np.dtype[np.void]]:
    """A row of defaults."""
    row = np.zeros((), row_dtype(spec))
    for column in columns(spec):
        if column.default:
            row[column.name] = column.default
    return row
