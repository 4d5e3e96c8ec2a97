"""Finds the board in the images of a recording, and says which images are of no use and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robot_agent_calibration.camera.views import View, spread_out
from robot_agent_calibration.errors import CalibrationError
from robot_agent_calibration.geometry import Array
from robot_agent_calibration.recording.board import Board
from robot_agent_calibration.recording.images import opencv
from robot_agent_calibration.recording.recording import Frame

LEAST_CORNERS = 6
"""That a view must show."""
BLURRED = 5.0
"""px of a picture of `FINE` or fewer columns that an edge takes from black to white; sharp ones have about 2."""
FINE = 640
"""Columns beyond which a picture may be one that was scaled up: its edges may be as much wider."""
SAME = 0.3
"""px; two images whose corners lie closer than this (root mean square) show the same."""
LEAST_ROOM = 2.3
"""px between a corner and the nearest marker, without which it cannot be told from the marker's own corner."""
NO_BOARD, SMALL, MIRRORED, OTHER, OTHER_IDS, BLUR, DUPLICATE = (
    "show no board",
    "show the board too small or too tilted",
    "show a mirrored board",
    "show a board of another size",
    "show markers of other ids",
    "are blurred",
    "show the same as another image",
)


@dataclass(frozen=True)
class Detections:
    """The views of a recording.

    Args:
        views: of use.
        size: of the images, (width, height).
        dropped: what is wrong with each other image, by its name.
    """

    views: Sequence[View]
    size: tuple[int, int]
    dropped: dict[str, str] = field(default_factory=dict)


def detect(frames: Sequence[Frame], board: Board, least: int) -> Detections:
    """Finds the board in every image.

    Args:
        frames: of the recording.
        board: that they should show.
        least: number of views of use that are needed.

    Raises:
        CalibrationError: images are of different sizes, or too few are of use; the sentence says what is wrong with the
            others.
    """
    finder = Finder(board)
    views: list[View] = []
    dropped: dict[str, str] = {}
    size: tuple[int, int] | None = None
    for frame in frames:
        image = frame.image()
        own = (image.shape[1], image.shape[0])
        size = size or own
        if own != size:
            raise CalibrationError(
                f"image {frame.name} is of {own[0]}x{own[1]}, the first of {size[0]}x{size[1]}: one camera has one size"
            )
        fault, ids, pixels = finder.find(image)
        if not fault and any(_same(ids, pixels, view) for view in views):
            fault = DUPLICATE
        if fault:
            dropped[frame.name] = fault
        else:
            views.append(View(frame.name, ids, pixels, frame.stamp))
    if len(views) < least:
        raise CalibrationError(_too_few(len(frames), len(views), dropped, least, finder))
    assert size is not None
    return Detections(views, size, dropped)


def _too_few(images: int, views: int, dropped: dict[str, str], least: int, finder: Finder) -> str:
    board, counts = finder.board, Counter(dropped.values())
    ids = sorted(finder.other_ids)
    faults = ", ".join(f"{count} {fault}" for fault, count in counts.most_common())
    remedy = {
        MIRRORED: "print the board anew, or record without mirroring the image",
        OTHER: f"correct board.yaml, which says {board.squares[0]}x{board.squares[1]} squares of {board.square:g} m "
        f"with markers of {board.marker:g} m",
        OTHER_IDS: f"board.yaml says {board.marker_ids[0]} to {board.marker_ids[-1]}, seen were "
        f"{ids[0]} to {ids[-1]}: give the id of the first there as first_marker"
        if ids
        else "",
        SMALL: "bring board and camera nearer to each other",
        BLUR: "hold still for each picture, and focus",
        DUPLICATE: "move the board or the camera between pictures",
        NO_BOARD: f"look whether they show a ChArUco board of {board.dictionary}, whole and in good light",
    }
    most = counts.most_common(1)[0][0] if counts else None
    what = remedy[most] if most else "record more"
    found = f"{views} of {images} images are of use" + (f" ({faults})" if faults else "")
    return f"{found}, expected at least {least}: {what}"


def _same(ids: NDArray[np.int64], pixels: Array, view: View) -> bool:
    shared, own, other = np.intersect1d(ids, view.ids, return_indices=True)
    if len(shared) < max(LEAST_CORNERS, 0.8 * max(len(ids), len(view.ids))):
        return False
    return bool(np.sqrt(np.mean(np.sum((pixels[own] - view.pixels[other]) ** 2, axis=1))) < SAME)


def charuco_board(board: Board) -> Any:
    """OpenCV's `CharucoBoard`.

    Raises:
        CalibrationError: OpenCV knows no such dictionary, or it has too few markers for the board.
    """
    cv2 = opencv()
    if not hasattr(cv2.aruco, board.dictionary):
        raise CalibrationError(f"OpenCV has no ArUco dictionary {board.dictionary!r}: one is DICT_4X4_50")
    dictionary = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, board.dictionary))
    if board.marker_ids[-1] >= len(dictionary.bytesList):
        raise CalibrationError(
            f"{board.dictionary} has {len(dictionary.bytesList)} markers, the board's "
            f"{board.squares[0]}x{board.squares[1]} squares need those of ids {board.marker_ids[0]} to "
            f"{board.marker_ids[-1]}: correct board.yaml"
        )
    drawn = cv2.aruco.CharucoBoard(
        board.squares, board.square, board.marker, dictionary, np.array(board.marker_ids, np.int32)
    )
    drawn.setLegacyPattern(board.legacy)
    return drawn


class Finder:
    """Finds one board's corners in grey images.

    Raises:
        CalibrationError: OpenCV knows no such dictionary, or it has too few markers for the board.
    """

    def __init__(self, board: Board) -> None:
        self._cv2 = cv2 = opencv()
        self.board = board
        self.other_ids: set[int] = set()
        """Ids of markers where they are not those of `board`."""
        drawn = charuco_board(board)
        self._markers = {
            int(number): np.asarray(points)[:, :2]
            for number, points in zip(drawn.getIds().ravel(), drawn.getObjPoints(), strict=True)
        }
        self._detector = cv2.aruco.CharucoDetector(drawn)
        parameters = cv2.aruco.DetectorParameters()
        parameters.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX
        self._marker_detector = cv2.aruco.ArucoDetector(drawn.getDictionary(), parameters)

    def find(self, image: NDArray[np.uint8]) -> tuple[str, NDArray[np.int64], Array]:
        """What is wrong with the image (or nothing), ids (n,) and pixels (n, 2) of the corners found."""
        fault, ids, pixels = self._found(image)
        # Some markers are read, as others, where they are seen in a mirror.
        if fault in (NO_BOARD, OTHER, OTHER_IDS) and not self._found(np.ascontiguousarray(image[:, ::-1]))[0]:
            return MIRRORED, ids, pixels
        return fault, ids, pixels

    def _found(self, image: NDArray[np.uint8]) -> tuple[str, NDArray[np.int64], Array]:
        nothing = np.empty(0, np.int64), np.empty((0, 2))
        corners, numbers, _ = self._marker_detector.detectMarkers(image)
        if numbers is None or len(numbers) < 3:
            return (BLUR if _smooth(image) else NO_BOARD), *nothing
        if fault := self._is_another(corners, numbers.ravel()):
            return fault, *nothing
        pixels, ids, _, _ = self._detector.detectBoard(image)
        if ids is None or len(ids) < LEAST_CORNERS:
            return (BLUR if _smooth(image) else NO_BOARD), *nothing
        ids, pixels = ids.ravel().astype(np.int64), pixels.reshape(-1, 2).astype(np.float64)
        room = self._room(ids, pixels)
        ids, pixels, room = ids[room > LEAST_ROOM], pixels[room > LEAST_ROOM], room[room > LEAST_ROOM]
        if not spread_out(ids, self.board.squares[0] - 1):
            return SMALL, *nothing
        pixels = self._refined(image, pixels, room)
        if self._edge_width(image, ids, pixels) > BLURRED * _scale(image):
            return BLUR, *nothing
        return "", ids, pixels

    def _refined(self, image: NDArray[np.uint8], pixels: Array, room: Array) -> Array:
        """Corners to a fraction of a pixel, each in as large a window as stays clear of the markers."""
        cv2 = self._cv2
        criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 60, 1e-4)
        refined, scale = pixels.copy(), _scale(image)
        for index, own in enumerate(room):
            half = int(np.clip(np.floor(own), 2, 7 * scale))
            corner = pixels[index].astype(np.float32).reshape(1, 1, 2)
            refined[index] = cv2.cornerSubPix(image, corner, (half, half), (-1, -1), criteria).ravel()
        moved = np.linalg.norm(refined - pixels, axis=1) > 2 * scale
        return np.where(moved[:, None], pixels, refined)

    def _room(self, ids: NDArray[np.int64], pixels: Array) -> Array:
        """px from each corner to the nearest marker, where a tilt has brought it nearest."""
        at = dict(zip(ids.tolist(), pixels, strict=True))
        columns = self.board.squares[0] - 1
        room = []
        for number, pixel in at.items():
            aside = [n for n in (number - 1, number + 1) if n in at and n // columns == number // columns]
            above = [n for n in (number - columns, number + columns) if n in at]
            sides = [min((at[n] - pixel for n in near), key=np.linalg.norm) for near in (aside, above) if near]
            if len(sides) == 2:
                (a, b), (c, d) = sides
                room.append(abs(a * d - b * c) / max(np.hypot(a, b), np.hypot(c, d)))
            else:
                room.append(float(np.linalg.norm(sides[0])) if sides else 0.0)
        return np.array(room) * self._clear

    @property
    def _clear(self) -> float:
        """The white margin around a marker, in sides of a square."""
        return (self.board.square - self.board.marker) / 2 / self.board.square

    def _edges(self, ids: NDArray[np.int64], pixels: Array) -> list[tuple[Array, Array]]:
        """Pairs of neighbouring corners along both directions."""
        at = dict(zip(ids.tolist(), pixels, strict=True))
        columns = self.board.squares[0] - 1
        pairs = []
        for number, pixel in at.items():
            if (number + 1) % columns and number + 1 in at:
                pairs.append((pixel, at[number + 1]))
            if number + columns in at:
                pairs.append((pixel, at[number + columns]))
        return pairs

    def _edge_width(self, image: NDArray[np.uint8], ids: NDArray[np.int64], pixels: Array) -> float:
        """px that the edges between squares take from black to white; the upper quartile, so that motion is seen."""
        reach = 12 * _scale(image)
        widths = []
        for a, b in self._edges(ids, pixels):
            length = float(np.linalg.norm(b - a))
            half = min(reach, self._clear * length * 0.95)
            if half < 2:
                continue
            along = (b - a) / length
            across = np.array([-along[1], along[0]])
            steps = np.arange(-half, half + 0.25, 0.5)
            lines = [(a + (b - a) * share)[None] + steps[:, None] * across for share in (0.3, 0.4, 0.5, 0.6, 0.7)]
            samples = self._cv2.remap(image, np.stack(lines).astype(np.float32), None, self._cv2.INTER_LINEAR)
            profile = samples.mean(axis=0)
            slope = np.abs(np.diff(profile)).max() / 0.5
            widths.append(abs(float(profile[-1]) - float(profile[0])) / max(slope, 1e-6))
        return float(np.quantile(widths, 0.75)) if widths else 0.0

    def _is_another(self, corners: Sequence[Any], numbers: NDArray[np.int32]) -> str:
        """How the markers do not lie as board.yaml says, if so: other ids, other neighbours, or another size."""
        ids = {int(number) for number in numbers}
        strange = ids - set(self._markers)
        other = OTHER
        if strange and max(ids) - min(ids) < len(self._markers) and min(ids) > self.board.first_marker:
            other = OTHER_IDS
            self.other_ids |= ids
        if len(strange) > len(numbers) / 4:
            return other
        known = [index for index, number in enumerate(numbers) if int(number) in self._markers]
        if len(known) < 5:  # too few to tell
            return ""
        cv2 = self._cv2
        on_board = np.stack([self._markers[int(numbers[index])] for index in known]).astype(np.float32)
        in_image = np.stack([corners[index].reshape(4, 2) for index in known]).astype(np.float32)
        side = self.board.marker
        plane, inside = cv2.findHomography(in_image.mean(1), on_board.mean(1), cv2.RANSAC, 0.7 * side)
        if plane is None or inside.sum() < 0.6 * len(known):
            return other
        there = cv2.perspectiveTransform(in_image.reshape(-1, 1, 2), plane).reshape(-1, 4, 2)[inside.ravel() > 0]
        sides = np.linalg.norm(there - np.roll(there, 1, axis=1), axis=2)
        return other if abs(float(np.median(sides)) / side - 1) > 0.1 else ""


def _scale(image: NDArray[np.uint8]) -> float:
    """How many times wider than usual edges may be."""
    return max(1.0, image.shape[1] / FINE)


def _smooth(image: NDArray[np.uint8]) -> bool:
    """Whether an image has contrast but no edges."""
    cv2, scale = opencv(), _scale(image)
    height, width = image.shape
    small = cv2.resize(image, (round(width / scale), round(height / scale)), interpolation=cv2.INTER_AREA)
    grey = small.astype(np.float32)
    contrast = float(np.quantile(grey, 0.98) - np.quantile(grey, 0.02))
    quiet = cv2.GaussianBlur(grey, (0, 0), 1.0)
    slopes = np.hypot(cv2.Sobel(quiet, cv2.CV_32F, 1, 0), cv2.Sobel(quiet, cv2.CV_32F, 0, 1)) / 8
    rough = float(np.std(grey - quiet)) > 0.1 * contrast  # noise, and no picture
    return contrast > 30 and not rough and contrast / max(float(np.quantile(slopes, 0.999)), 1e-6) > 6
