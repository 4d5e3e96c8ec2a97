"""The MuJoCo body alone, in place of a robot: `ros2 launch robot_agent sim.launch.py`.

It has the topics of a robot. The rest of the graph may run elsewhere: `agent.launch.py robot:=FILE enable:=true`,
where FILE is a copy of config/sim.yaml without the section of sim_body.
"""

from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from robot_agent_ros.graph import ARGUMENTS, PACKAGE, SIM_BODY
from robot_agent_ros.robots import starts

from launch import LaunchDescription

TAKEN = [argument for argument in ARGUMENTS if argument.name in ("robot", "namespace")]


def actions_of(context):
    """The body, if the robot's file has one."""
    arguments = {argument.name: LaunchConfiguration(argument.name).perform(context) for argument in TAKEN}
    bodies = [start for start in starts(arguments) if start.node is SIM_BODY]
    if not bodies:
        raise RuntimeError(f"robot:={arguments['robot']} has no section for {SIM_BODY.name}: it is a robot of its own")
    return [
        Node(
            package=PACKAGE,
            executable=start.node.name,
            name=start.node.name,
            namespace=arguments["namespace"],
            parameters=[str(start.file)],
            output="screen",
        )
        for start in bodies
    ]


def generate_launch_description():
    """What launch asks a launch file for."""
    declared = [
        DeclareLaunchArgument(argument.name, default_value=argument.default, description=argument.what)
        for argument in TAKEN
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=actions_of)])
