"""When the next decision is due: at a steady rate, just after a picture has come."""

from __future__ import annotations

import math
from collections import deque

import numpy as np

LEAD = 0.0015
"""s between the arrival of nearly every picture and the decision on it."""
SLEW = 0.005
"""Largest change of a period, as a share of it."""
_GAIN = 0.1
_ARRIVALS = 48
_NEARLY_EVERY = 0.9
_STOPPED = 4
"""Periods between pictures, or of a jump of the clock, after which they come in another rhythm."""


class Cadence:
    """Absolute deadlines, a period apart but for a slow drift towards the camera's own rhythm.

    A decision that comes a moment after its picture acts on what is new; one that comes a moment before acts on what
    is a whole frame old. The camera's clock is not ours, so the phase is steered: each deadline moves by at most `SLEW`
    of the period towards the moment at which nearly every recent picture had arrived; at once where no command goes out
    whose rhythm could suffer. Where the two rates do not fit, there is no such moment, and the drift averages out.

    Args:
        period: s between two decisions.
    """

    def __init__(self, period: float) -> None:
        self.period = period
        self.skipped = 0
        """Decisions that were left out because the one before took too long."""
        self._deadline: float | None = None
        self._arrivals: deque[float] = deque(maxlen=_ARRIVALS)

    def arrived(self, when: float) -> None:
        """A picture came; s of the same clock as all else."""
        if self._arrivals and abs(when - self._arrivals[-1]) > _STOPPED * self.period:
            self._arrivals.clear()
        self._arrivals.append(when)

    def next(self, now: float, steady: bool = True) -> float:
        """The next deadline; what was missed is skipped, never caught up with.

        Args:
            now: s.
            steady: drift; otherwise it is where it should be at once.
        """
        if self._deadline is None or self._deadline > now + 3 * self.period:  # a clock may have gone back
            self._deadline = now
        due = self._deadline + self.period
        self._deadline = due + self._correction(steady)
        if self._deadline < now:
            missed = math.ceil((now - self._deadline) / self.period)
            if due < now:  # otherwise only another phase was jumped to
                self.skipped += missed
            self._deadline += missed * self.period
        return self._deadline

    def _correction(self, steady: bool) -> float:
        """How far the deadlines lie before the moment they should be at, tempered if they are to be steady."""
        if len(self._arrivals) < 3:
            return 0.0
        arrivals = np.array(self._arrivals)
        between = float(np.median(np.diff(arrivals)))
        if not 0 < between < _STOPPED * self.period:
            return 0.0
        # Pictures may come more often than decisions; which of them it is does not matter.
        cycle = self.period / max(1, round(self.period / between))
        offsets = arrivals - self._deadline
        middle = float(np.angle(np.exp(2j * np.pi * offsets / cycle).mean())) / (2 * np.pi) * cycle
        around = (offsets - middle + cycle / 2) % cycle - cycle / 2
        error = middle + float(np.quantile(around, _NEARLY_EVERY)) + LEAD
        error = (error + cycle / 2) % cycle - cycle / 2
        if not steady:
            return error
        largest = SLEW * self.period
        return max(-largest, min(largest, _GAIN * error))
