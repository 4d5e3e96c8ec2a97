"""Checkpoints: written whole or not at all, verified when read, the last few kept."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from safetensors.torch import save as to_safetensors
from torch import Tensor

from robot_agent.errors import CheckpointError

PREFIX = "checkpoint-"
TENSORS_FILE = "weights.safetensors"
STATE_FILE = "state.json"
MANIFEST_FILE = "manifest.json"
_TENSOR_MARK = "__tensor__"


@dataclass(frozen=True)
class Checkpoint:
    """What was saved: `tensors` by name and a JSON-able `state`, at `step`."""

    step: int
    tensors: dict[str, Tensor]
    state: dict[str, Any]
    path: Path


class CheckpointStore:
    """A folder of checkpoints.

    Args:
        folder: holds one folder a checkpoint.
        keep: how many stay.
        keep_every: those whose step is a multiple of this stay for good; 0 for none.
    """

    def __init__(self, folder: Path, keep: int = 3, keep_every: int = 0) -> None:
        self.folder = Path(folder)
        self.keep = keep
        self.keep_every = keep_every

    def save(self, step: int, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> Path:
        """Writes a checkpoint, then removes those beyond the last `keep`, but for those that stay for good.

        Raises:
            CheckpointError: the disk is full or gone; older checkpoints stay as they are.
        """
        path = self._path(step)
        temporary = self.folder / f".{path.name}.{os.getpid()}"
        replaced = temporary.with_suffix(".replaced")
        # Copies, since safetensors refuses tensors that share memory; as bytes, since its own writer hides the errno.
        content = to_safetensors({name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()})
        files = {TENSORS_FILE: content, STATE_FILE: json.dumps(state).encode()}
        manifest = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
        files[MANIFEST_FILE] = json.dumps(manifest).encode()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for left in self.folder.glob(f".{PREFIX}*"):
                shutil.rmtree(left)
            temporary.mkdir()
            for name, data in files.items():
                (temporary / name).write_bytes(data)
                _sync(temporary / name)
            _sync(temporary)
            if path.exists():
                os.rename(path, replaced)
            os.rename(temporary, path)
            _sync(self.folder)
        except OSError as error:
            shutil.rmtree(temporary, ignore_errors=True)
            if replaced.exists() and not path.exists():
                os.rename(replaced, path)
            raise CheckpointError(
                f"cannot write a checkpoint to {self.folder} ({error.strerror or error}): free some space; "
                "the older checkpoints are as they were"
            ) from error
        shutil.rmtree(replaced, ignore_errors=True)
        others = [other for other in self._paths() if other != path and not self._stays(other)]
        for old in others[: max(0, len(others) + 1 - self.keep)]:
            shutil.rmtree(old, ignore_errors=True)
        return path

    def load_latest(self) -> Checkpoint:
        """The newest checkpoint that is whole; a damaged one is passed over with a warning.

        Raises:
            CheckpointError: there is none.
        """
        paths = self._paths()
        for path in reversed(paths):
            try:
                return _load(path)
            except (OSError, ValueError, KeyError, TypeError) as error:
                warnings.warn(f"{path} is damaged ({error}): it is passed over", stacklevel=2)
        if paths:
            raise CheckpointError(f"none of the {len(paths)} checkpoints in {self.folder} can be read: start a new run")
        raise CheckpointError(f"{self.folder} holds no checkpoint: the run ended before its first, start a new one")

    def load(self, step: int) -> Checkpoint:
        """The checkpoint of a step.

        Raises:
            CheckpointError: there is none, or it is damaged.
        """
        path = self._path(step)
        if not path.is_dir():
            there = ", ".join(map(str, self.steps)) or "none"
            raise CheckpointError(f"{self.folder} holds no checkpoint of decision {step}, only of {there}")
        try:
            return _load(path)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CheckpointError(f"{path} is damaged ({error}): choose another checkpoint") from error

    @property
    def steps(self) -> list[int]:
        """Of all checkpoints, the oldest first."""
        return [_step(path) for path in self._paths()]

    @property
    def empty(self) -> bool:
        """Whether nothing was ever saved here."""
        return self.newest is None

    @property
    def newest(self) -> Path | None:
        """Where the newest one is, None if there is none; whether it is whole, only loading tells."""
        return next(reversed(self._paths()), None)

    def _paths(self) -> list[Path]:
        return sorted(self.folder.glob(f"{PREFIX}*"))

    def _path(self, step: int) -> Path:
        return self.folder / f"{PREFIX}{step:012d}"

    def _stays(self, path: Path) -> bool:
        return self.keep_every > 0 and _step(path) % self.keep_every == 0


def _step(path: Path) -> int:
    return int(path.name.removeprefix(PREFIX))


def _load(path: Path) -> Checkpoint:
    manifest = json.loads((path / MANIFEST_FILE).read_text())
    for name in (TENSORS_FILE, STATE_FILE):
        if _digest(path / name) != manifest[name]:
            raise ValueError(f"{name} is not what was written")
    state = json.loads((path / STATE_FILE).read_text())
    return Checkpoint(_step(path), load_file(path / TENSORS_FILE), state, path)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def flatten(tree: Any) -> tuple[dict[str, Tensor], Any]:
    """Splits a nested state into its tensors by path and a JSON-able rest that names them."""
    tensors: dict[str, Tensor] = {}

    def visit(node: Any, path: str) -> Any:
        if isinstance(node, Tensor):
            while path in tensors:  # {"a/b": ...} beside {"a": {"b": ...}}
                path += "'"
            tensors[path] = node
            return {_TENSOR_MARK: path}
        if isinstance(node, Mapping):
            # A list of pairs, since the keys of an optimiser's state are integers, which JSON would turn into strings.
            return {"items": [[key, visit(value, f"{path}/{key}")] for key, value in node.items()]}
        if isinstance(node, list | tuple):
            kind = "list" if isinstance(node, list) else "tuple"
            return {kind: [visit(value, f"{path}/{index}") for index, value in enumerate(node)]}
        return node

    return tensors, visit(tree, "")


def unflatten(tensors: Mapping[str, Tensor], state: Any) -> Any:
    """The inverse of `flatten`."""
    if not isinstance(state, Mapping):
        return state
    if _TENSOR_MARK in state:
        return tensors[state[_TENSOR_MARK]]
    if "items" in state:
        return {key: unflatten(tensors, value) for key, value in state["items"]}
    kind, values = next(iter(state.items()))
    content = [unflatten(tensors, value) for value in values]
    return content if kind == "list" else tuple(content)
