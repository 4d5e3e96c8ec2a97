"""Bounds of numbers that people give: what is beyond them is refused in a sentence, before anything is written."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from robot_agent.errors import RunError
from robot_agent.types import SMALLEST_FRAME

LARGEST_SEED = 2**32 - 1
"""Every library takes it."""
LARGEST_COUNT = 10**9
LARGEST_WIDTH = 16_384
"""Of a layer."""
LARGEST_CAMERA = 2_048
"""Pixels of a side."""


@dataclass(frozen=True)
class Bounds:
    """Between which a number lies, both included, but for `low` where it says `above`."""

    low: float = -math.inf
    high: float = math.inf
    above: bool = False

    def check(self, name: str, value: float) -> None:
        """Refuses a number.

        Raises:
            RunError: it is beyond the bounds, or not finite.
        """
        if not math.isfinite(value):
            raise RunError(f"{name} is {value}, expected a finite number")
        if value < self.low or (self.above and value == self.low):
            raise RunError(f"{name} is {value}, expected {'more than' if self.above else 'at least'} {self.low}")
        if value > self.high:
            raise RunError(f"{name} is {value}, expected at most {self.high}")


COUNT = Bounds(0, LARGEST_COUNT)
ANY_COUNT = Bounds(-LARGEST_COUNT, LARGEST_COUNT)
POSITIVE_COUNT = Bounds(1, LARGEST_COUNT)
POSITIVE = Bounds(0, above=True)
SEED = Bounds(0, LARGEST_SEED)
CAMERA = Bounds(SMALLEST_FRAME, LARGEST_CAMERA)


def numbers(tree: Any, path: str = "") -> Iterator[tuple[str, float]]:
    """Every number of a config, of its parts, and of their tuples and mappings, with its path."""
    if is_dataclass(tree):
        tree = {part.name: getattr(tree, part.name) for part in fields(tree)}
    if isinstance(tree, Mapping):
        for name, value in tree.items():
            yield from numbers(value, f"{path}.{name}" if path else str(name))
    elif isinstance(tree, tuple | list):
        for value in tree:
            yield from numbers(value, path)
    elif isinstance(tree, int | float) and not isinstance(tree, bool):
        yield path, tree


def check_numbers(tree: Any, bounds: Mapping[str, Bounds], prefix: str = "") -> None:
    """Refuses every number of a config that is out of its bounds; without any, an integer is a `COUNT`.

    Args:
        tree: the config, or the dataclass of a command line.
        bounds: by the path of a number, or of what holds it.
        prefix: of names in the message, such as `--`.

    Raises:
        RunError: says which number is out of which bounds.
    """
    for path, value in numbers(tree):
        parts = path.split(".")
        above = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
        default = COUNT if isinstance(value, int) else Bounds()
        found = next((bounds[name] for name in above if name in bounds), default)
        found.check(f"{prefix}{path.replace('_', '-') if prefix else path}", value)
