"""Actions and feelings on a robot mean what they mean in its world."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from robot_agent_ros.agent.body import Velocity
from robot_agent_ros.agent.commands import fill_command, read_commanded, topic_of
from robot_agent_ros.agent.config import AgentConfig
from robot_agent_ros.agent.making_body import body_of_parameters, body_of_world, make_world
from robot_agent_ros.agent.task import Task, hindsight_of, named_function, task_of
from robot_agent_ros.endpoints import message_class
from robot_agent_ros.errors import ParameterError
from robot_agent_ros.graph import COMMAND, TWIST_COMMAND
from robot_agent_ros.messages.error import MessageError
from trajectory_msgs.msg import JointTrajectoryPoint

from robot_agent.types import BodySpec

PARAMETERS = AgentConfig(
    joints=("a", "b"), lower=(-1.0, -2.0), upper=(1.0, 0.5), control_rate=20.0, streams=("proprio",)
)
WHEELS = AgentConfig(
    joints=("left", "right"),
    lower=(-10.0, -10.0),
    upper=(10.0, 10.0),
    wheel_radius=0.05,
    wheel_separation=0.2,
    control_rate=10.0,
    streams=("proprio",),
)


@pytest.mark.parametrize("world", ["servo-arm/reach", "so101/reach"])
def test_a_robot_is_commanded_and_feels_as_in_the_world_it_is_the_body_of(world: str):
    env = make_world(world, ("proprio",), (64, 64))
    body = body_of_world(world, env)
    assert body.spec == BodySpec.from_env(env)
    assert body.frame == pytest.approx(env.unwrapped.metadata["control_dt"])
    observation, _ = env.reset(seed=0)
    joints = len(body.joints)
    rng = np.random.default_rng(0)
    for _ in range(20):
        before = env.unwrapped.data.ctrl.copy()
        assert observation["proprio"][2 * joints :] == pytest.approx(before, abs=1e-6)
        action = rng.uniform(-1, 1, joints).astype(np.float32)
        observation, *_ = env.step(action)
        assert body.commanded(before, action) == pytest.approx(env.unwrapped.data.ctrl, abs=1e-6)
        felt = body.proprio(observation["proprio"][:joints], np.zeros(joints), env.unwrapped.data.ctrl)
        assert felt.shape == observation["proprio"].shape
        assert felt.dtype == np.float32


@pytest.mark.parametrize("world", ["rover/goal", "rover/traffic"])
def test_a_rover_is_commanded_and_feels_as_in_the_world_it_is_the_body_of(world: str):
    env = make_world(world, ("proprio", "camera"), (16, 16))
    body = body_of_world(world, env)
    assert body.joints == ("left_wheel", "right_wheel")
    data = env.unwrapped.data
    observation, _ = env.reset(seed=0)
    rng = np.random.default_rng(0)
    commanded = body.still(env.unwrapped.reading(data.qpos))
    for _ in range(20):
        assert observation["proprio"][2:] == pytest.approx(commanded, abs=1e-5)
        action = rng.uniform(-1, 1, 2).astype(np.float32)
        commanded = body.commanded(commanded, action)
        assert body.action(commanded, commanded) == pytest.approx(action, abs=1e-6)
        before = env.unwrapped.reading(data.qpos)
        observation, *_ = env.step(action)
        position = env.unwrapped.reading(data.qpos)
        felt = body.proprio(position, (position - before) / body.frame, commanded)
        assert felt == pytest.approx(observation["proprio"], abs=1e-4)


@pytest.mark.parametrize("action", [(0.4, 0.4), (-0.2, 0.2), (0.5, 0.3)])
def test_wheels_that_turn_move_the_body_as_their_velocity_says(action: tuple[float, float]):
    env = make_world("rover/goal", ("proprio", "camera"), (16, 16))
    body = body_of_world("rover/goal", env)
    rover, data = env.unwrapped.rover, env.unwrapped.data
    env.reset(seed=0)
    rover.place(data, np.zeros(2), 0.0)
    for _ in range(10):
        place, heading = rover.position(data).copy(), rover.heading(data)
        env.step(np.float32(action))
    rolled = body.velocity(body.commanded(np.zeros(2), np.float32(action)))
    turned = (rover.heading(data) - heading + np.pi) % (2 * np.pi) - np.pi
    assert turned == pytest.approx(rolled.turn * body.frame, rel=0.1, abs=0.002)
    moved = np.linalg.norm(rover.position(data) - place)
    assert moved == pytest.approx(rolled.forward * body.frame, rel=0.1, abs=0.002)


@pytest.mark.parametrize(("config", "row"), [(PARAMETERS, COMMAND), (WHEELS, TWIST_COMMAND)])
def test_a_command_is_read_as_it_was_sent(config: AgentConfig, row):
    body = body_of_parameters(config)
    assert topic_of(body) is row
    message = message_class(row)()
    if row is COMMAND:
        message.points = [JointTrajectoryPoint()]
    commanded = np.array([0.3, -0.7])
    fill_command(message, body, commanded)
    ((after, asked),) = read_commanded(message, body)
    assert after == 0
    assert asked == pytest.approx(commanded)


def test_a_body_on_wheels_is_driven_by_its_velocity():
    body = body_of_parameters(WHEELS)
    assert (body.spec.proprio_dim, body.spec.action_dim) == (4, 2)
    assert body.velocity(np.array([4.0, 4.0])) == pytest.approx(Velocity(0.2, 0.0))
    assert body.velocity(np.array([-4.0, 4.0])) == pytest.approx(Velocity(0.0, 2.0))
    assert body.speeds(Velocity(0.2, 2.0)) == pytest.approx([0.0, 8.0])
    message = message_class(TWIST_COMMAND)()
    message.twist.linear.y = 0.1
    with pytest.raises(MessageError, match=r"only linear\.x and angular\.z"):
        read_commanded(message, body)
    with pytest.raises(MessageError, match="JointTrajectory, expected geometry_msgs/TwistStamped"):
        read_commanded(message_class(COMMAND)(), body)
    message.twist.linear.y = float("nan")
    with pytest.raises(MessageError, match="finite"):
        read_commanded(message, body)


def test_what_joints_achieve_is_what_the_world_says_and_is_worth_what_it_gives():
    env = make_world("servo-arm/reach", ("proprio",), (64, 64))
    body = body_of_world("servo-arm/reach", env)
    task = task_of(AgentConfig(world="servo-arm/reach"), body, make_world("servo-arm/reach", ("proprio",), (64, 64)))
    observation, _ = env.reset(seed=3)
    for _ in range(10):
        observation, reward, *_ = env.step(np.ones(3, np.float32))
        assert task.set_goal(observation["desired_goal"]) == ""
        seen = task.seen(observation["proprio"], {}, task.goal)
        # MuJoCo's site positions are those of the physics step before: 2 ms of motion.
        assert seen["achieved_goal"] == pytest.approx(observation["achieved_goal"], abs=5e-3)
        assert task.reward(seen, 0.0, 1.0) == pytest.approx(reward, abs=0.03)
    functions = hindsight_of(AgentConfig(), "servo-arm/reach", ("proprio",), (64, 64))()
    assert float(functions.reward(observation["achieved_goal"], observation["achieved_goal"], {})) == 1.0


def test_a_world_whose_joints_do_not_tell_what_is_achieved_is_refused():
    env = make_world("so101/push-cube", ("proprio",), (64, 64))
    with pytest.raises(ParameterError, match="cannot be told from its joints alone"):
        task_of(AgentConfig(), body_of_world("so101/push-cube", env), env)


def test_a_robot_without_a_world_is_what_its_parameters_say():
    body = body_of_parameters(PARAMETERS)
    assert (body.spec.proprio_dim, body.spec.action_dim, body.spec.control_dt) == (6, 2, 0.05)
    assert body.commanded(np.array([0.99, 0.0]), np.array([1, -1], np.float32)) == pytest.approx([1.0, -0.05])
    with pytest.raises(ParameterError, match="neither world nor joints"):
        body_of_parameters(AgentConfig())
    with pytest.raises(ParameterError, match="control_rate"):
        body_of_parameters(replace(PARAMETERS, control_rate=0.0))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"lower": (1.0, -2.0)}, "lower below upper"),
        ({"lower": (1.0,)}, "lower has 1 entries"),
        ({"camera_size": (64,)}, "camera_size has 1"),
        ({"streams": ("proprio", "proprio")}, "one twice"),
        ({"reward": "nonsense"}, "module:function"),
        ({"wheel_radius": 0.1}, "give both"),
        ({"wheel_radius": 0.1, "wheel_separation": 0.2}, "as fast in both directions"),
    ],
)
def test_parameters_that_contradict_each_other_are_one_sentence(change: dict, sentence: str):
    with pytest.raises(ParameterError, match=sentence):
        replace(PARAMETERS, **change)


def test_rewards_of_a_topic_belong_to_the_step_in_which_they_were_sent():
    task = Task(0, listens=True)
    for stamp, value in ((0.9, 100.0), (1.1, 1.0), (1.2, 2.0), (1.3, 5.0)):
        task.give_reward(stamp, value)
    assert task.reward({}, 1.0, 1.25) == 3.0
    assert task.reward({}, 1.25, 1.3) == 5.0
    assert task.reward({}, 1.3, 1.4) is None


def test_a_goal_of_another_shape_or_with_a_nan_is_refused_and_the_last_one_stands():
    task = Task(2)
    assert task.goal is None
    assert "expected 2" in task.set_goal([1.0])
    assert "finite" in task.set_goal([1.0, float("nan")])
    assert task.goal is None
    assert task.set_goal([1.0, 2.0]) == ""
    assert "finite" in task.set_goal([float("inf"), 0.0])
    assert task.goal.tolist() == [1.0, 2.0]


def test_a_function_is_named_by_module_and_name():
    assert named_function("math:sqrt")(4) == 2
    for name in ("math:nothing", "no.such.module:f", "math:pi"):
        with pytest.raises(ParameterError, match=r"math|no\.such"):
            named_function(name)
