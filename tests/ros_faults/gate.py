"""Faults around the gate: joint states as other robots publish them, and others who speak."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import pytest
from geometry_msgs.msg import Twist
from rcl_interfaces.msg import Log
from rclpy.node import Node
from robot_agent_ros.endpoints import publisher
from robot_agent_ros.graph import GATE, JOINT_STATES, POSITIONS
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray

from tests.ros_faults.robot import (
    JudgedRobot,
    controller,
    simulated_time,
    spinning,
    trajectory_controller,
    velocity_motors,
)
from tests.ros_faults.scenario import Outcome, Scenario, Stage
from tests.ros_graph import flags
from tests.ros_robot import GATE_PARAMETERS, JOINTS

NAN = math.nan


def start_gate(stage: Stage, **parameters: Any) -> None:
    stage.processes.start_node(GATE, {**GATE_PARAMETERS, **parameters})


def states(positions: Sequence[float], joints: Sequence[str] = JOINTS) -> AbstractContextManager[Node]:
    """Another node that publishes joint states, 50 times a second."""

    def make(node: Node) -> None:
        sender = publisher(node, JOINT_STATES)

        def send() -> None:
            message = JointState(name=list(joints), position=[float(one) for one in positions])
            message.header.stamp = node.get_clock().now().to_msg()
            sender.publish(message)

        node.create_timer(0.02, send)

    return spinning("stranger", make)


def moves(robot: JudgedRobot, positions: Sequence[float]) -> None:
    """The robot goes where it is commanded."""
    robot.follow(1.6, positions)
    assert robot.position == pytest.approx(positions, abs=1e-3)
    assert robot.status == "following"


def stays(robot: JudgedRobot, seconds: float, asked: Sequence[float] = (1.5, -1.5)) -> None:
    """The robot is commanded and rests, after a time in which it may brake."""
    robot.follow(0.5, asked)
    before = robot.position
    robot.follow(seconds, asked)
    assert robot.position == before


# ---- joint states ----


def no_fault(stage: Stage) -> Outcome:
    """The robot is held where it is, and follows commands: what the faults are compared with."""
    start_gate(stage)
    with JudgedRobot() as robot:
        robot.wait_for("holding", 40)
        moves(robot, [0.5, 0.3])
        return robot.outcome


def quantities_that_are_not_measured(stage: Stage) -> Outcome:
    """joint_state_broadcaster fills in NaN for interfaces that are not there."""
    start_gate(stage)
    with JudgedRobot() as robot:
        robot.fill = lambda message: (
            message.velocity.extend([NAN] * len(message.name)),
            message.effort.extend([NAN] * len(message.name)),
        )
        robot.wait_for("holding", 40)
        moves(robot, [0.5, 0.3])
        return robot.outcome


def broken_joints_of_others(stage: Stage) -> Outcome:
    """A gripper that is none of the gate's joints has no position."""

    def fill(message: JointState) -> None:
        message.name.append("gripper")
        message.position.append(NAN)

    start_gate(stage)
    with JudgedRobot() as robot:
        robot.fill = fill
        robot.wait_for("holding", 40)
        moves(robot, [0.5, 0.3])
        return robot.outcome


def joints_in_two_messages(stage: Stage) -> Outcome:
    """Each joint has a publisher of its own."""
    start_gate(stage)
    with JudgedRobot() as robot:
        robot.measures = False

        def make(node: Node, index: int) -> None:
            sender = publisher(node, JOINT_STATES)

            def send() -> None:
                message = JointState(name=[JOINTS[index]], position=[robot.position[index]])
                message.header.stamp = node.get_clock().now().to_msg()
                sender.publish(message)

            node.create_timer(0.01, send)

        with spinning("arm", lambda node: make(node, 0)), spinning("wrist", lambda node: make(node, 1)):
            robot.wait_for("holding", 40)
            moves(robot, [0.5, 0.3])
        return robot.outcome


def implausible_positions(stage: Stage) -> Outcome:
    """One joint state of a hundred says 1e308, which becomes infinite where it is added to."""
    count = 0

    def fill(message: JointState) -> None:
        nonlocal count
        count += 1
        if count % 100 == 50:
            message.position = [1e308, -1e308]

    start_gate(stage)
    with JudgedRobot() as robot:
        robot.fill = fill
        robot.wait_for("holding", 40)
        moves(robot, [0.5, 0.3])
        robot.wait(lambda: "joint states ignored: non_finite" in robot.diagnostics)
        return robot.outcome


# ---- who else speaks ----


def foreign_joint_states_at_the_start(stage: Stage) -> Outcome:
    """A second node publishes the same joints, 1.1 rad away, before the gate is there."""
    with JudgedRobot() as robot:
        with states([1.2, 1.0]):
            start_gate(stage, listen_time=1.0)
            robot.wait_for("several_sources", 40)
            stays(robot, 1.0)
            assert robot.outputs == []
            robot.wait(lambda: all(name in stage.processes.log(GATE.name) for name in ("/stranger", "/played_robot")))
        robot.wait_for("holding", 20)
        moves(robot, [0.5, 0.3])
        return robot.outcome


def foreign_joint_states_while_moving(stage: Stage) -> Outcome:
    """A second node publishes the same joints while the robot moves."""
    start_gate(stage)
    with JudgedRobot() as robot:
        robot.wait_for("holding", 40)
        robot.follow(0.3, [1.5, -1.5])
        with states([-1.5, 1.5]):
            robot.follow(1.0, [1.5, -1.5])
            assert robot.status == "several_sources"
            stays(robot, 1.0)
        robot.wait_for("holding", 20)
        moves(robot, [0.0, 0.0])
        return robot.outcome


def joint_states_of_another_robot(stage: Stage) -> Outcome:
    """Joints of other names on the same topic are no rivals."""
    start_gate(stage)
    with JudgedRobot() as robot, states([1.0, NAN], ("c", "d")):
        robot.wait_for("holding", 40)
        moves(robot, [0.5, 0.3])
        return robot.outcome


def two_gates(stage: Stage) -> Outcome:
    """A second gate with a name of its own sends to the same controller."""
    start_gate(stage)
    with JudgedRobot() as robot:
        robot.wait_for("holding", 40)
        robot.follow(0.3, [1.5, -1.5])
        arguments = ["-m", GATE.module, *flags(GATE_PARAMETERS, {"__node": "second_gate"})]
        stage.processes.start("second", arguments)
        end = time.monotonic() + 20
        while robot.status != "several_sources":
            assert time.monotonic() < end
            robot.command([1.5, -1.5])
            time.sleep(0.03)
        stays(robot, 3.0)
        robot.wait(lambda: "/second_gate also sends to" in stage.processes.log(GATE.name))
        robot.wait(lambda: "/gate also sends to" in stage.processes.log("second"))
        stage.processes.stop("second")
        robot.wait(lambda: robot.statuses[-1][1] == "holding" and robot.statuses[-20][1] == "holding", 30)
        moves(robot, [0.0, 0.0])
        return robot.outcome


def two_gates_of_one_name(stage: Stage) -> Outcome:
    """The same launch file was started twice."""
    start_gate(stage)
    stage.processes.start("second", ["-m", GATE.module, *flags(GATE_PARAMETERS)])
    with JudgedRobot() as robot:
        robot.wait(lambda: bool(robot.statuses), 40)
        robot.follow(6.0, [1.5, -1.5])
        assert "/gate also sends to" in stage.processes.log(GATE.name) + stage.processes.log("second")
        stage.processes.stop("second")
        robot.wait(lambda: robot.statuses[-1][1] == "holding" and robot.statuses[-20][1] == "holding", 30)
        moves(robot, [0.0, 0.0])
        return robot.outcome


def somebody_else_sends_to_the_controller(stage: Stage) -> Outcome:
    """A node of somebody else has a publisher on the output's topic."""
    start_gate(stage)
    with JudgedRobot() as robot:
        robot.wait_for("holding", 40)

        def make(node: Node) -> None:
            node.create_publisher(Float64MultiArray, POSITIONS.name, 1)

        with spinning("teleoperation", make):
            robot.wait_for("several_sources", 20)
            stays(robot, 1.0)
        robot.wait_for("holding", 20)
        moves(robot, [0.5, 0.3])
        return robot.outcome


# ---- the controller ----


def controller_of_another_order(stage: Stage) -> Outcome:
    """The controller has the same joints in another order, and comes back with that of the gate."""
    start_gate(stage)
    with JudgedRobot(hears_gate=False) as robot:
        robot.position = [0.9, -0.4]
        with controller(robot, JOINTS[::-1]):
            robot.wait(lambda: bool(robot.outputs), 40)
            moves(robot, [0.5, 0.3])
        robot.follow(1.0, [0.5, 0.3])
        with controller(robot, JOINTS):
            robot.follow(2.5, [0.5, 0.3])
            moves(robot, [-0.5, 0.9])
        return robot.outcome


def controller_of_other_joints(stage: Stage) -> Outcome:
    """The controller moves another arm, or by velocity: nothing is sent to it."""
    start_gate(stage)
    with JudgedRobot(hears_gate=False) as robot:
        for joints, interface, said in (
            (("a", "c"), "position", "has the joints a, c, and the gate a, b"),
            (JOINTS, "velocity", "commands velocity, and the gate's output is forward_position"),
        ):
            with controller(robot, joints, interface):
                robot.wait_for("wrong_controller", 40)
                robot.wait(lambda said=said: said in stage.processes.log(GATE.name))  # type: ignore[misc]
                robot.follow(0.5, [0.5, 0.3])
                assert robot.outputs == []
        with controller(robot, JOINTS):
            robot.wait(lambda: bool(robot.outputs))
            moves(robot, [0.5, 0.3])
        return robot.outcome


def stock_trajectory_controller(stage: Stage) -> Outcome:
    """It refuses what ends with a velocity, and goes on with the last trajectory that it took."""
    start_gate(stage, output="joint_trajectory")
    with JudgedRobot(hears_gate=False) as robot, trajectory_controller(robot):
        robot.wait_for("holding", 40)
        for goal in ([0.5, 0.3], [-0.5, 1.0], [1.9, -1.9]):
            robot.follow(0.7, goal)
        moves(robot, [0.0, 0.0])
        return robot.outcome


def encoder_that_freezes(stage: Stage) -> Outcome:
    """Joint states come on with fresh stamps and old positions while the motors turn."""
    start_gate(stage, output="forward_velocity", tracking_error=0.3)
    with JudgedRobot(hears_gate=False) as robot, velocity_motors(robot):

        def fill(message: JointState) -> None:
            message.position = [0.1, -0.1]

        robot.fill = fill
        robot.wait_for("holding", 40)
        end = time.monotonic() + 3.0
        while time.monotonic() < end:
            robot.command([1.0, -1.0], quantity="velocities")
            time.sleep(1 / 30)
        assert robot.status == "not_following"
        return robot.outcome


def gate_that_joins_a_moving_robot(stage: Stage) -> Outcome:
    """Somebody moves the robot while the gate starts, and joint states have no velocities."""
    start_gate(stage)
    with JudgedRobot() as robot:

        def turn() -> None:
            """At 1 rad/s, to and fro."""
            robot.position = [abs(time.monotonic() % 2 - 1) - 0.5, 0.0]
            time.sleep(0.005)

        end = time.monotonic() + 40
        while robot.status != "waiting_for_rest":
            assert time.monotonic() < end
            turn()
        end = time.monotonic() + 3.0
        while time.monotonic() < end:
            turn()
        assert robot.outputs == []
        moves(robot, [0.0, 0.0])
        return robot.outcome


# ---- time ----


def slow_simulated_time(stage: Stage) -> Outcome:
    """A simulator runs at a tenth of real time: limits count in its seconds, and so do timeouts."""
    start_gate(stage, use_sim_time=True)
    with JudgedRobot(speed=0.1) as robot, simulated_time(robot, 0.1):
        robot.wait_for("holding", 40)
        began, before = robot.clock(), robot.position[0]
        robot.follow(4.0, [1.9, -1.9])
        assert robot.status == "following"
        went, passed = robot.position[0] - before, (robot.clock() - began) * 1e-9
        assert 0.1 < went < GATE_PARAMETERS["velocity"][0] * passed
        return robot.outcome


def simulated_time_that_stops(stage: Stage) -> Outcome:
    """The simulator is paused: the robot rests, and that is said."""
    start_gate(stage, use_sim_time=True)
    with JudgedRobot() as robot, simulated_time(robot, 1.0) as speed:
        robot.wait_for("holding", 40)
        robot.follow(0.3, [1.0, 1.0])
        speed[0] = 0.0
        stays(robot, 0.5)
        assert robot.status == "clock_stopped"
        robot.wait(lambda: "/clock stands still" in stage.processes.log(GATE.name))
        speed[0] = 1.0
        moves(robot, [0.0, 0.0])
        return robot.outcome


# ---- what is said ----


def nobody_listens(stage: Stage) -> Outcome:
    """The controller is not active, or its topic has another name."""
    start_gate(stage)
    with JudgedRobot(hears_gate=False) as robot:
        robot.wait(lambda: "nobody listens on /forward_position_controller/commands" in stage.processes.log(GATE.name))
        with controller(robot, JOINTS):
            robot.wait(lambda: bool(robot.outputs), 40)
            moves(robot, [0.5, 0.3])
        return robot.outcome


def base_that_takes_unstamped_twists(stage: Stage) -> Outcome:
    """A base of before kilted takes Twist, which TwistStamped never reaches."""
    parameters = {"joints": ["linear.x"], "output": "twist", "velocity": [1.0], "acceleration": [1.0], "jerk": [10.0]}
    stage.processes.start_node(GATE, parameters)

    def make(node: Node) -> None:
        node.create_subscription(Twist, "cmd_vel", lambda message: None, 1)

    with spinning("base", make), JudgedRobot() as robot:
        robot.wait(lambda: "/base takes geometry_msgs/msg/Twist on /cmd_vel" in stage.processes.log(GATE.name), 40)
        return robot.outcome


def refusals_and_states_are_said(stage: Stage) -> Outcome:
    """Who starts the graph in a terminal sees there why the robot does not move."""

    def said(sentence: str) -> Callable[[], bool]:
        return lambda: sentence in stage.processes.log(GATE.name)

    logged: list[str] = []
    start_gate(stage)
    with JudgedRobot() as robot:
        robot.node.create_subscription(Log, "/rosout", lambda message: logged.append(message.msg), 100)
        robot.wait(said("[gate]: holding: no fresh command comes"), 40)
        moves(robot, [0.5, 0.3])
        robot.follow(1.0, [0.5, 0.3])
        robot.wait(said("[gate]: following"))
        robot.command([0.5, 0.3, 0.0], joints=("a", "b", "c"))
        robot.wait(said("commands are refused: unknown_joint: expected the joints of the gate only"))
        robot.measures = False
        robot.wait(said("[gate]: joints_lost"))
        robot.measures = True
        robot.wait_for("holding")
        assert stage.processes.log(GATE.name).count("commands are refused") == 1
        robot.wait(lambda: any(line.startswith("commands are refused") for line in logged))
        return robot.outcome


def commands_that_are_too_fast(stage: Stage) -> Outcome:
    """The agent asks for more speed than the gate allows: nothing is clipped, and the output is behind."""
    start_gate(stage, velocity=[0.2])
    with JudgedRobot() as robot:
        robot.wait_for("holding", 40)
        for index in range(90):
            robot.command([math.sin(index / 10)] * 2)
            time.sleep(1 / 30)
        robot.wait(lambda: "commands move a at up to" in stage.processes.log(GATE.name))
        robot.wait(lambda: float(robot.diagnostics["newest command ahead of the output [rad]"]) > 0.1)
        assert robot.diagnostics["commands clipped to limits"] == "0"
        return robot.outcome


SCENARIOS: dict[str, Scenario] = {
    "no fault": no_fault,
    "quantities that are not measured": quantities_that_are_not_measured,
    "broken joints of others": broken_joints_of_others,
    "joints in two messages": joints_in_two_messages,
    "implausible positions": implausible_positions,
    "foreign joint states at the start": foreign_joint_states_at_the_start,
    "foreign joint states while moving": foreign_joint_states_while_moving,
    "joint states of another robot": joint_states_of_another_robot,
    "two gates": two_gates,
    "two gates of one name": two_gates_of_one_name,
    "somebody else sends to the controller": somebody_else_sends_to_the_controller,
    "controller of another order": controller_of_another_order,
    "controller of other joints": controller_of_other_joints,
    "stock trajectory controller": stock_trajectory_controller,
    "encoder that freezes": encoder_that_freezes,
    "gate that joins a moving robot": gate_that_joins_a_moving_robot,
    "slow simulated time": slow_simulated_time,
    "simulated time that stops": simulated_time_that_stops,
    "commands that are too fast": commands_that_are_too_fast,
    "nobody listens": nobody_listens,
    "base that takes unstamped twists": base_that_takes_unstamped_twists,
    "refusals and states are said": refusals_and_states_are_said,
}
