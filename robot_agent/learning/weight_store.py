"""The weight store: where a learner publishes and actors look, without either waiting for the other."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from robot_agent.errors import RobotAgentError

Weights = Mapping[str, Tensor]
_HEADER_BYTES = 64
_DESCRIPTION_BYTES = 64 * 1024


class WeightStore(Protocol):
    """Versions count up from 1; a set of weights is seen whole or not at all."""

    def publish(self, weights: Weights) -> int:
        """Offers a set of weights; returns its version."""

    def latest(self, newer_than: int = 0) -> tuple[int, dict[str, Tensor]] | None:
        """The newest version and its weights, or None if it is not newer than `newer_than`."""


class LocalWeightStore:
    """Within one process."""

    def __init__(self) -> None:
        self._version = 0
        self._weights: dict[str, Tensor] = {}

    def publish(self, weights: Weights) -> int:
        self._weights = {name: tensor.detach().cpu().clone() for name, tensor in weights.items()}
        self._version += 1
        return self._version

    def latest(self, newer_than: int = 0) -> tuple[int, dict[str, Tensor]] | None:
        return (self._version, self._weights) if self._version > newer_than else None


class SharedMemoryWeightStore:
    """Between processes of one machine, through a mapped file.

    The file holds two counters, a description of the tensors, and two slots. A publication counts `begun` up, fills the
    slot that is not the newest, and counts `version` up. A reader copies the newest slot; if a publication into that
    very slot was begun meanwhile (two after the version it copies), it tries again. Nobody waits for a lock. It relies
    on stores being seen in order, as x86-64 and the interpreter's own barriers on Arm give.

    Args:
        path: of the file; made by the first publication. Put it into memory (`/dev/shm`) or into the run folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._bytes: np.memmap | None = None
        self._layout: list[tuple[str, str, list[int], int, int]] = []

    def publish(self, weights: Weights) -> int:
        """As `WeightStore.publish`; only one process may publish.

        Raises:
            RobotAgentError: the weights are not of the shapes of the first publication.
        """
        if self._bytes is None:
            self._create(weights)
        assert self._bytes is not None
        if [name for name, *_ in self._layout] != list(weights):
            raise RobotAgentError("other weights than at the first publication: start a store of its own for them")
        arrays = {name: tensor.detach().cpu().contiguous().numpy() for name, tensor in weights.items()}
        for name, _, shape, _, _ in self._layout:
            if list(arrays[name].shape) != shape:
                raise RobotAgentError(f"{name} is {arrays[name].shape}, was {shape} at the first publication")
        version = self._version() + 1
        slot = self._slot(version)
        self._header()[1] = version
        for name, _, _, start, stop in self._layout:
            slot[start:stop] = arrays[name].reshape(-1).view(np.uint8)
        self._header()[0] = version
        return version

    def latest(self, newer_than: int = 0) -> tuple[int, dict[str, Tensor]] | None:
        """As `WeightStore.latest`; costs next to nothing while there is nothing newer."""
        if self._bytes is None and not self._attach():
            return None
        while True:
            version = self._version()
            if version <= newer_than:
                return None
            copy = np.array(self._slot(version))
            if self._begun() <= version + 1:
                return version, self._unpack(copy)

    def _create(self, weights: Weights) -> None:
        start = 0
        for name, tensor in weights.items():
            array = tensor.detach().cpu().numpy()
            stop = start + array.nbytes
            self._layout.append((name, array.dtype.str, list(array.shape), start, stop))
            start = (stop + 63) // 64 * 64
        description = json.dumps({"slot_bytes": start, "layout": self._layout}).encode()
        if len(description) > _DESCRIPTION_BYTES:
            raise RobotAgentError(f"{len(self._layout)} tensors are more than a weight store can describe")
        self._slot_bytes = start
        size = _HEADER_BYTES + _DESCRIPTION_BYTES + 2 * start
        temporary = self.path.with_suffix(f".{os.getpid()}")
        self._bytes = np.memmap(temporary, np.uint8, mode="w+", shape=(size,))
        self._bytes[_HEADER_BYTES : _HEADER_BYTES + len(description)] = np.frombuffer(description, np.uint8)
        os.replace(temporary, self.path)  # whoever sees the file sees its description

    def _attach(self) -> bool:
        if not self.path.exists():
            return False
        self._bytes = np.memmap(self.path, np.uint8, mode="r")
        end = _HEADER_BYTES + _DESCRIPTION_BYTES
        description = json.loads(bytes(self._bytes[_HEADER_BYTES:end]).rstrip(b"\0"))
        self._slot_bytes = description["slot_bytes"]
        self._layout = description["layout"]
        return True

    def _header(self) -> np.ndarray:
        assert self._bytes is not None
        return self._bytes[:_HEADER_BYTES].view(np.int64)

    def _version(self) -> int:
        return int(self._header()[0])

    def _begun(self) -> int:
        return int(self._header()[1])

    def _slot(self, version: int) -> np.ndarray:
        assert self._bytes is not None
        start = _HEADER_BYTES + _DESCRIPTION_BYTES + (version % 2) * self._slot_bytes
        return self._bytes[start : start + self._slot_bytes]

    def _unpack(self, slot: np.ndarray) -> dict[str, Tensor]:
        return {
            name: torch.from_numpy(slot[start:stop].view(np.dtype(kind)).reshape(shape))
            for name, kind, shape, start, stop in self._layout
        }
