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
    """A version is the learner's updates, and what is offered never goes back; a set is seen whole or not at all."""

    def publish(self, weights: Weights, version: int) -> None:
        """Offers a set of weights; one that is no newer than the newest, as after a crash, changes nothing."""

    def latest(self, newer_than: int = 0) -> tuple[int, dict[str, Tensor]] | None:
        """The newest version and its weights, or None if it is not newer than `newer_than`."""


class LocalWeightStore:
    """Within one process."""

    def __init__(self) -> None:
        self._version = 0
        self._weights: dict[str, Tensor] = {}

    def publish(self, weights: Weights, version: int) -> None:
        if version > self._version:
            self._weights = {name: tensor.detach().cpu().clone() for name, tensor in weights.items()}
            self._version = version

    def latest(self, newer_than: int = 0) -> tuple[int, dict[str, Tensor]] | None:
        return (self._version, self._weights) if self._version > newer_than else None


class SharedMemoryWeightStore:
    """Between processes of one machine, through a mapped file.

    The file holds two counters, the version of each of two slots, a description of the tensors, and the slots. A
    publication counts `begun` up, fills the slot that is not the newest, and counts `published` up. A reader copies the
    newest slot; if a publication into that very slot was begun meanwhile (two after the one it copies), it tries again.
    Nobody waits for a lock. It relies on stores being seen in order, as x86-64 and the interpreter's own barriers on
    Arm give. A publisher that starts again replaces the file and counts on from it; readers follow to the new file.

    Args:
        path: of the file; made by the first publication. Put it into memory (`/dev/shm`) or into the run folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._bytes: np.memmap | None = None
        self._inode = 0
        self._layout: list[tuple[str, str, list[int], int, int]] = []

    def publish(self, weights: Weights, version: int) -> None:
        """As `WeightStore.publish`; only one process may publish.

        Raises:
            RobotAgentError: the weights are not of the kinds of the first publication, or there is no space for them.
        """
        if self._bytes is None:
            published, newest = _newest_of(self.path)
            if version > newest:
                self._create(weights, version, published)
            return
        if [name for name, *_ in self._layout] != list(weights):
            raise RobotAgentError("other weights than at the first publication: start a store of its own for them")
        for name, kind, shape, _, _ in self._layout:
            if list(weights[name].shape) != shape or _kind(weights[name]) != kind:
                raise RobotAgentError(
                    f"{name} is {_kind(weights[name])} {list(weights[name].shape)}, "
                    f"was {kind} {shape} at the first publication: start a store of its own for it"
                )
        if version > self._version_in(self._published()):
            self._fill(weights, version)

    def _fill(self, weights: Weights, version: int) -> None:
        publication = self._published() + 1
        slot = self._slot(publication)
        self._header()[1] = publication
        self._header()[2 + publication % 2] = version
        for name, _, _, start, stop in self._layout:
            slot[start:stop] = _raw(weights[name])
        self._header()[0] = publication

    def latest(self, newer_than: int = 0) -> tuple[int, dict[str, Tensor]] | None:
        """As `WeightStore.latest`; costs next to nothing while there is nothing newer."""
        if self._bytes is None and not self._attach():
            return None
        while True:
            publication = self._published()
            version = self._version_in(publication)
            if version <= newer_than:
                if not self._replaced():
                    return None
                self._attach()
                continue
            copy = np.array(self._slot(publication))
            if self._begun() <= publication + 1:
                return version, self._unpack(copy)

    def _create(self, weights: Weights, version: int, published: int) -> None:
        start = 0
        for name, tensor in weights.items():
            stop = start + tensor.nbytes
            self._layout.append((name, _kind(tensor), list(tensor.shape), start, stop))
            start = (stop + 63) // 64 * 64
        description = json.dumps({"slot_bytes": start, "layout": self._layout}).encode()
        if len(description) > _DESCRIPTION_BYTES:
            raise RobotAgentError(f"{len(self._layout)} tensors are more than a weight store can describe")
        self._slot_bytes = start
        size = _HEADER_BYTES + _DESCRIPTION_BYTES + 2 * start
        temporary = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        try:
            with temporary.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, size)  # a mapped hole on a full disk would be a bus error
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise RobotAgentError(
                f"no space for {size / 1e6:.1f} MB of weights at {self.path} ({error.strerror}): free some space"
            ) from error
        self._bytes = np.memmap(temporary, np.uint8, mode="r+")
        self._bytes[_HEADER_BYTES : _HEADER_BYTES + len(description)] = np.frombuffer(description, np.uint8)
        self._header()[:2] = published
        self._fill(weights, version)
        os.replace(temporary, self.path)  # whoever sees the file sees its description and a whole publication
        self._inode = self.path.stat().st_ino

    def _attach(self) -> bool:
        if not self.path.exists():
            return False
        with self.path.open("rb") as file:  # the inode must be that of the file that is mapped
            self._inode = os.fstat(file.fileno()).st_ino
            self._bytes = np.memmap(file, np.uint8, mode="r")
        end = _HEADER_BYTES + _DESCRIPTION_BYTES
        description = json.loads(bytes(self._bytes[_HEADER_BYTES:end]).rstrip(b"\0"))
        self._slot_bytes = description["slot_bytes"]
        self._layout = description["layout"]
        return True

    def _replaced(self) -> bool:
        try:
            return self.path.stat().st_ino != self._inode
        except FileNotFoundError:
            return False

    def _header(self) -> np.ndarray:
        assert self._bytes is not None
        return self._bytes[:_HEADER_BYTES].view(np.int64)

    def _published(self) -> int:
        return int(self._header()[0])

    def _version_in(self, publication: int) -> int:
        return int(self._header()[2 + publication % 2])

    def _begun(self) -> int:
        return int(self._header()[1])

    def _slot(self, publication: int) -> np.ndarray:
        assert self._bytes is not None
        start = _HEADER_BYTES + _DESCRIPTION_BYTES + (publication % 2) * self._slot_bytes
        return self._bytes[start : start + self._slot_bytes]

    def _unpack(self, slot: np.ndarray) -> dict[str, Tensor]:
        return {
            name: torch.from_numpy(slot[start:stop]).view(getattr(torch, kind)).reshape(shape)
            for name, kind, shape, start, stop in self._layout
        }


def _kind(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _raw(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()


def _newest_of(path: Path) -> tuple[int, int]:
    """Publications in a file that an earlier publisher left, and the newest version; 0 and 0 without one."""
    if not path.exists() or path.stat().st_size < _HEADER_BYTES:
        return 0, 0
    header = np.fromfile(path, np.int64, count=4)
    return int(header[0]), int(header[2 + header[0] % 2])
