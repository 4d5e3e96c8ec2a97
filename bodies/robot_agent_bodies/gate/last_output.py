"""Where the output rests, kept for the next gate: a servo that sags must not make it begin lower each time."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path


def folder_of_user() -> Path:
    """A folder that only this user can write to, where there is memory for it; empty after a restart of the machine.

    Raises:
        OSError: it belongs to somebody else, or cannot be made.
    """
    own, memory = os.environ.get("XDG_RUNTIME_DIR"), Path("/dev/shm")
    if own and Path(own).is_dir():
        folder = Path(own) / "robot_agent"
    else:
        folder = (memory if memory.is_dir() else Path(tempfile.gettempdir())) / f"robot_agent-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid() or folder.is_symlink():
        raise PermissionError(f"{folder} belongs to somebody else")
    return folder


FRESH = 60.0
"""Seconds for which the robot is believed to be held there: whoever switches it off and on takes longer."""
_RENEWED = 1.0
"""Seconds between two signs of life."""


class LastOutput:
    """A file that holds where the output rests while it rests, and is gone while it moves.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._kept: dict[str, float] | None = None
        self._renew_at = 0.0

    def read(self) -> dict[str, float] | None:
        """What a gate before kept, rad by joint; None if it did not rest when it ended, or ended long ago."""
        try:
            if not 0 <= time.time() - self.path.stat().st_mtime + 1 <= FRESH:
                return None
            kept = json.loads(self.path.read_text())
            return {str(name): float(position) for name, position in kept.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return None

    def keep(self, positions: Mapping[str, float] | None) -> None:
        """Keeps where the output rests; None while it moves."""
        now = time.monotonic()
        if now < self._renew_at and positions == self._kept:
            return
        self._kept, self._renew_at = None if positions is None else dict(positions), now + _RENEWED
        if self._kept is None:
            self.path.unlink(missing_ok=True)
            return
        partial = self.path.with_suffix(".partial")
        partial.write_text(json.dumps(self._kept))
        os.replace(partial, self.path)
