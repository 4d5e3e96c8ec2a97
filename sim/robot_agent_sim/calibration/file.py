"""Reads and writes `calibration.yaml`, a section a calibration."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

SECTIONS = ("camera", "hand_eye", "joints", "delays", "dynamics")
"""What a file may hold; each is there once it has been measured."""
SCHEMA = 1
"""Of the file; one that is newer is refused."""


class CalibrationFileError(ValueError):
    """A calibration file cannot be read or written, or is none."""


def read_calibration(path: Path) -> dict[str, dict[str, Any]]:
    """The sections of a calibration file.

    Raises:
        CalibrationFileError: there is no such file, or it is no calibration.
    """
    try:
        content = yaml.safe_load(Path(path).read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise CalibrationFileError(f"cannot read the calibration {path} ({error}): give one that exists") from error
    except yaml.YAMLError as error:
        raise CalibrationFileError(f"{path} cannot be read as YAML ({' '.join(str(error).split())})") from error
    if not isinstance(content, dict) or "schema" not in content:
        raise CalibrationFileError(f"{path} is no calibration: expected what `robot-agent calibrate` writes")
    if content["schema"] != SCHEMA:
        raise CalibrationFileError(f"{path} has schema {content['schema']}, this version reads {SCHEMA}: update it")
    sections = {name: section for name, section in content.items() if name != "schema"}
    unknown = sorted(set(sections) - set(SECTIONS))
    if unknown:
        raise CalibrationFileError(f"{path} has a section {unknown[0]!r}, expected some of {', '.join(SECTIONS)}")
    wrong = [name for name, section in sections.items() if not isinstance(section, dict)]
    if wrong:
        raise CalibrationFileError(f"section {wrong[0]!r} of {path} is no mapping")
    return sections


def merge_sections(path: Path, sections: Mapping[str, Mapping[str, Any]]) -> None:
    """Writes `sections` into the file at `path`, whole or not at all; other sections that it has stay.

    Raises:
        CalibrationFileError: a section is not one of `SECTIONS`, what is at `path` is no calibration, or it cannot be
            written.
    """
    path = Path(path)
    unknown = sorted(set(sections) - set(SECTIONS))
    if unknown:
        raise CalibrationFileError(f"unknown section {unknown[0]!r}, expected some of {', '.join(SECTIONS)}")
    merged = {**(read_calibration(path) if path.exists() else {}), **sections}
    content = {"schema": SCHEMA, **{name: merged[name] for name in SECTIONS if name in merged}}
    write_atomically(path, yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120))


def write_atomically(path: Path, text: str) -> None:
    """Writes a text file so that nobody ever sees half of it.

    Raises:
        CalibrationFileError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            file.write(text)
        os.chmod(file.name, 0o644)
        os.replace(file.name, path)
    except OSError as error:
        raise CalibrationFileError(f"cannot write {path} ({error.strerror}): choose another --out") from error
