"""The agent on a robot: `ros2 launch robot_agent agent.launch.py robot:=sim checkpoint:=RUN learn:=true`.

The nodes, their arguments and what starts when all come from robot_agent_ros.graph, as for `robot-agent ros up`.
"""

import os

from launch.actions import DeclareLaunchArgument, EmitEvent, OpaqueFunction, RegisterEventHandler, Shutdown
from launch.events import matches_action
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode, Node
from launch_ros.event_handlers import OnStateTransition
from launch_ros.events.lifecycle import ChangeState
from lifecycle_msgs.msg import Transition
from robot_agent_ros.graph import ARGUMENTS, GATE, PACKAGE, RECORDER, SIM_BODY
from robot_agent_ros.robots import starts, truth
from robot_agent_ros.transport import whole_frames

from launch import LaunchDescription


def actions_of(context):
    """One node for each process that the arguments ask for; a managed one is configured and activated."""
    arguments = {argument.name: LaunchConfiguration(argument.name).perform(context) for argument in ARGUMENTS}
    actions = []
    for start in starts(arguments):
        kind = LifecycleNode if start.node.managed else Node
        node = kind(
            package=PACKAGE,
            executable=start.node.name,
            name=start.node.name,
            namespace=arguments["namespace"],
            parameters=[str(start.file), dict(start.overrides)],
            output="screen",
            additional_env=whole_frames(os.environ),
            respawn=start.node in (GATE, RECORDER),  # the agent holds until the gate is back
            respawn_delay=0.5,
            on_exit=without_body if start.node is SIM_BODY else None,
            sigterm_timeout="60",  # an agent keeps what it learned before it ends
        )
        actions.append(node)
        if start.node.managed and truth("autostart", arguments["autostart"]):
            actions += transitions_of(node)
    return actions


def without_body(event, context):
    """Ends the graph, unless it is ending anyway."""
    return None if context.is_shutdown else [Shutdown(reason="the simulated body ended")]


def transitions_of(node):
    """Configures a managed node when it is there, and activates it when it is configured."""

    def change(transition):
        return EmitEvent(event=ChangeState(lifecycle_node_matcher=matches_action(node), transition_id=transition))

    activate = OnStateTransition(
        target_lifecycle_node=node,
        start_state="configuring",
        goal_state="inactive",
        entities=[change(Transition.TRANSITION_ACTIVATE)],
    )
    return [RegisterEventHandler(activate), change(Transition.TRANSITION_CONFIGURE)]


def generate_launch_description():
    """What launch asks a launch file for."""
    declared = [
        DeclareLaunchArgument(argument.name, default_value=argument.default, description=argument.what)
        for argument in ARGUMENTS
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=actions_of)])
