"""How a step of experience lies on disk: one fixed-size row, described beside the rows it describes."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from robot_agent.errors import ReplayError
from robot_agent.types import CAMERA_PREFIX, GOAL_KEYS, BodySpec

SCHEMA_VERSION = 2
VERSIONS = (1, SCHEMA_VERSION)
"""What can be read."""
SCHEMA_FILE = "schema.json"
ROWS_FILE = "rows.bin"
COMMITTED = 0xA5


class Lived(NamedTuple):
    """How far a life is: decisions, control frames that they lasted, and the number of its next episode."""

    decisions: int = 0
    frames: int = 0
    episodes: int = 0


class SegmentSchema(NamedTuple):
    """What a segment says of itself.

    Attributes:
        spec: shapes of the body.
        body_id, agent_id: whose rows they are.
        lived_before: where the life stood when it began the segment; None where the rows are given: recorded or lived
            elsewhere, and not to be counted.
        dtype: of its rows as they lie on disk.
        is_counted: whether `lived_before` is known; segments of version 1 did not say.
    """

    spec: BodySpec
    body_id: str
    agent_id: str
    lived_before: Lived | None
    dtype: np.dtype[np.void]
    is_counted: bool = True


def row_dtype(spec: BodySpec, version: int = SCHEMA_VERSION) -> np.dtype[np.void]:
    """The row of a body.

    The observation after an episode's last action is a row of its own with `is_final` set. `committed` is the last
    byte: a row without it was torn by a crash. Rewards of version 1 are float32.
    """
    observation: list[Any] = [(CAMERA_PREFIX + name, np.uint8, (*size, 3)) for name, size in spec.cameras]
    observation.append(("proprio", np.float32, (spec.proprio_dim,)))
    observation += [(key, np.float32, (spec.goal_dim,)) for key in GOAL_KEYS]
    return np.dtype(
        [
            *observation,
            ("action", np.float32, (spec.action_dim,)),
            ("reward", np.float32 if version == 1 else np.float64),
            ("reward_known", np.bool_),
            ("terminated", np.bool_),
            ("truncated", np.bool_),
            ("is_final", np.bool_),
            ("valid", np.bool_),
            ("source", np.uint8),
            ("episode", np.int64),
            ("step", np.int64),
            ("stamp", np.float64),
            ("dt", np.float32),
            ("weights_version", np.int64),
            ("committed", np.uint8),
        ]
    )


def write_schema(folder: Path, spec: BodySpec, body_id: str, agent_id: str, lived_before: Lived | None) -> None:
    """Describes a segment's rows."""
    content = {
        "version": SCHEMA_VERSION,
        "body": asdict(spec),
        "body_id": body_id,
        "agent_id": agent_id,
        "lived_before": lived_before._asdict() if lived_before else None,
        "columns": [[name, kind.base.str, kind.shape] for name, kind in _columns(row_dtype(spec))],
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
        if version == 1:  # did not name its columns
            dtype = row_dtype(spec, version)
        else:
            dtype = np.dtype([(name, kind, tuple(shape)) for name, kind, shape in content["columns"]])
        is_counted = "lived_before" in content
        before = Lived(**content["lived_before"]) if content.get("lived_before") else None
        schema = SegmentSchema(spec, str(content["body_id"]), str(content["agent_id"]), before, dtype, is_counted)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ReplayError(f"{folder / SCHEMA_FILE} is missing or damaged ({error}): move the segment away") from error
    return schema


def _columns(dtype: np.dtype[np.void]) -> list[tuple[str, np.dtype[Any]]]:
    return [(name, dtype[name]) for name in dtype.names or ()]
