"""Where the joints of a recording were."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LONGEST = 1.0
"""s after a joint state in which it still says where the joints are."""


class Moved(NamedTuple):
    """Where joints were: s of ROS's clock (m,), and rad (m, n)."""

    stamps: NDArray[np.float64]
    positions: NDArray[np.float64]

    def at(self, stamp: float) -> NDArray[np.float64] | None:
        """At a time (n,); None if nothing is known of shortly before."""
        if not len(self.stamps):
            return None
        index = int(np.searchsorted(self.stamps, stamp, "right")) - 1
        near = index >= 0 and stamp - self.stamps[index] < LONGEST
        return self.positions[index] if near else None
