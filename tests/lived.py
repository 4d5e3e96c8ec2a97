"""What a run has lived through, for tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from robot_agent.replay.replay import Replay


def lived(run: Path) -> np.ndarray:
    """The rows of every decision in a run's replay, oldest first."""
    segments = Replay(run / "replay").segments
    rows = np.concatenate([segments[number].read() for number in sorted(segments)])
    return rows[~rows["is_final"]]
