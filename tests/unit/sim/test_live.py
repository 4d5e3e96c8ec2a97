"""A live world goes on as the world of episodes does, obeys commands, and shows itself to a camera elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from robot_agent_sim.live import LiveWorld
from robot_agent_sim.mujoco_env import MujocoEnv
from robot_agent_sim.rover.tasks import RoverGoalEnv, RoverTrafficEnv
from robot_agent_sim.servo_arm.reach import HOME, ServoArmReachEnv
from robot_agent_sim.so101.arm import Servo
from robot_agent_sim.so101.tasks import ReachEnv

WORLDS = (ServoArmReachEnv, ReachEnv, RoverGoalEnv)
TICK = 0.005


def live(kind: type[MujocoEnv], seed: int = 0) -> LiveWorld:
    return LiveWorld(kind(streams=("proprio",)), TICK, seed)  # type: ignore[call-arg]


def lived(world: LiveWorld, seconds: float) -> LiveWorld:
    for _ in range(round(seconds / TICK)):
        world.advance()
    return world


@pytest.mark.parametrize("kind", WORLDS)
def test_a_second_lasts_a_second(kind: type[MujocoEnv]):
    world = lived(live(kind), 1.0)
    assert world.world.data.time == pytest.approx(1.0)
    assert world.world.model.opt.timestep <= 0.0025
    assert world.tick / world.steps_per_tick == pytest.approx(world.world.model.opt.timestep)


@pytest.mark.parametrize("kind", WORLDS)
def test_without_a_command_the_body_stays(kind: type[MujocoEnv]):
    world = lived(live(kind), 0.5)
    before = world.reading().position
    np.testing.assert_allclose(lived(world, 2.0).reading().position, before, atol=0.01)
    np.testing.assert_allclose(world.reading().velocity, 0, atol=0.05)


def test_an_arm_goes_where_it_is_commanded_and_no_further_than_its_range():
    world = live(ServoArmReachEnv)
    world.command(HOME + 0.3)
    np.testing.assert_allclose(lived(world, 1.5).reading().position, HOME + 0.3, atol=0.06)
    world.command([9, 9, 9])
    np.testing.assert_array_equal(world.world.data.ctrl, world.high)


def test_it_moves_as_the_world_of_episodes_moves():
    env = ServoArmReachEnv(streams=("proprio",))
    env.reset(seed=3)
    world = live(ServoArmReachEnv)
    for data in (env.data, world.world.data):
        data.qpos[:], data.qvel[:], data.ctrl[:] = HOME, 0, HOME
    for _ in range(15):
        env.step(np.array([1, -1, 0.5], np.float32))
        world.command(env.data.ctrl)
        lived(world, 1 / 30 + 1e-9)
    np.testing.assert_allclose(env.data.time, 0.5)
    world = lived(world, 0.5 - world.world.data.time)
    np.testing.assert_allclose(world.reading().position, env.data.qpos, atol=0.03)


def test_a_rover_drives_at_the_speed_it_is_told():
    world = live(RoverGoalEnv)
    rover = world.world.rover  # type: ignore[attr-defined]
    rover.place(world.world.data, np.zeros(2), 0.0)
    world.drive(0.3, 0.0)
    lived(world, 2.0)
    assert rover.position(world.world.data)[0] == pytest.approx(0.6, abs=0.05)
    heading = rover.heading(world.world.data)
    world.drive(0.0, 0.5)
    lived(world, 2.0)
    assert rover.heading(world.world.data) - heading == pytest.approx(1.0, abs=0.15)
    assert world.names == ("left_wheel", "right_wheel")
    assert world.by_velocity


@pytest.mark.parametrize("bad", [[0.0, 0.0], [0.0, float("nan"), 0.0], [np.inf, 0, 0], []])
def test_garbage_is_refused_and_the_last_command_stays(bad: list[float]):
    world = live(ServoArmReachEnv)
    before = world.world.data.ctrl.copy()
    with pytest.raises(ValueError, match="expected"):
        world.command(bad)
    np.testing.assert_array_equal(world.world.data.ctrl, before)
    with pytest.raises(ValueError, match="no wheels"):
        world.drive(0.1, 0.0)


@pytest.mark.parametrize("kind", WORLDS)
def test_a_new_goal_is_another_one_and_the_body_does_not_notice(kind: type[MujocoEnv]):
    world = lived(live(kind), 0.2)
    before, place = world.reading(), world.world.data.mocap_pos.copy()
    world.new_goal()
    for one, other in zip(before, world.reading(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert np.linalg.norm(world.world.data.mocap_pos - place) > 0.01
    assert len(world.goal()) == world.world.goal_dim
    assert 0 <= world.reward() <= 1


def test_the_same_seed_is_the_same_life():
    one, other, third = live(ReachEnv, 1), live(ReachEnv, 1), live(ReachEnv, 2)
    for world in (one, other, third):
        world.new_goal()
    np.testing.assert_array_equal(one.goal(), other.goal())
    assert not np.array_equal(one.goal(), third.goal())


def test_joints_are_read_as_encoders_read_them():
    world = LiveWorld(ReachEnv(servo=Servo(encoder_steps=64), streams=("proprio",)), TICK)
    world.command(world.low)
    position = lived(world, 0.1).reading().position
    np.testing.assert_allclose(position / (2 * np.pi / 64), np.rint(position / (2 * np.pi / 64)), atol=1e-9)


@pytest.mark.parametrize("kind", WORLDS)
def test_a_camera_elsewhere_sees_the_same(kind: type[MujocoEnv]):
    world, elsewhere = live(kind), live(kind, seed=9)
    lived(world, 0.3)
    camera = world.cameras()[0]
    empty = elsewhere.show(elsewhere.snapshot(), camera, (48, 64))
    seen = elsewhere.show(world.snapshot(), camera, (48, 64))
    mine = world.show(world.snapshot(), camera, (48, 64))
    np.testing.assert_array_equal(seen, mine)
    assert np.any(seen != empty)
    assert world.focal_length(camera, 48) > 10
    for one in (world, elsewhere):
        one.world.close()


def test_worlds_that_cannot_go_on_are_refused():
    with pytest.raises(ValueError, match="moves others too"):
        live(RoverTrafficEnv)
    with pytest.raises(ValueError, match="expected a world with `new_goal`"):
        LiveWorld(type("Other", (), {})(), TICK)
