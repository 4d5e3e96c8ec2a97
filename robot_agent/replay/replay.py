"""Replay: the single store of experience. One writer a segment, any number of readers, addresses that stay for life."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from robot_agent.errors import ReplayError
from robot_agent.replay.columns import Column, Scope, blank_row, columns, row_dtype
from robot_agent.replay.schema import Lived
from robot_agent.replay.segment import SegmentReader, SegmentWriter, segment_folders
from robot_agent.types import AgentId, BodySpec, Observation, Transition


@dataclass(frozen=True)
class ReplayConfig:
    """How experience is kept.

    Attributes:
        segment_megabytes: a segment that has grown beyond this ends with its episode, or at twice the size.
    """

    segment_megabytes: int = 256


class Address(NamedTuple):
    """Where a row is, for life."""

    segment: int
    index: int  # type: ignore[assignment]  # the field's standard name; tuple.index is not used


class ReplayWriter:
    """Appends the transitions of one body; a new writer begins a new segment and leaves all others alone.

    Args:
        folder: of the replay.
        spec: shapes of the body.
        config: see `ReplayConfig`.
        body_id: of the body; a driver calls it as it calls the agent.
        agent_id: of the agent.
        lived: where the life stands that is appended; None for rows that are given, such as a recording's.

    Attributes:
        lived: where it stands now.
        quarantined: transitions with a number that is not finite.
    """

    def __init__(
        self,
        folder: Path,
        spec: BodySpec,
        config: ReplayConfig | None = None,
        body_id: str = "agent",
        agent_id: AgentId = "agent",
        lived: Lived | None = None,
    ) -> None:
        self.folder = folder
        self.spec = spec
        self.config = config or ReplayConfig()
        self.body_id = body_id
        self.agent_id = agent_id
        self.lived = lived
        self.quarantined = 0
        self._columns = columns(spec)
        self._blank = blank_row(spec)
        self._segment: SegmentWriter | None = None

    def append(self, transition: Transition) -> Address:
        """Keeps a transition; it is acknowledged when this returns.

        One with a number that is not finite is kept for people and counted in `quarantined`, but never sampled.

        Raises:
            ReplayError: the disk is full, or the transition is of another agent or body. It is not kept, not even in
                part; append it again once the cause is gone.
        """
        if (transition.body_id, transition.agent_id) != (self.body_id, self.agent_id):  # windows would mix the two
            raise ReplayError(
                f"a transition of agent {transition.agent_id!r} in body {transition.body_id!r} came to the replay "
                f"writer of agent {self.agent_id!r} in body {self.body_id!r}: give each body a writer of its own"
            )
        segment = self._segment_for(transition)
        row = self._row(transition, transition.observation, is_final=False)
        final = None
        if transition.final_observation is not None:
            final = self._row(transition, transition.final_observation, is_final=True)
        index = segment.append(row) if final is None else segment.append(row, final)
        if self.lived is not None:
            frames = int(self.spec.frames_in(transition.dt))
            self.lived = self.lived.plus(Lived(1, frames, transition.episode + 1))
        self.quarantined += int(not row["valid"] or (final is not None and not final["valid"]))
        return Address(segment.number, index)

    def close(self) -> None:
        """Ends the segment and forces it to the disk; the next transition begins another.

        Raises:
            ReplayError: the disk is full or gone, and no `append` has said so yet.
        """
        segment, self._segment = self._segment, None
        if segment:
            segment.close()

    def _segment_for(self, transition: Transition) -> SegmentWriter:
        if self._segment:
            row_bytes = self._segment.row_bytes + self._segment.frame_bytes
            size = self._segment.rows * row_bytes / 1e6 / self.config.segment_megabytes
            if (size >= 1 and transition.step == 0) or size >= 2:
                self.close()
        if not self._segment:
            self._segment = SegmentWriter(self.folder, self.spec, self.body_id, self.agent_id, self.lived)
        return self._segment

    def _row(self, transition: Transition, observation: Observation, is_final: bool) -> NDArray[np.void]:
        """The row of a decision, or of the observation after an episode's last one."""
        row = self._blank.copy()
        is_finite = True
        for column in self._columns:
            if column.scope is Scope.STEP and is_final:
                continue
            value = _value(column, transition, observation)
            if value is not None:
                _put(row, column.name, value)
                if row[column.name].dtype.kind == "f" and column.scope is not Scope.ROW:
                    is_finite &= bool(np.isfinite(row[column.name]).all())
        row["is_final"] = is_final
        row["step"] += is_final
        row["valid"] = transition.valid and is_finite
        return row


def _value(column: Column, transition: Transition, observation: Observation) -> Any:
    """What a row holds of a column, None for its default."""
    if column.of is not None:
        return column.of(transition)
    if column.scope is not Scope.OBSERVATION or 0 in column.shape:
        return None
    if column.name not in observation:
        raise ReplayError(f"the observation does not fit the body of this replay: {column.name} is missing")
    return observation[column.name]


def _put(row: NDArray[np.void], key: str, value: NDArray[Any]) -> None:
    if np.shape(value) != row[key].shape:  # numpy would stretch a single number over the whole field
        raise ReplayError(
            f"the {key} does not fit the body of this replay: shape {np.shape(value)}, expected {row[key].shape}"
        )
    row[key] = value


class Replay:
    """Reads all segments of a folder, those of running writers included.

    Args:
        folder: of the replay; it may not exist yet.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self.segments: dict[int, SegmentReader] = {}
        self.refresh()

    def refresh(self) -> None:
        """Sees what was appended since, and what was let go.

        Raises:
            ReplayError: a segment is of another body than the first.
        """
        folders = dict(segment_folders(self.folder))
        for number in self.segments.keys() - folders.keys():
            del self.segments[number]
        for number, path in folders.items():
            if number not in self.segments:
                segment = SegmentReader(path)
                for first in self.segments.values():
                    if row_dtype(first.spec) != row_dtype(segment.spec):
                        raise ReplayError(f"{path} is of a body of another shape than the other segments: move it away")
                self.segments[number] = segment
        for segment in self.segments.values():
            segment.refresh()

    @property
    def rows(self) -> int:
        """Rows of all segments, final observations included."""
        return sum(len(segment) for segment in self.segments.values())

    @property
    def decisions(self) -> int:
        """Actions that were taken, given ones included."""
        return sum(segment.summarised().lived.decisions for segment in self.segments.values())

    @property
    def given(self) -> int:
        """Actions that were recorded, or taken by another run."""
        return sum(segment.summarised().lived.decisions for segment in self.segments.values() if segment.is_given)

    @property
    def lived(self) -> Lived:
        """Where the lives stand that were appended here, whether or not all their rows are still there."""
        lives: dict[tuple[str, str], Lived] = {}
        for _, segment in sorted(self.segments.items()):
            life = segment.schema.body_id, segment.schema.agent_id
            if not segment.is_given:
                before = segment.schema.lived_before or lives.get(life, Lived())
                lives[life] = before.plus(segment.summarised().lived)
        return reduce(Lived.plus, lives.values(), Lived())

    @property
    def quarantined(self) -> int:
        """Rows that are never learned from."""
        return sum(segment.summarised().quarantined for segment in self.segments.values())

    @property
    def episodes(self) -> int:
        """How many there are; given ones may have the number of one that was lived."""
        return len({(segment.is_given, number) for segment in self.segments.values() for number in segment.episodes})

    @property
    def next_episode(self) -> int:
        """A number higher than that of every episode; a number may be missing before it, where nothing was kept."""
        return max((segment.summarised().lived.episodes for segment in self.segments.values()), default=0)

    def read(self, address: Address) -> NDArray[np.void]:
        """A copy of one row.

        Raises:
            ReplayError: there is no such row.
        """
        segment = self.segments.get(address.segment)
        if segment is None or not 0 <= address.index < len(segment):
            raise ReplayError(
                f"no row at {address}: it was let go, or was never there; refresh the replay, or check the address"
            )
        return segment.read(address.index)
