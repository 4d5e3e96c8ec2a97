"""Videos that people can play anywhere."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray

from robot_agent.errors import RunError


class VideoWriter:
    """Writes an mp4 (H.264, yuv420p) frame by frame; the file is there, whole, when the `with` block ends well.

    Args:
        path: of the file.
        fps: frames per second.

    Raises:
        RunError: in `write`, a frame is not uint8 (height, width, 3) of the first one's size; there, or at the end, the
            video could not be written.
    """

    def __init__(self, path: Path, fps: int) -> None:
        self.path, self.fps = path, fps
        self.written = 0
        self._partial = path.with_name(f".{path.stem}.{os.getpid()}.mp4")
        self._shape: tuple[int, ...] = ()
        self._ffmpeg: Generator[None, Any, None] | None = None

    def __enter__(self) -> VideoWriter:
        return self

    def write(self, frame: NDArray[np.uint8]) -> None:
        """One more frame, RGB; an odd height or width loses its last line."""
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or min(frame.shape) < 2:
            raise RunError(f"a frame of {self.path} is {frame.dtype} {frame.shape}, expected uint8 (height, width, 3)")
        if self._shape and frame.shape != self._shape:
            raise RunError(f"the frames of {self.path} change from {self._shape} to {frame.shape}, expected one size")
        height, width = frame.shape[0] // 2 * 2, frame.shape[1] // 2 * 2
        try:
            if self._ffmpeg is None:
                self._shape = frame.shape
                self._ffmpeg = self._start(height, width)
            self._ffmpeg.send(np.ascontiguousarray(frame[:height, :width]))
        except (OSError, RuntimeError, StopIteration) as error:
            raise self._failed() from error
        self.written += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._ffmpeg is not None:
                self._ffmpeg.close()
            if kind is None:
                self._finish()
        finally:
            with suppress(OSError):
                self._partial.unlink(missing_ok=True)

    def _start(self, height: int, width: int) -> Generator[None, Any, None]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        ffmpeg: Generator[None, Any, None] = imageio_ffmpeg.write_frames(
            str(self._partial),
            (width, height),
            fps=self.fps,
            codec="libx264",
            pix_fmt_in="rgb24",
            pix_fmt_out="yuv420p",
            macro_block_size=2,
            quality=7,
            ffmpeg_log_level="error",
            output_params=["-movflags", "+faststart", "-threads", "1"],
        )
        ffmpeg.send(None)
        return ffmpeg

    def _finish(self) -> None:
        """Its place, once it holds what was written: ffmpeg's exit status is not handed on."""
        if not self.written:
            raise RunError(f"there are no frames for {self.path}: expected at least one")
        try:
            found = imageio_ffmpeg.count_frames_and_secs(str(self._partial))[0]
        except RuntimeError as error:
            raise self._failed() from error
        if found != self.written:
            raise self._failed()
        os.replace(self._partial, self.path)

    def _failed(self) -> RunError:
        return RunError(f"ffmpeg could not write {self.path}: free some space, or choose another place")


def write_video(path: Path, frames: NDArray[np.uint8], fps: int) -> None:
    """Writes an mp4 (H.264, yuv420p), whole or not at all.

    Args:
        path: of the file.
        frames: RGB `(frames, height, width, 3)`; an odd height or width loses its last line.
        fps: frames per second.

    Raises:
        RunError: the frames are none or of another kind, or the video could not be written.
    """
    with VideoWriter(path, fps) as video:
        for frame in frames:
            video.write(frame)
