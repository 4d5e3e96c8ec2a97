"""Rows around addresses, never beyond the stretch that an address is in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from robot_agent.replay.columns import Scope, columns
from robot_agent.replay.index import StretchIndex


class Gathered(NamedTuple):
    """Rows from `before` rows before each address to `after` rows after it.

    Attributes:
        columns: by name. Of an observation `(addresses, before + 1 + after, ...)`, where none is known the nearest one
            of the stretch; of all else `(addresses, before + after, ...)`, the column's default where not known.
        observations_known: bool `(addresses, before + 1 + after)`.
        steps_known: bool `(addresses, before + after)`.
    """

    columns: dict[str, NDArray[Any]]
    observations_known: NDArray[np.bool_]
    steps_known: NDArray[np.bool_]


def gather(
    index: StretchIndex,
    segment: NDArray[np.int64],
    row: NDArray[np.int64],
    before: int,
    after: int,
    names: Iterable[str],
) -> Gathered:
    """Copies columns of the rows around addresses.

    Args:
        index: of the replay.
        segment, row: int64 `(addresses,)` each, of rows that belong to a stretch.
        before: rows before each, for stacks of frames and what context is made of.
        after: rows after each.
        names: of columns.

    Raises:
        KeyError: there is no such column.
    """
    stretches = index.table[index.holding(segment, row)]
    first = stretches["first"][:, None]
    last = first + stretches["observations"][:, None] - 1
    wanted = row[:, None] + np.arange(-before, after + 1)
    steps_known = (wanted[:, :-1] >= first) & (wanted[:, :-1] < first + stretches["steps"][:, None])
    rows = np.clip(wanted, first, last)
    spec = next(iter(index.replay.segments.values())).spec
    table = {column.name: column for column in columns(spec)}
    gathered: dict[str, NDArray[Any]] = {}
    for name in names:
        column = table[name]
        of_steps = column.scope is not Scope.OBSERVATION
        gathered[name] = np.empty((len(row), before + after + (not of_steps), *column.shape), column.dtype)
    for number in np.unique(segment):
        mine = np.flatnonzero(segment == number)
        reader = index.replay.segments[int(number)]
        for name, target in gathered.items():
            if target.size:
                target[mine] = reader.column(name)[rows[mine, : target.shape[1]]]
    for name, target in gathered.items():
        if table[name].scope is not Scope.OBSERVATION:
            target[~steps_known] = table[name].default
    return Gathered(gathered, (wanted >= first) & (wanted <= last), steps_known)
