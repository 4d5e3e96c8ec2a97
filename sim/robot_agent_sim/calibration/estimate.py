"""One measured number with its uncertainty and unit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_NORMAL_95 = 1.959964


@dataclass(frozen=True)
class Estimate:
    """A value, its standard error and its 95 % interval, in `unit`.

    Args:
        value: the best guess.
        standard_error: one standard deviation of the estimate, >= 0.
        unit: such as `rad`, `m`, `px`, `N·m`; `1` for a ratio.
        interval_95: (low, high); value ± 1.96 standard errors if not given.

    Raises:
        ValueError: a number is not finite, or the standard error is negative.
    """

    value: float
    standard_error: float
    unit: str
    interval_95: tuple[float, float] = (math.nan, math.nan)

    def __post_init__(self) -> None:
        if not (math.isfinite(self.value) and math.isfinite(self.standard_error) and self.standard_error >= 0):
            raise ValueError(
                f"an estimate of {self.value} ± {self.standard_error} {self.unit}, expected finite numbers and a "
                "standard error of at least 0"
            )
        if math.isnan(self.interval_95[0]):
            half = _NORMAL_95 * self.standard_error
            object.__setattr__(self, "interval_95", (self.value - half, self.value + half))

    def to_yaml(self) -> dict[str, Any]:
        """The mapping that stands in `calibration.yaml`."""
        return {
            "value": float(self.value),
            "standard_error": float(self.standard_error),
            "interval_95": [float(bound) for bound in self.interval_95],
            "unit": self.unit,
        }

    @classmethod
    def from_yaml(cls, mapping: Mapping[str, Any]) -> Estimate:
        """Reads what `to_yaml` wrote.

        Raises:
            ValueError: a field is missing or no number.
        """
        try:
            low, high = (float(bound) for bound in mapping["interval_95"])
            return cls(float(mapping["value"]), float(mapping["standard_error"]), str(mapping["unit"]), (low, high))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"an estimate is {mapping!r}, expected value, standard_error, interval_95 and unit"
            ) from error

    def __str__(self) -> str:
        return f"{self.value:.6g} ± {self.standard_error:.2g} {self.unit}"
