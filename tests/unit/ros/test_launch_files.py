"""What `ros2 launch` and `robot-agent ros up` start: checked by name, and run by ROS's own launch where it is."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from robot_agent_bodies.gate.config import GateConfig
from robot_agent_bodies.parameters import parameters_of
from robot_agent_ros.agent.making_body import make_world
from robot_agent_ros.errors import NodeError, ParameterError
from robot_agent_ros.graph import ARGUMENTS, NODES, PACKAGE, SERVICES, TOPICS
from robot_agent_ros.robots import launch_folder, read_parameters, robot_file, starts

from robot_agent.types import BodySpec
from tests.ros_graph import ROOT, SOURCES, alone

LAUNCH_FILES = sorted((ROOT / "launch").glob("*.launch.py"))
ROBOTS = sorted((ROOT / "launch" / "config").glob("*.yaml"))


@pytest.mark.parametrize("node", NODES, ids=lambda node: node.name)
def test_every_node_of_the_table_can_be_started(node):
    assert importlib.util.find_spec(node.module)
    module, name = node.parameters.split(":")
    assert parameters_of(getattr(importlib.import_module(module), name))
    executable = ROOT / "ros_nodes" / "executables" / node.name
    assert os.access(executable, os.X_OK)
    assert f"-m {node.module} " in executable.read_text()


def test_arguments_set_parameters_that_there_are():
    by_name = {node.name: node for node in NODES}
    for argument in ARGUMENTS:
        for node, parameter in argument.sets:
            module, name = by_name[node].parameters.split(":")
            assert parameter in parameters_of(getattr(importlib.import_module(module), name))


def test_names_are_relative_so_that_two_robots_can_share_a_network():
    names = [row.name for row in (*TOPICS, *SERVICES)]
    assert {name for name in names if name.startswith("/")} <= {"/diagnostics", "/clock"}


def test_messages_and_services_of_the_table_are_dependencies_of_the_package():
    package = ElementTree.parse(ROOT / "package.xml").getroot()
    assert package.findtext("name") == PACKAGE
    needed = {element.text for element in package.iter("exec_depend")}
    assert {row.type.split("/")[0] for row in (*TOPICS, *SERVICES)} <= needed


@pytest.mark.parametrize("path", ROBOTS, ids=lambda path: path.stem)
def test_a_robots_file_says_only_what_its_nodes_know(path: Path):
    planned = starts({"robot": path.stem, "record": "true"})
    assert {"gate", "agent", "recorder"} <= {start.node.name for start in planned}


@pytest.mark.parametrize(
    ("robot", "more", "asked_for"),
    [
        ("sim", {}, False),
        ("rover", {}, False),
        ("ros2_control", {}, True),
        ("ros2_control", {"enable": "true"}, False),
    ],
)
def test_only_a_robot_that_is_simulated_moves_unasked(robot: str, more: dict[str, str], asked_for: bool):
    (gate,) = (start for start in starts({"robot": robot, **more}) if start.node.name == "gate")
    assert gate.overrides.get("require_enable", False) is asked_for


def test_a_switch_that_the_robots_file_asks_for_is_left_to_whoever_has_it(tmp_path: Path):
    own = tmp_path / "own.yaml"
    template = robot_file("ros2_control").read_text()
    own.write_text(template.replace("require_enable: false", "require_enable: true"))
    for enable in ("true", "false"):
        (gate,) = (one for one in starts({"robot": str(own), "enable": enable}) if one.node.name == "gate")
        assert "require_enable" not in gate.overrides


@pytest.mark.parametrize("path", ROBOTS, ids=lambda path: path.stem)
def test_a_command_counts_for_three_periods_of_the_agent(path: Path):
    sections = read_parameters(path)
    world = make_world(sections["agent"]["world"], ("camera", "proprio"), (16, 16))
    timeout = sections["gate"].get("command_timeout", GateConfig.command_timeout)
    assert timeout >= 2.99 * BodySpec.from_env(world).control_dt


@pytest.mark.parametrize("path", LAUNCH_FILES, ids=lambda path: path.name)
def test_a_launch_file_names_only_what_there_is(path: Path):
    tree = ast.parse(path.read_text())
    assert any(isinstance(one, ast.FunctionDef) and one.name == "generate_launch_description" for one in tree.body)
    for statement in tree.body:
        if not isinstance(statement, ast.ImportFrom):
            continue
        assert statement.module is not None
        package = statement.module.split(".")[0]
        if package in ("robot_agent_ros", "lifecycle_msgs"):
            module = importlib.import_module(statement.module)
            assert all(hasattr(module, alias.name) for alias in statement.names)
        else:
            assert package in ("launch", "launch_ros")
    declared = {argument.name for argument in ARGUMENTS}
    used = {
        node.slice.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant) and node.value.id == "arguments"
    }
    assert used <= declared


def test_what_cannot_be_started_is_refused_in_a_sentence(tmp_path: Path):
    with pytest.raises(NodeError, match=r"there is no robot 'r2d2', expected .*sim or the path of a .yaml file"):
        robot_file("r2d2")
    with pytest.raises(NodeError, match="learn is 'maybe', expected true or false"):
        starts({"learn": "maybe"})
    bad = tmp_path / "robot.yaml"
    for text, sentence in (
        ("", "is empty, expected sections such as"),
        ("/**/gat:\n  ros__parameters: {}", "has a section /../gat, expected"),
        ("/**/gate:\n  joints: []", "has no ros__parameters: indent the parameters below that"),
    ):
        bad.write_text(text)
        with pytest.raises(ParameterError, match=sentence):
            read_parameters(bad)
    good = (launch_folder() / "config" / "sim.yaml").read_text()
    bad.write_text(good.replace(" joints: [turn", " jonts: [turn", 1))
    with pytest.raises(ParameterError, match="gate: there is no parameter 'jonts', expected some of joints"):
        starts({"robot": str(bad)})


SERVE = """
import sys, signal
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
service = LaunchService(noninteractive=True)
source = PythonLaunchDescriptionSource(sys.argv[1])
arguments = [tuple(argument.split(":=")) for argument in sys.argv[2:]]
service.include_launch_description(LaunchDescription([IncludeLaunchDescription(source, launch_arguments=arguments)]))
sys.exit(service.run())
"""


def test_ros_own_launch_runs_the_graph_and_ends_it(tmp_path: Path):
    pytest.importorskip("launch.actions", reason="no ROS launch here: launch files were checked by name only")
    prefix = tmp_path / "install"
    shutil.copytree(ROOT / "ros_nodes" / "executables", prefix / "lib" / PACKAGE)
    shutil.copytree(ROOT / "launch", prefix / "share" / PACKAGE / "launch")
    marker = prefix / "share" / "ament_index" / "resource_index" / "packages" / PACKAGE
    marker.parent.mkdir(parents=True)
    marker.touch()
    environment = {
        **os.environ,
        **alone(),
        "AMENT_PREFIX_PATH": str(prefix),
        "PYTHONPATH": os.pathsep.join([SOURCES, os.environ.get("PYTHONPATH", "")]),
        "ROBOT_AGENT_PYTHON": sys.executable,
        "ROS_LOG_DIR": str(tmp_path / "log"),
        "HOME": str(tmp_path),
        "OMP_NUM_THREADS": "1",
    }
    file = prefix / "share" / PACKAGE / "launch" / "agent.launch.py"
    command = [sys.executable, "-c", SERVE, str(file), "robot:=sim"]
    log = tmp_path / "launch.log"
    with log.open("w") as file:
        process = subprocess.Popen(command, env=environment, stdout=file, stderr=file, start_new_session=True)
    try:
        end = time.monotonic() + 120
        while "[agent]: configured:" not in log.read_text():  # the agent's word: its node runs, and the transition came
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        assert process.wait(100) == 0, log.read_text()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    output = log.read_text()
    for node in ("sim_body", "gate", "agent"):
        assert f"[{node}-" in output, output
    assert "Traceback" not in output, output
