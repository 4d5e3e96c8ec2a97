"""The summary of a closed segment: what opening it needs, so that its rows need not be read."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from robot_agent.replay.schema import Lived
from robot_agent.replay.stretches import STRETCH, cut
from robot_agent.types import BodySpec

SUMMARY_FILE = "summary.npz"


class Summary(NamedTuple):
    """What a segment holds.

    Attributes:
        rows: of it, final observations included.
        quarantined: rows that are never learned from.
        lived: decisions, control frames, and the highest episode's number plus 1.
        stretches: `STRETCH` `(stretches,)`.
    """

    rows: int
    quarantined: int
    lived: Lived
    stretches: NDArray[np.void]

    @classmethod
    def of(cls, rows: NDArray[np.void], spec: BodySpec, stretches: bool = True) -> Summary:
        """The summary of rows; cutting them into stretches may be left out."""
        frames = spec.frames_in(rows["dt"][~rows["is_final"]])
        episodes = int(rows["episode"].max()) + 1 if len(rows) else 0
        return cls(
            len(rows),
            int(np.count_nonzero(~rows["valid"])),
            Lived(len(frames), int(frames.sum()), episodes),
            cut(0, rows) if stretches and len(rows) else np.zeros(0, STRETCH),
        )

    def write(self, folder: Path) -> None:
        """Writes it whole or not at all.

        Raises:
            OSError: the disk is full or gone.
        """
        arrays = {name: self.stretches[name] for name in STRETCH.names or ()}
        arrays["numbers"] = np.array([self.rows, self.quarantined, *self.lived], np.int64)
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]  # a name could be allow_pickle, none is
        temporary = folder / f".{SUMMARY_FILE}"
        with temporary.open("wb") as file:
            file.write(buffer.getbuffer())
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, folder / SUMMARY_FILE)

    @classmethod
    def read(cls, folder: Path) -> Summary | None:
        """The summary of a segment; None where it has none that can be read: it was not closed, or is older."""
        try:
            with (folder / SUMMARY_FILE).open("rb") as raw, np.load(raw) as file:
                rows, quarantined, *lived = (int(number) for number in file["numbers"])
                stretches = np.zeros(len(file["first"]), STRETCH)
                for name in STRETCH.names or ():
                    stretches[name] = file[name]
                return cls(rows, quarantined, Lived(*lived), stretches)
        except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
            return None
