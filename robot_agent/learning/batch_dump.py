"""Batches on which a loss was not finite, kept for people to look at."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import fields
from pathlib import Path

import numpy as np

from robot_agent.errors import RunError
from robot_agent.replay.sampler import SequenceBatch

PREFIX = "batch-"


def dump_batch(folder: Path, attempt: int, batch: SequenceBatch) -> Path:
    """Writes the batch of an update that was skipped to `folder/batch-<attempt>.npz`."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, np.ndarray] = {}
    for field in fields(batch):
        value = getattr(batch, field.name)
        if field.name == "cameras":
            arrays |= {f"cameras/{name}": frames for name, frames in value.items()}
        else:
            arrays[field.name] = value
    path = folder / f"{PREFIX}{attempt:09d}.npz"
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]  # a name could be allow_pickle, none is
    return path


def describe_dump(path: Path) -> list[str]:
    """One line for each array of a dumped batch: range, and where it is not finite.

    Raises:
        RunError: there is no such dump, or it is damaged.
    """
    try:
        with path.open("rb") as file, np.load(file) as arrays:
            return [_describe(name, arrays[name]) for name in arrays.files]
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise RunError(f"{path} is not a dumped batch ({error}): give a file of the run's `dumps` folder") from error


def _describe(name: str, array: np.ndarray) -> str:
    line = f"{name:<24} {array.dtype!s:<8} {array.shape!s:<24}"
    if array.size == 0:
        return line + " empty"
    if array.dtype.kind != "f":
        return line + f" {array.min()} to {array.max()}"
    finite = np.isfinite(array)
    bad = np.argwhere(~finite)
    if finite.any():
        line += f" {array[finite].min():.4g} to {array[finite].max():.4g}"
    return line + (f", {len(bad)} not finite, first at {tuple(int(i) for i in bad[0])}" if len(bad) else "")
