"""The rover drives as its wheels turn, feels by its encoders, and is rewarded for what it was asked."""

from __future__ import annotations

from math import tau

import mujoco
import numpy as np
import pytest
from robot_agent_sim.rover.rover import TRACK, WHEEL_RADIUS, apart
from robot_agent_sim.rover.tasks import RoverGoalEnv, RoverTrafficEnv

BLIND = {"streams": ("proprio",)}


def alone(position: tuple[float, float] = (0.0, 0.0), heading: float = 0.0) -> RoverGoalEnv:
    """A rover at rest where it is wanted."""
    env = RoverGoalEnv(**BLIND)
    env.reset(seed=0)
    env.rover.place(env.data, np.array(position), heading)
    mujoco.mj_forward(env.model, env.data)
    return env


@pytest.mark.parametrize("heading", [0.0, 0.3, -2.5])  # friction is the same in every direction
@pytest.mark.parametrize("speed", [1.0, 0.3, -0.5])
def test_equal_wheels_drive_straight_at_the_speed_that_was_asked(speed: float, heading: float) -> None:
    ahead = np.array([np.cos(heading), np.sin(heading)])
    start = -np.sign(speed) * ahead
    env = alone(tuple(start), heading)
    for _ in range(20):
        env.step(np.full(2, speed))
    moved = env.rover.position(env.data) - start
    assert abs(moved[0] * ahead[1] - moved[1] * ahead[0]) < 0.002, "m beside the line"
    assert abs(env.rover.heading(env.data) - heading) < 0.01
    # A full action is 15 rad/s, 0.6 m/s on the ground.
    assert env.data.qvel[:2] @ ahead == pytest.approx(0.6 * speed, rel=0.01)


def test_opposite_wheels_turn_in_place_left_for_a_faster_right_wheel() -> None:
    for sign in (1, -1):
        env, headings = alone(), [0.0]
        for _ in range(20):
            env.step(0.5 * sign * np.array([-1, 1]))
            headings.append(env.rover.heading(env.data))
        rates = np.diff(np.unwrap(headings))[3:] / 0.1
        # Wheels of some width scrub, so it turns a little slower than two discs without width would.
        assert np.all(sign * rates > 0.8 * 0.6 / TRACK)
        assert np.all(sign * rates < 0.6 / TRACK)
        assert np.linalg.norm(env.rover.position(env.data)) < 0.01


def test_proprio_is_wheel_speed_by_whole_encoder_steps_and_the_command() -> None:
    env = alone()
    step = tau / 1024
    angles = np.zeros(2)
    for action in np.random.default_rng(0).uniform(-1, 1, (20, 2)):
        proprio = env.step(action)[0]["proprio"]
        turned = np.array([env.data.joint(f"rover/{side}_wheel").qpos[0] for side in ("left", "right")])
        steps = proprio[:2] * 0.1 / step
        assert np.allclose(steps, np.rint(steps), atol=1e-3)
        assert np.allclose(proprio[:2] * 0.1, turned - angles, atol=step + 1e-6)
        assert np.allclose(proprio[2:], 15 * action, rtol=1e-6)
        angles = turned
    assert np.abs(angles).max() > 10 * step


def test_a_new_episode_feels_at_rest() -> None:
    env = RoverGoalEnv(**BLIND)
    env.reset(seed=0)
    for _ in range(5):
        env.step(np.ones(2))
    assert np.array_equal(env.reset(seed=1)[0]["proprio"], np.zeros(4))


@pytest.mark.parametrize("speed", [1.0, 0.5, -1.0])
def test_towards_reaches_a_point_forwards_and_backwards(speed: float) -> None:
    rng = np.random.default_rng(0)
    for _ in range(8):
        (start, goal), heading = rng.uniform(-1.2, 1.2, (2, 2)), rng.uniform(-np.pi, np.pi)
        env = alone(tuple(start), heading)
        for _ in range(120):
            action = env.rover.towards(env.data, goal, speed)
            assert np.abs(action).max() <= 1
            env.step(action)
            if np.linalg.norm(env.rover.position(env.data) - goal) < 0.1:
                break
        else:
            raise AssertionError(f"from {start} to {goal}: {env.rover.position(env.data)}")
    ahead = np.array([np.cos(env.rover.heading(env.data)), np.sin(env.rover.heading(env.data))])
    assert np.sign(env.data.qvel[:2] @ ahead) == np.sign(speed)


def test_the_marker_counts_as_reached_within_a_quarter_metre() -> None:
    for away, expected in ((0.0, True), (0.245, True), (0.255, False), (0.6, False), (1.2, False)):
        env = alone((0.3, 0.2), heading=1.0)
        env.marker = np.array([0.3 - away, 0.2])
        _, reward, terminated, _, info = env.step(np.zeros(2))
        assert info["success"] == expected
        assert reward == pytest.approx(0.5 * expected + 0.5 / (1 + (away / 0.6) ** 2), abs=0.005)
        assert not terminated


def test_only_touching_another_rover_costs() -> None:
    def touches_another(env: RoverTrafficEnv) -> bool:
        roots = env.model.body_rootid[env.model.geom_bodyid[env.data.contact.geom]]
        names = [{env.model.body(root).name for root in pair} for pair in roots]
        return any("rover/chassis" in pair and len(pair - {"world"}) == 2 for pair in names)

    env, touches, walls = RoverTrafficEnv(**BLIND), [], 0
    for seed in range(4):
        env.reset(seed=seed)
        prey = env.others[seed % 3]
        for step in range(120):
            goal = prey.position(env.data) if step < 80 else np.array([3.0, 0.0])
            _, reward, _, _, info = env.step(env.rover.towards(env.data, goal))
            touches.append(touches_another(env))
            walls += bool(np.any(np.abs(env.rover.position(env.data)) > 1.39)) and not touches[-1]
            uncharged = 0.5 * info["success"] + 0.5 / (1 + (env.distance() / 0.6) ** 2)
            assert reward == pytest.approx(uncharged - 0.5 * touches[-1])
    assert 10 < sum(touches) < len(touches) - 10
    assert walls > 5, "it stood at a wall without being charged"


def test_others_go_about_their_errands_whatever_the_rover_does() -> None:
    env = RoverTrafficEnv(**BLIND)
    for seed in range(3):
        env.reset(seed=seed)
        starts = [other.position(env.data).copy() for other in env.others]
        farthest = np.zeros(3)
        for _ in range(60):
            env.step(np.zeros(2))
            here = [other.position(env.data) for other in env.others]
            farthest = np.maximum(farthest, np.linalg.norm(np.subtract(here, starts), axis=1))
        assert np.all(farthest > 0.2)
        assert np.abs(here).max() < 1.5, "within the walls"


def test_points_are_apart_and_within_their_square() -> None:
    rng = np.random.default_rng(0)
    for count in (1, 2, 5, 9):
        points = apart(rng, count, 1.25, 0.6)
        distances = np.linalg.norm(points[:, None] - points[None], axis=-1) + 10 * np.eye(count)
        assert points.shape == (count, 2)
        assert np.abs(points).max() <= 1.25
        assert distances.min() >= 0.6


def test_episodes_begin_with_rovers_and_marker_apart_and_upright() -> None:
    env = RoverTrafficEnv(**BLIND)
    for seed in range(30):
        env.reset(seed=seed)
        points = np.array([env.marker, *(rover.position(env.data) for rover in (env.rover, *env.others))])
        distances = np.linalg.norm(points[:, None] - points[None], axis=-1) + 10 * np.eye(len(points))
        assert distances.min() >= 0.6
        assert not env.collides()
    for _ in range(20):
        env.step(np.zeros(2))
    assert env.data.body("rover/chassis").xmat[8] > 0.999, "up is up"
    assert env.data.body("rover/left_wheel").xpos[2] == pytest.approx(WHEEL_RADIUS, abs=0.001)


def test_the_camera_sees_the_marker_when_it_faces_it() -> None:
    env = RoverGoalEnv(camera_backend="raycast", episode_steps=3)
    observation, _ = env.reset(seed=0)
    assert set(observation) == {"camera/front", "proprio"}
    reds = []
    for heading in (0.0, np.pi):
        env.rover.place(env.data, np.zeros(2), heading)
        env.data.mocap_pos[0] = (0.8, 0, 0)
        mujoco.mj_forward(env.model, env.data)
        picture = env.image("front", (64, 64)).astype(int)
        reds.append(((picture[..., 0] - picture[..., 1] > 60) & (picture[..., 0] - picture[..., 2] > 60)).sum())
    assert reds[0] > 50
    assert reds[1] == 0
    assert [env.step(np.zeros(2))[3] for _ in range(3)] == [False, False, True]


def test_more_things_than_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"90 things do not fit 0.6 m apart into 2.5 m: ask for fewer"):
        apart(np.random.default_rng(0), 90, 1.25, 0.6)
