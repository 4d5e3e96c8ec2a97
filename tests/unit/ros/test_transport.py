"""Settings that the middleware cannot fulfil are refused with one sentence, before rclpy starts."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from robot_agent_ros.errors import NodeError
from robot_agent_ros.graph import NODES
from robot_agent_ros.transport import check_middleware

from tests.ros_graph import SOURCES

OTHER_RMW = {"RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp"}
SECURITY = {"ROS_SECURITY_ENABLE": "true"}


@pytest.mark.parametrize("domain", ["", "0", "101", "232"])
def test_a_plain_environment_is_accepted(domain: str):
    check_middleware(
        {"ROS_DOMAIN_ID": domain, "RMW_IMPLEMENTATION": "rmw_fastrtps_cpp", "ROS_SECURITY_ENABLE": "false"}
    )


@pytest.mark.parametrize("domain", ["233", "300", "-1", "abc", "1.5", "²"])
def test_an_invalid_domain_is_refused(domain: str):
    for wheels in ("", "9.1.2"):
        with pytest.raises(NodeError, match=r"ROS_DOMAIN_ID is .*expected a number from 0 to 232"):
            check_middleware({"ROS_DOMAIN_ID": domain}, wheels)


@pytest.mark.parametrize(
    ("environment", "name"), [(OTHER_RMW, "RMW_IMPLEMENTATION"), (SECURITY, "ROS_SECURITY_ENABLE")]
)
def test_features_that_the_wheels_lack_are_refused_unless_ros_is_installed(environment: dict[str, str], name: str):
    with pytest.raises(NodeError, match=rf"{name} is .*rclpy from PyPI \(9.1.2\)"):
        check_middleware(environment, "9.1.2")
    check_middleware(environment, "")


@pytest.mark.parametrize("node", NODES, ids=lambda node: node.name)
def test_every_executable_refuses_an_invalid_domain_with_status_2(node):
    environment = {**os.environ, "PYTHONPATH": SOURCES, "ROS_DOMAIN_ID": "300"}
    ran = subprocess.run([sys.executable, "-m", node.module], env=environment, capture_output=True, text=True)
    assert ran.returncode == 2, ran.stderr
    assert ran.stderr.startswith("robot-agent: error: ROS_DOMAIN_ID is '300'"), ran.stderr
    assert ran.stderr.count("\n") == 1


def test_up_refuses_an_invalid_domain_with_status_2():
    environment = {**os.environ, "PYTHONPATH": SOURCES, "ROS_DOMAIN_ID": "300"}
    command = [sys.executable, "-m", "robot_agent.cli.main", "ros", "up", "--robot", "sim", "--seconds", "1"]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert ran.returncode == 2, ran.stderr
    assert "ROS_DOMAIN_ID is '300'" in ran.stderr
    assert "up:" not in ran.stdout
