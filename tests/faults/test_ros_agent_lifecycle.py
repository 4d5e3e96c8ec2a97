"""How an agent on a robot begins, holds and ends; one graph serves all tests, and the last ones end it."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import numpy as np
import pytest
from robot_agent_ros.graph import AGENT

from robot_agent.learning.checkpoint import CheckpointStore
from robot_agent.replay.replay import Replay
from tests.ros_body import SimulatedTime
from tests.support.ros_agent import GATE_PARAMETERS, PERIOD, SLACK, Graph, running


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Graph]:
    with running(tmp_path_factory.mktemp("graph")) as graph:
        yield graph


@pytest.fixture
def acting(graph: Graph) -> Graph:
    """The graph while all is well."""
    graph.acts()
    return graph


def test_a_checkpoint_that_is_missing_leaves_the_agent_unconfigured_and_it_says_why(graph: Graph):
    robot = graph.robot
    assert robot.state_of("agent", patience=90) == "unconfigured"
    began = time.monotonic()
    assert not robot.transition("agent", "configure", patience=60)
    assert time.monotonic() - began < 5
    assert robot.state_of("agent") == "unconfigured"
    robot.wait_report("agent", lambda message, values: "is not a run folder" in message, 3)
    assert robot.flow(0.5) == 0


def test_a_deactivated_agent_holds_and_has_kept_what_it_learned(acting: Graph):
    robot = acting.robot
    since = time.monotonic()
    assert robot.transition("agent", "deactivate", patience=40)
    assert robot.last_command_after(since, quiet=0.4) <= PERIOD + SLACK
    robot.rests(within=1.0)
    checkpoint = CheckpointStore(acting.run / "checkpoints").load_latest()
    replay = Replay(acting.run / "replay")
    assert 0 < checkpoint.step == replay.decisions
    assert replay.quarantined <= replay.decisions // 4
    assert robot.transition("agent", "activate")
    acting.recovers()


def test_a_clock_that_jumps_stops_the_robot_for_a_moment_only(acting: Graph):
    robot = acting.robot
    assert robot.transition("agent", "deactivate", patience=40)
    assert robot.transition("agent", "cleanup", patience=40)
    clock = SimulatedTime(robot)
    for node in ("gate", "agent"):
        assert robot.set_parameter(node, "use_sim_time", True) == ""
    assert robot.transition("agent", "configure", patience=120), acting.processes.log(AGENT.name)
    assert robot.transition("agent", "activate")
    acting.flows()
    for jump in (100.0, -200.0):
        before = len(robot.sent)
        clock.offset += jump
        time.sleep(0.3)
        acting.recovers()
        heard = len(robot.sent)
        passed = np.diff(robot.sent[before:heard]) + 0.01  # a busy gate says late where it was
        moved = np.abs(np.diff([output for _, output in robot.outputs[before:heard]], axis=0)).max(axis=1)
        assert np.all(moved <= GATE_PARAMETERS["velocity"][0] * passed)


def test_an_interrupted_graph_ends_cleanly_with_a_checkpoint_and_the_robot_at_rest(acting: Graph):
    robot = acting.robot
    lived = Replay(acting.run / "replay").decisions
    running = [acting.processes.running[name] for name in ("agent", "gate")]
    for process in running:
        process.send_signal(signal.SIGINT)
    assert [process.wait(40) for process in running] == [0, 0]
    robot.rests(within=1.0)
    checkpoint = CheckpointStore(acting.run / "checkpoints").load_latest()
    assert checkpoint.step == Replay(acting.run / "replay").decisions
    assert checkpoint.step >= lived


def test_a_killed_agent_is_no_longer_followed_after_150_ms(graph: Graph):
    robot = graph.robot
    graph.parameters |= {"checkpoint": str(graph.run), "learn": False}
    robot.forget("agent")
    robot.stamp_of = lambda: robot.get_clock().now().to_msg()
    graph.start_gate()
    graph.start_agent()
    robot.wait_report("agent", lambda message, values: message.startswith("unconfigured"), 90)
    assert robot.transition("agent", "configure", patience=120), graph.processes.log(AGENT.name)
    assert robot.transition("agent", "activate")
    graph.flows()
    graph.processes.stop("agent", signal.SIGKILL)
    last = robot.commands[-1][0]
    robot.wait_report("gate", lambda message, values: message == "holding", 3)
    robot.rests(within=1.0)
    began = next(when for when, status in robot.statuses if when > last and status == "holding")
    assert began - last <= 0.15 + SLACK / 2
