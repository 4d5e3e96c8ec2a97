"""Robots' parameter files: found, read, checked, and turned into the processes to start. No rclpy in here."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml
from robot_agent_bodies.parameters import config_from

from robot_agent_ros.errors import NodeError, ParameterError
from robot_agent_ros.graph import ARGUMENTS, GATE, NODES, PACKAGE, SIM_BODY, Node, nodes_of

ALL_NODES = "/**"
"""The section of a parameter file that counts for every node."""
_ROS_OWN = ("use_sim_time",)
"""Parameters that every ROS node has."""


@dataclass(frozen=True)
class Start:
    """A process to be started.

    Attributes:
        node: that it runs.
        file: of its parameters.
        overrides: parameters that count more than the file's.
    """

    node: Node
    file: Path
    overrides: Mapping[str, Any]


def launch_folder() -> Path:
    """Where launch files and parameter files are: in the source tree, in colcon's `install`, or in an environment."""
    module = Path(__file__).resolve()
    candidates = [
        module.parents[2] / "launch",  # ros_nodes/robot_agent_ros/robots.py of the source tree
        module.parents[4] / "share" / PACKAGE / "launch",  # lib/python3.x/site-packages/robot_agent_ros/robots.py
        Path(sys.prefix) / "share" / PACKAGE / "launch",
    ]
    for folder in candidates:
        if (folder / "config").is_dir():
            return folder
    raise NodeError(f"no launch files in {', '.join(map(str, candidates))}: install robot_agent again")


def robot_file(robot: str) -> Path:
    """The parameter file of a robot, by its name in launch/config or by its path.

    Raises:
        NodeError: there is none.
    """
    folder = launch_folder() / "config"
    path = Path(robot).expanduser() if robot.endswith((".yaml", ".yml")) else folder / f"{robot}.yaml"
    if not path.is_file():
        names = sorted(file.stem for file in folder.glob("*.yaml"))
        raise NodeError(f"there is no robot {robot!r}, expected {', '.join(names)} or the path of a .yaml file")
    return path


def read_parameters(path: Path) -> dict[str, dict[str, Any]]:
    """What a file says to each node of the table, unchecked; sections are `/**/NODE`, `NODE`, or `/**` for all.

    Raises:
        ParameterError: it is no ROS parameter file, or has a section for nobody.
    """
    try:
        sections = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise ParameterError(f"{path} cannot be read: {error}") from None
    if not isinstance(sections, dict):
        raise ParameterError(f"{path} is empty, expected sections such as /**/gate")
    names = [node.name for node in NODES]
    found: dict[str, dict[str, Any]] = {}
    for section, content in sections.items():
        name = str(section).rsplit("/", 1)[-1]
        if section != ALL_NODES and name not in names:
            raise ParameterError(f"{path} has a section {section}, expected {ALL_NODES} or one for {', '.join(names)}")
        values = content.get("ros__parameters") if isinstance(content, dict) else None
        if not isinstance(values, dict):
            raise ParameterError(f"{section} of {path} has no ros__parameters: indent the parameters below that")
        found[ALL_NODES if section == ALL_NODES else name] = values
    return found


def check_parameters(node: Node, values: Mapping[str, Any]) -> None:
    """Refuses what the node would refuse.

    Raises:
        ParameterError: a parameter that the node has not got, or a value that it cannot work with.
    """
    module, name = node.parameters.split(":")
    try:
        config_from(getattr(import_module(module), name), {k: v for k, v in values.items() if k not in _ROS_OWN})
    except ParameterError as error:
        raise ParameterError(f"{node.name}: {error}") from None


def starts(arguments: Mapping[str, str]) -> list[Start]:
    """The processes that the arguments ask for, in the order in which they start.

    The gate of a robot that is not simulated waits for gate/enable, unless `enable` is true.

    Args:
        arguments: values as text of the table's `ARGUMENTS`, by name; defaults count for those that are missing.

    Raises:
        NodeError: a robot that there is not, parameters that a node refuses, or a text that is not true or false.
    """
    values = {argument.name: argument.default for argument in ARGUMENTS} | dict(arguments)
    file = robot_file(values["robot"])
    parameters = read_parameters(file)
    is_asked_for = SIM_BODY.name not in parameters and not truth("enable", values["enable"])
    planned = []
    for node in nodes_of(parameters, record=truth("record", values["record"])):
        overrides = {
            parameter: _typed(argument.name, argument.default, values[argument.name])
            for argument in ARGUMENTS
            for target, parameter in argument.sets
            if target == node.name and values[argument.name] != ""
        }
        if node is GATE and is_asked_for and not parameters.get(GATE.name, {}).get("require_enable", False):
            overrides["require_enable"] = True
        check_parameters(node, {**parameters.get(node.name, {}), **overrides})
        planned.append(Start(node, file, overrides))
    return planned


def truth(name: str, text: str) -> bool:
    """True or false from launch's text.

    Raises:
        NodeError: it is neither.
    """
    if text.lower() not in ("true", "false"):
        raise NodeError(f"{name} is {text!r}, expected true or false")
    return text.lower() == "true"


def _typed(name: str, default: str, text: str) -> Any:
    return truth(name, text) if default in ("true", "false") else text
