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

from safetensors.torch import load_file, save_file
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
    """

    def __init__(self, folder: Path, keep: int = 3) -> None:
        self.folder = Path(folder)
        self.keep = keep

    def save(self, step: int, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> Path:
        """Writes a checkpoint, then removes those beyond the last `keep`.

        Raises:
            CheckpointError: the disk is full or gone; older checkpoints stay as they are.
        """
        path = self.folder / f"{PREFIX}{step:012d}"
        temporary = self.folder / f".{path.name}.{os.getpid()}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for left in self.folder.glob(f".{PREFIX}*"):
                shutil.rmtree(left)
            temporary.mkdir()
            save_file(
                {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, temporary / TENSORS_FILE
            )
            (temporary / STATE_FILE).write_text(json.dumps(state))
            digests = {name: _digest(temporary / name) for name in (TENSORS_FILE, STATE_FILE)}
            (temporary / MANIFEST_FILE).write_text(json.dumps(digests))
            for name in (*digests, MANIFEST_FILE, "."):
                _sync(temporary / name)
            if path.exists():
                shutil.rmtree(path)
            os.rename(temporary, path)
            _sync(self.folder)
        except OSError as error:
            shutil.rmtree(temporary, ignore_errors=True)
            raise CheckpointError(
                f"cannot write a checkpoint to {self.folder} ({error.strerror or error}): free some space; "
                "the older checkpoints are as they were"
            ) from error
        for old in self._paths()[: -self.keep]:
            shutil.rmtree(old)
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
            except (OSError, ValueError, KeyError) as error:
                warnings.warn(f"{path} is damaged ({error}): the checkpoint before it is used", stacklevel=2)
        if paths:
            raise CheckpointError(f"none of the {len(paths)} checkpoints in {self.folder} can be read: start a new run")
        raise CheckpointError(f"{self.folder} holds no checkpoint: the run ended before its first, start a new one")

    @property
    def empty(self) -> bool:
        """Whether nothing was ever saved here."""
        return not self._paths()

    def _paths(self) -> list[Path]:
        return sorted(self.folder.glob(f"{PREFIX}*"))


def _load(path: Path) -> Checkpoint:
    manifest = json.loads((path / MANIFEST_FILE).read_text())
    for name in (TENSORS_FILE, STATE_FILE):
        if _digest(path / name) != manifest[name]:
            raise ValueError(f"{name} is not what was written")
    state = json.loads((path / STATE_FILE).read_text())
    return Checkpoint(int(path.name.removeprefix(PREFIX)), load_file(path / TENSORS_FILE), state, path)


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
