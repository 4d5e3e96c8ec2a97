"""The agent's node: what fails in a transition."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import rclpy
from rclpy.lifecycle import TransitionCallbackReturn
from robot_agent_ros.agent.node import AgentNode

from tests.ros_graph import alone


@pytest.fixture
def node() -> Iterator[AgentNode]:
    os.environ.update(alone())
    rclpy.init(args=[])
    agent = AgentNode()
    yield agent
    agent.destroy_node()
    rclpy.try_shutdown()


def test_whatever_fails_in_configuring_leaves_it_unconfigured_and_it_says_why(
    node: AgentNode, monkeypatch: pytest.MonkeyPatch
):
    def fail(config):
        raise ValueError("no such thing")

    monkeypatch.setattr("robot_agent_ros.agent.node.make_mind", fail)
    assert node.trigger_configure() == TransitionCallbackReturn.FAILURE
    assert node._report().message == "unconfigured: ValueError: no such thing"
