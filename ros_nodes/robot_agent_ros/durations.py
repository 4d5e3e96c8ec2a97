"""How long things took lately: the numbers that diagnostics show. No rclpy in here."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator


class Durations:
    """The newest durations of something that happens again and again.

    Args:
        size: how many are kept.
    """

    def __init__(self, size: int = 512) -> None:
        self._seconds: deque[float] = deque(maxlen=size)

    def add(self, seconds: float) -> None:
        """Keeps one."""
        self._seconds.append(seconds)

    def __len__(self) -> int:
        return len(self._seconds)

    def __iter__(self) -> Iterator[float]:
        return iter(tuple(self._seconds))  # at once: another thread may add to it

    def quantile(self, q: float) -> float:
        """The nearest-rank quantile in seconds, q in [0, 1]; 0 if nothing happened yet."""
        ranked = sorted(self)
        if not ranked:
            return 0.0
        return ranked[min(len(ranked) - 1, int(q * len(ranked)))]

    def values(self, name: str) -> dict[str, str]:
        """Median, 99th percentile and largest, in ms, as diagnostics show them."""
        return {
            f"{name} p50 [ms]": f"{1e3 * self.quantile(0.5):.2f}",
            f"{name} p99 [ms]": f"{1e3 * self.quantile(0.99):.2f}",
            f"{name} max [ms]": f"{1e3 * self.quantile(1.0):.2f}",
        }


class Rate:
    """How often something happens, and how evenly.

    Args:
        size: how many periods are kept.
    """

    def __init__(self, size: int = 512) -> None:
        self.periods = Durations(size)
        self._last: float | None = None

    def tick(self, now: float) -> None:
        """It happened; `now` in seconds of a clock that never jumps."""
        if self._last is not None:
            self.periods.add(now - self._last)
        self._last = now

    @property
    def hz(self) -> float:
        """Of the median period; 0 before the second tick."""
        median = self.periods.quantile(0.5)
        return 1 / median if median > 0 else 0.0

    def jitter(self, period: float) -> float:
        """The 99th percentile of how far periods were from the one wanted, in seconds."""
        off = Durations(max(1, len(self.periods)))
        for seconds in self.periods:
            off.add(abs(seconds - period))
        return off.quantile(0.99)
