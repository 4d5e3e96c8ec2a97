"""The ChArUco board that was filmed, as `board.yaml` describes it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from robot_agent_calibration.errors import CalibrationError


@dataclass(frozen=True)
class Board:
    """A chessboard whose white squares hold ArUco markers.

    Its frame is OpenCV's: origin in the outer corner of the first square, x along the columns, y along the rows, z into
    the board (away from who looks at it).
    """

    squares: tuple[int, int] = (8, 6)
    """(columns, rows)."""

    square: float = 0.03
    """Side of a square, m."""

    marker: float = 0.022
    """Side of a marker, m."""

    dictionary: str = "DICT_4X4_50"
    """Of ArUco, as OpenCV names it."""

    legacy: bool = False
    """Laid out as OpenCV before 4.6 printed boards with an even number of rows."""

    first_marker: int = 0
    """Id of the first marker; the others follow it."""

    @property
    def marker_ids(self) -> range:
        """Of its markers, in order."""
        return range(self.first_marker, self.first_marker + self.squares[0] * self.squares[1] // 2)

    @property
    def corner_count(self) -> int:
        """Inner corners of the chessboard."""
        return (self.squares[0] - 1) * (self.squares[1] - 1)

    @property
    def size(self) -> tuple[float, float]:
        """(width, height) in m."""
        return self.squares[0] * self.square, self.squares[1] * self.square

    def corners(self) -> NDArray[np.float64]:
        """The inner corners in the board's frame, (corner_count, 3) in m, in the order of their ids."""
        columns, rows = self.squares
        y, x = np.mgrid[1:rows, 1:columns] * self.square
        return np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], axis=1)

    @classmethod
    def read(cls, path: Path) -> Board:
        """Reads `board.yaml`.

        Raises:
            CalibrationError: it is missing, no YAML, or describes no board that there can be.
        """
        try:
            content = yaml.safe_load(path.read_text())
        except (OSError, UnicodeDecodeError) as error:
            raise CalibrationError(
                f"cannot read {path} ({error}): give the board's squares, square and marker"
            ) from error
        except yaml.YAMLError as error:
            raise CalibrationError(f"{path} cannot be read as YAML ({' '.join(str(error).split())})") from error
        if not isinstance(content, dict):
            raise CalibrationError(f"{path} is no mapping, expected squares, square, marker and dictionary")
        needed, possible = {"squares", "square", "marker", "dictionary"}, {"legacy", "first_marker"}
        odd = sorted(map(str, set(content) - needed - possible))
        missing = sorted(needed - set(content))
        if odd or missing:
            wrong = f"has an unknown field {odd[0]!r}" if odd else f"lacks {missing[0]!r}"
            raise CalibrationError(
                f"{path} {wrong}, expected squares, square, marker, dictionary and perhaps legacy and first_marker"
            )
        return cls._checked(path, content)

    @classmethod
    def _checked(cls, path: Path, content: dict[str, Any]) -> Board:
        squares, square, marker = content["squares"], content["square"], content["marker"]
        if not (isinstance(squares, list) and len(squares) == 2 and all(isinstance(n, int) and n > 2 for n in squares)):
            raise CalibrationError(f"squares in {path} is {squares!r}, expected [columns, rows], each at least 3")
        if not all(isinstance(side, int | float) for side in (square, marker)) or not 0 < marker < square < 10:
            raise CalibrationError(
                f"square and marker in {path} are {square!r} and {marker!r}, expected sides in m, the marker's smaller"
            )
        first = content.get("first_marker", 0)
        if type(first) is not int or first < 0:
            raise CalibrationError(f"first_marker in {path} is {first!r}, expected the id of the board's first marker")
        return cls(
            (squares[0], squares[1]),
            float(square),
            float(marker),
            str(content["dictionary"]),
            bool(content.get("legacy", False)),
            first,
        )

    def to_yaml(self) -> str:
        """The text of `board.yaml`."""
        content: dict[str, Any] = {
            "squares": list(self.squares),
            "square": self.square,
            "marker": self.marker,
            "dictionary": self.dictionary,
        }
        if self.legacy:
            content["legacy"] = True
        if self.first_marker:
            content["first_marker"] = self.first_marker
        return yaml.safe_dump(content, sort_keys=False)
