"""A repeated action sums its rewards, shows its last frame, and renders no other."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
import robot_agent_sim
from robot_agent_sim.arena.games import PursuitEnv
from robot_agent_sim.arena.solo import SoloEnv
from robot_agent_sim.cameras.rig import CameraRig
from robot_agent_sim.dm_control_env import DmControlEnv
from robot_agent_sim.drift.change import Change
from robot_agent_sim.drift.drift import Drift
from robot_agent_sim.gymnasium_env import adapt
from robot_agent_sim.so101.tasks import ReachEnv
from robot_agent_sim.wrappers.action_repeat import ActionRepeat

SIZE = (16, 16)


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The camera of each picture that is taken."""
    taken: list[str] = []
    ours, theirs = CameraRig.image, DmControlEnv.image

    def ours_counted(rig: CameraRig, camera: str, size: tuple[int, int]) -> np.ndarray:
        taken.append(camera)
        return ours(rig, camera, size)

    def theirs_counted(env: DmControlEnv, size: tuple[int, int]) -> np.ndarray:
        taken.append("main")
        return theirs(env, size)

    monkeypatch.setattr(CameraRig, "image", ours_counted)
    monkeypatch.setattr(DmControlEnv, "image", theirs_counted)
    return taken


def actions_for(env: gymnasium.Env[Any, Any], count: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (count, *env.action_space.shape)).astype(np.float32)


@pytest.mark.parametrize(
    "world", ["so101/reach", "so101/reach-by-sight", "rover/traffic", "arena/push", "dmc/cheetah-run"]
)
def test_only_the_last_frame_of_a_decision_is_rendered_and_it_is_the_same(world: str, rendered: list[str]) -> None:
    options = {"streams": ("camera", "proprio"), "camera_size": SIZE, "camera_backend": "raycast"}
    repeated, frame_by_frame = (robot_agent_sim.make(world, action_repeat=n, **options) for n in (3, 1))
    seen, _ = repeated.reset(seed=0)
    frame_by_frame.reset(seed=0)
    rendered.clear()
    for action in actions_for(repeated, 4):
        before = len(rendered)
        seen, reward, _, _, info = repeated.step(action)
        assert len(rendered) - before == 1
        told = [frame_by_frame.step(action) for _ in range(3)]
        assert seen.keys() == told[-1][0].keys()
        for name, part in seen.items():
            assert np.array_equal(part, told[-1][0][name]), name
        assert reward == pytest.approx(sum(step[1] for step in told))
        assert np.array_equal(info["state"], told[-1][4]["state"])
        assert repeated.observation_space.contains(seen)


def test_an_episode_that_ends_within_a_decision_shows_its_last_frame() -> None:
    env = ActionRepeat(ReachEnv(episode_steps=5, camera_size=SIZE, camera_backend="raycast"), 3)
    env.reset(seed=0)
    env.step(np.ones(6))
    seen, _, _, truncated, info = env.step(np.ones(6))
    assert truncated
    assert info["frames"] == 2
    assert env.observation_space.contains(seen)
    alone = ReachEnv(episode_steps=5, camera_size=SIZE, camera_backend="raycast")
    alone.reset(seed=0)
    for _ in range(5):
        last = alone.step(np.ones(6))[0]
    assert np.array_equal(seen["camera/overhead"], last["camera/overhead"])
    assert env.observation_space.contains(env.reset(seed=1)[0])
    assert env.unwrapped.unseen is False, "whoever steps the world itself sees every frame"


def test_frames_in_between_are_rendered_where_they_will_be_seen_later() -> None:
    """A delay of 1.5 frames and a repeat of 2: what is seen lies within a decision."""

    def world() -> ReachEnv:
        return ReachEnv(camera_size=SIZE, camera_backend="raycast")

    late = [Change("sensor_delay", 0.03)]
    repeated, frame_by_frame = Drift(ActionRepeat(world(), 2), late), Drift(world(), late)
    repeated.reset(seed=0)
    frame_by_frame.reset(seed=0)
    for action in actions_for(repeated, 6):
        seen = repeated.step(action)[0]
        told = [frame_by_frame.step(action)[0] for _ in range(2)]
        for name, part in seen.items():
            assert np.array_equal(part, told[-1][name]), name


def test_nobody_looks_for_an_opponent_that_does_not_look(rendered: list[str]) -> None:
    def looking(solo: SoloEnv, observation: dict[str, np.ndarray]) -> np.ndarray:
        assert observation["camera/front"].shape == (*SIZE, 3)
        return np.zeros(2)

    arena = PursuitEnv(camera_size=SIZE, camera_backend="raycast")
    solo = SoloEnv(arena, "chaser")
    solo.reset(seed=0)
    rendered.clear()
    for _ in range(3):
        solo.step(np.zeros(2))
    assert rendered == ["chaser/front"] * 3
    solo.behaviours = (*solo.behaviours, looking)
    solo.opponent = 3  # in the middle of an episode: it has to look first
    solo.step(np.zeros(2))
    assert rendered[3:] == ["runner/front", "chaser/front", "runner/front"]
    rendered.clear()
    solo.step(np.zeros(2))
    assert rendered == ["chaser/front", "runner/front"]


def test_other_peoples_worlds_are_not_rendered_in_between_either() -> None:
    class Counted(gymnasium.Wrapper[Any, Any, Any, Any]):
        renders = 0

        def render(self) -> Any:
            self.renders += 1
            return np.full((8, 8, 3), self.renders, np.uint8)

    counted = Counted(gymnasium.make("Pendulum-v1", render_mode="rgb_array"))
    env = adapt(counted, ("camera", "proprio"), (8, 8), action_repeat=4)
    env.reset(seed=0)
    assert counted.renders == 1
    assert env.step(np.zeros(1))[0]["camera/main"].max() == counted.renders == 2
