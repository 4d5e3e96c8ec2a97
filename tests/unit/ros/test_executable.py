"""How an executable ends."""

from __future__ import annotations

import os

import pytest
from rclpy.node import Node
from robot_agent_ros.executable import run_node

from tests.ros_graph import alone


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
