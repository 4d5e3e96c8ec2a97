"""Plans that come late, learners that die, gates that are gone, others who command: acting continues."""

from __future__ import annotations

import os
import signal
import time

import numpy as np
from robot_agent_ros.endpoints import publisher
from robot_agent_ros.graph import COMMAND
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from tests.support.ros_agent import PERIOD, SLACK, Graph


def test_a_plan_that_takes_ten_times_its_time_is_not_sent_and_the_next_one_is(acting: Graph):
    robot = acting.robot
    since = time.monotonic()
    (acting.folder / "slow").write_text(str(10 * PERIOD))
    while (acting.folder / "slow").exists():
        time.sleep(0.005)
        assert time.monotonic() - since < 5
    slow_since = time.monotonic()
    assert 10 * PERIOD - SLACK < robot.next_command_after(slow_since + 0.02) < 12 * PERIOD + SLACK
    robot.wait_report("agent", lambda message, values: int(values.get("held: plan_late", 0)) >= 1, 3)
    assert robot.never_older_than(0.4 + SLACK)
    acting.recovers()


def test_how_old_a_command_may_be_is_set_while_it_acts(acting: Graph):
    robot = acting.robot
    before = int(robot.report("agent")[1].get("held: plan_late", 0))
    assert robot.set_parameter("agent", "largest_command_age", 0.15) == ""
    try:
        (acting.folder / "slow").write_text("0.25")  # as old as it might be before
        robot.wait_report("agent", lambda message, values: int(values.get("held: plan_late", 0)) > before, 5)
    finally:
        assert robot.set_parameter("agent", "largest_command_age", 0.4) == ""
    acting.recovers()


def test_a_learner_that_is_killed_is_started_again_and_acting_goes_on(acting: Graph):
    robot = acting.robot
    robot.wait_report("agent", lambda message, values: int(values.get("learner pid", 0)) > 0, 3)
    _, before = robot.report("agent")
    since = time.monotonic()
    os.kill(int(before["learner pid"]), signal.SIGKILL)
    robot.wait_report("agent", lambda message, values: message.startswith("acting: the learner has ended"), 3)
    assert robot.flow(2.0) >= 5
    robot.wait_report(
        "agent",
        lambda message, values: values.get("learner") == "runs" and values.get("learner restarts") != "0",
        120,
    )
    assert robot.largest_gap(since) < 1.0 + SLACK
    acting.recovers()


def test_another_publisher_of_commands_is_refused_and_the_first_goes_on(acting: Graph):
    robot = acting.robot
    commands = publisher(robot.stranger, COMMAND)
    until = time.monotonic() + 1.5
    while time.monotonic() < until:
        command = JointTrajectory(joint_names=["one", "two"], points=[JointTrajectoryPoint(positions=[0.9, 0.9])])
        command.header.stamp = robot.get_clock().now().to_msg()
        commands.publish(command)
        time.sleep(0.02)
    robot.wait_report("gate", lambda message, values: int(values.get("refused: foreign_publisher", 0)) >= 5, 3)
    robot.stranger.destroy_publisher(commands)
    acting.recovers()


def test_a_gate_that_is_gone_is_missed_and_a_new_one_is_obeyed_from_where_the_robot_is(acting: Graph):
    robot = acting.robot
    since = time.monotonic()
    acting.processes.stop("gate", signal.SIGKILL)
    acting.holds("gate_missing", 0.35 + PERIOD, since)
    before = list(robot.positions)
    acting.start_gate()
    robot.next_command_after(time.monotonic(), patience=30)
    first = np.array(robot.commands[-1][1].points[0].positions)
    assert np.all(np.abs(first - before) <= 0.5)
    acting.flows()
