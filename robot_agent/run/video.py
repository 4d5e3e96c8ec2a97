"""Videos that people can play anywhere."""

from __future__ import annotations

from pathlib import Path

import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray


def write_video(path: Path, frames: NDArray[np.uint8], fps: int) -> None:
    """Writes an mp4 (H.264, yuv420p).

    Args:
        path: of the file.
        frames: RGB `(frames, height, width, 3)`; an odd height or width loses its last line.
        fps: frames per second.
    """
    even = np.ascontiguousarray(frames[:, : frames.shape[1] // 2 * 2, : frames.shape[2] // 2 * 2])
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = imageio_ffmpeg.write_frames(
        str(path),
        (even.shape[2], even.shape[1]),
        fps=fps,
        codec="libx264",
        pix_fmt_in="rgb24",
        pix_fmt_out="yuv420p",
        macro_block_size=2,
        quality=7,
        output_params=["-movflags", "+faststart", "-threads", "1"],
    )
    writer.send(None)
    for frame in even:
        writer.send(frame)
    writer.close()
