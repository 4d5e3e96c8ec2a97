"""The folder of all recordings: how much is in it, what is the oldest, and how much the disk has left. No rclpy."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path


def recorded_files(folder: Path) -> list[Path]:
    """All MCAP files of recordings, the oldest first."""
    files = [path for path in folder.glob("*/*.mcap") if path.is_file()]
    return sorted(files, key=lambda path: (path.stat().st_mtime_ns, path.name))


def make_room(folder: Path, largest_bytes: int, keep: Path | None = None) -> list[Path]:
    """Deletes the oldest files until no more than this is left, and folders of recordings that got empty by it.

    Args:
        folder: of all recordings.
        largest_bytes: of all files together, the one to come included.
        keep: a file that stays.

    Returns:
        what was deleted.
    """
    files = recorded_files(folder)
    sizes = {path: path.stat().st_size for path in files}
    total, deleted = sum(sizes.values()), []
    for path in files:
        if total <= largest_bytes:
            break
        if path == keep:
            continue
        path.unlink()
        total -= sizes[path]
        deleted.append(path)
        if not any(path.parent.glob("*.mcap")) and (keep is None or keep.parent != path.parent):
            shutil.rmtree(path.parent, ignore_errors=True)
    return deleted


def free_bytes(folder: Path) -> int:
    """What the disk of a folder has left; 0 if it is gone."""
    with suppress(OSError):
        return shutil.disk_usage(folder).free
    return 0
