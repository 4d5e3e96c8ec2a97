"""What a segment says of itself: version, body, whose rows it holds and how they lie on disk."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from robot_agent.errors import ReplayError
from robot_agent.replay.columns import frames_dtype, numbers_dtype
from robot_agent.types import CAMERA_PREFIX, GOAL_KEYS, BodySpec

SCHEMA_VERSION = 2
VERSIONS = (1, SCHEMA_VERSION)
"""What can be read."""
SCHEMA_FILE = "schema.json"


class Lived(NamedTuple):
    """How far a life is: decisions, control frames that they lasted, and the number of its next episode."""

    decisions: int = 0
    frames: int = 0
    episodes: int = 0

    def plus(self, more: Lived) -> Lived:
        """After more of it."""
        return Lived(self.decisions + more.decisions, self.frames + more.frames, max(self.episodes, more.episodes))


class SegmentSchema(NamedTuple):
    """What a segment says of itself.

    Attributes:
        spec: shapes of the body.
        body_id, agent_id: whose rows they are.
        lived_before: where the life stood when it began the segment; None where the rows are given: recorded or lived
            elsewhere, and not to be counted.
        numbers: the row in `rows.bin`; in older segments with the frames.
        frames: the row in `frames.bin`, of no size where there is none.
        is_counted: whether `lived_before` is known; segments of version 1 did not say.
    """

    spec: BodySpec
    body_id: str
    agent_id: str
    lived_before: Lived | None
    numbers: np.dtype[np.void]
    frames: np.dtype[np.void]
    is_counted: bool = True

    @classmethod
    def of(cls, spec: BodySpec, body_id: str, agent_id: str, lived_before: Lived | None) -> SegmentSchema:
        """The schema of a new segment."""
        return cls(spec, body_id, agent_id, lived_before, numbers_dtype(spec), frames_dtype(spec))

    @property
    def is_current(self) -> bool:
        """Whether its rows lie as those of a new segment do."""
        return self == SegmentSchema.of(*self[:4])


def version_1_dtype(spec: BodySpec) -> np.dtype[np.void]:
    """The row of version 1: frames and numbers in one, rewards in float32."""
    return np.dtype(
        [
            *((CAMERA_PREFIX + name, np.uint8, (*size, 3)) for name, size in spec.cameras),
            ("proprio", np.float32, (spec.proprio_dim,)),
            *((key, np.float32, (spec.goal_dim,)) for key in GOAL_KEYS),
            ("action", np.float32, (spec.action_dim,)),
            ("reward", np.float32),
            *((name, np.bool_) for name in ("reward_known", "terminated", "truncated", "is_final", "valid")),
            ("source", np.uint8),
            ("episode", np.int64),
            ("step", np.int64),
            ("stamp", np.float64),
            ("dt", np.float32),
            ("weights_version", np.int64),
            ("committed", np.uint8),
        ]
    )


def write_schema(folder: Path, schema: SegmentSchema) -> None:
    """Describes a segment's rows."""
    content = {
        "version": SCHEMA_VERSION,
        "body": asdict(schema.spec),
        "body_id": schema.body_id,
        "agent_id": schema.agent_id,
        "lived_before": schema.lived_before._asdict() if schema.lived_before else None,
        "columns": _described(schema.numbers),
        "frames": _described(schema.frames),
    }
    with (folder / SCHEMA_FILE).open("w") as file:
        file.write(json.dumps(content, indent=2) + "\n")
        file.flush()
        os.fsync(file.fileno())


def read_schema(folder: Path) -> SegmentSchema:
    """What a segment holds.

    Raises:
        ReplayError: there is no schema, it is damaged, or it is of another version.
    """
    try:
        content = json.loads((folder / SCHEMA_FILE).read_text())
        version = content["version"]
        if version not in VERSIONS:
            raise ReplayError(f"{folder} has schema version {version}, expected {VERSIONS}: convert or move it away")
        body = content["body"]
        body["cameras"] = tuple((name, tuple(size)) for name, size in body["cameras"])
        spec = BodySpec(**body)
        is_counted = "lived_before" in content
        return SegmentSchema(
            spec,
            str(content["body_id"]),
            str(content["agent_id"]),
            Lived(**content["lived_before"]) if content.get("lived_before") else None,
            version_1_dtype(spec) if version == 1 else _dtype(content["columns"]),
            _dtype(content.get("frames", [])),
            is_counted,
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ReplayError(f"{folder / SCHEMA_FILE} is missing or damaged ({error}): move the segment away") from error


def _described(dtype: np.dtype[np.void]) -> list[list[Any]]:
    return [[name, dtype[name].base.str, list(dtype[name].shape)] for name in dtype.names or ()]


def _dtype(described: list[list[Any]]) -> np.dtype[np.void]:
    return np.dtype([(name, kind, tuple(shape)) for name, kind, shape in described])
