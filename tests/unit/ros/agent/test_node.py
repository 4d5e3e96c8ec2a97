"""The agent's node: what fails in a transition."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import rclpy
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter
from robot_agent_ros.agent.config import AgentConfig
from robot_agent_ros.agent.node import AgentNode
from robot_agent_ros.errors import NodeError
from robot_agent_ros.executable import Interrupted

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


class Kept:
    """A mind's run and its keeper, in one: nothing is learned."""

    def __init__(self, folder: Path) -> None:
        self.run = SimpleNamespace(folder=SimpleNamespace(path=folder))

    def close(self) -> None:
        """Nothing is open."""


def test_after_a_cleanup_it_goes_on_in_the_folder_that_it_left(node: AgentNode, monkeypatch: pytest.MonkeyPatch):
    asked: list[str] = []

    def ask(config: AgentConfig) -> None:
        asked.append(config.checkpoint)
        raise NodeError("enough")

    monkeypatch.setattr("robot_agent_ros.agent.node.make_mind", ask)
    node.trigger_configure()
    node._keeper = Kept(Path("runs/a"))
    node._close()
    node.trigger_configure()
    assert node.set_parameters([Parameter("episode_seconds", value=5.0)])[0].successful
    node.trigger_configure()
    assert node.set_parameters([Parameter("world", value="so101/reach")])[0].successful
    node.trigger_configure()
    assert asked == ["", "runs/a", "runs/a", ""]


def test_a_signal_while_it_is_configured_ends_that(node: AgentNode, monkeypatch: pytest.MonkeyPatch):
    def interrupted(config: AgentConfig) -> None:
        assert node.is_configuring
        raise Interrupted

    monkeypatch.setattr("robot_agent_ros.agent.node.make_mind", interrupted)
    assert node.trigger_configure() == TransitionCallbackReturn.FAILURE
    assert not node.is_configuring


def test_a_node_that_is_shut_down_is_done(node: AgentNode):
    assert not node.is_shut_down
    node.trigger_shutdown()
    assert node.is_shut_down
