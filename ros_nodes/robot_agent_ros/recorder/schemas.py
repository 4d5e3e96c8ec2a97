"""The text of message definitions, as recordings carry them so that they can be read without ROS."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

_SEPARATOR = "=" * 80
_PRIMITIVES = {
    "bool", "byte", "char", "float32", "float64", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64",
    "uint64", "string", "wstring",
}  # fmt: skip
_FIELD = re.compile(r"^\s*([A-Za-z][\w/]*)(?:<=\d+)?(?:\[[^\]]*\])?\s+[A-Za-z]\w*", re.MULTILINE)


class NoDefinitionError(LookupError):
    """A message type is not installed here."""


def prefixes() -> list[Path]:
    """Where packages of ROS are installed: the workspaces that were sourced, then this Python's environment."""
    sourced = [Path(prefix) for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if prefix]
    return [*sourced, Path(sys.prefix)]


def definition(type_name: str) -> str:
    """The text of one type (`sensor_msgs/msg/Image`), as its package installed it.

    Raises:
        NoDefinitionError: no package that is installed has it.
    """
    package, _, name = type_name.split("/")
    for prefix in prefixes():
        path = prefix / "share" / package / "msg" / f"{name}.msg"
        if path.is_file():
            return path.read_text()
    raise NoDefinitionError(f"{type_name} is not installed here: source the workspace that has {package}")


def full_definition(type_name: str) -> str:
    """The text of a type followed by those of all types in it, as the encoding `ros2msg` has it.

    Raises:
        NoDefinitionError: one of them is not installed.
    """
    texts = {type_name: definition(type_name)}
    pending = [type_name]
    while pending:
        outer = pending.pop(0)
        for inner in _types_in(texts[outer], outer.split("/")[0]):
            if inner not in texts:
                texts[inner] = definition(inner)
                pending.append(inner)
    first, *others = texts.items()
    parts = [first[1]]
    for name, text in others:
        package, _, short = name.split("/")
        parts.append(f"{_SEPARATOR}\nMSG: {package}/{short}\n{text}")
    return "\n".join(parts)


def _types_in(text: str, package: str) -> list[str]:
    """The message types that the fields of a definition have."""
    without_comments = re.sub(r"#.*", "", text)
    found = []
    for name in _FIELD.findall(without_comments):
        if name in _PRIMITIVES:
            continue
        parts = name.split("/")
        found.append(f"{parts[0]}/msg/{parts[-1]}" if len(parts) > 1 else f"{package}/msg/{name}")
    return found
