"""How an executable ends."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from rclpy.node import Node
from robot_agent_ros.executable import run_node

from tests.ros_graph import SOURCES, alone


def test_a_node_that_fails_is_stopped_before_it_is_gone():
    os.environ.update(alone())
    stopped: list[str] = []

    def make() -> Node:
        node = Node("failing")
        node.create_timer(0.001, lambda: 1 / 0)
        return node

    with pytest.raises(ZeroDivisionError):
        run_node(make, [], stop=lambda node: stopped.append(node.get_name()))
    assert stopped == ["failing"]


JAZZY = """
import rclpy.subscription
del rclpy.subscription.RCLError
import robot_agent_ros.{0}.node
"""
"""In the rclpy of Jazzy, the module `subscription` has no name RCLError."""


@pytest.mark.parametrize("node", ["gate", "sim_body", "recorder", "agent"])
def test_a_node_imports_only_what_rclpy_offers_on_every_release(node: str):
    subprocess.run([sys.executable, "-c", JAZZY.format(node)], env={**os.environ, "PYTHONPATH": SOURCES}, check=True)
