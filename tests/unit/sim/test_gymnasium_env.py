from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import robot_agent_sim
from gymnasium.spaces import Box, Dict, Discrete, Tuple
from robot_agent_sim.errors import WorldError
from robot_agent_sim.gymnasium_env import adapt


class Tiny(gymnasium.Env):
    """Returns samples of its observation space and remembers the action."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 25}  # noqa: RUF012

    def __init__(
        self, observation_space: gymnasium.Space, action_space: gymnasium.Space | None = None, picture: bool = False
    ) -> None:
        self.observation_space = observation_space
        self.action_space = action_space or Box(-2.0, 4.0, (2,), np.float32)
        self.render_mode = "rgb_array" if picture else None
        self.action: Any = None

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple[Any, dict]:
        super().reset(seed=seed)
        self.observation_space.seed(seed)
        return self.observation_space.sample(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict]:
        self.action = action
        return self.observation_space.sample(), 1.5, False, False, {}

    def render(self) -> np.ndarray:
        picture = np.zeros((100, 100, 3), np.uint8)
        picture[:50] = 255
        return picture


class TinyReach(Tiny):
    def __init__(self) -> None:
        goal = Box(-1, 1, (3,), np.float64)
        super().__init__(
            Dict(
                {
                    "observation": Box(-1, 1, (4,), np.float64),
                    "achieved_goal": goal,
                    "desired_goal": goal,
                    "eye": Box(0, 255, (32, 32, 3), np.uint8),
                    "arm": Box(-1, 1, (), np.float32),
                }
            )
        )

    def compute_reward(self, achieved: np.ndarray, desired: np.ndarray, info: Any) -> np.ndarray:
        return -np.linalg.norm(achieved - desired, axis=-1)


def test_a_vector_becomes_proprio() -> None:
    env = adapt(Tiny(Box(-1, 1, (5,), np.float64)), ("proprio",), (64, 64))
    observation, _ = env.reset(seed=0)
    assert set(observation) == {"proprio"}
    assert observation["proprio"].shape == (5,)
    assert env.metadata["control_dt"] == pytest.approx(1 / 25)


def test_an_image_becomes_the_main_camera() -> None:
    env = adapt(Tiny(Box(0, 255, (64, 64, 3), np.uint8)), ("camera",), (64, 64))
    observation, _ = env.reset(seed=3)
    space = Box(0, 255, (64, 64, 3), np.uint8, seed=3)
    assert set(observation) == {"camera/main"}
    assert np.array_equal(observation["camera/main"], space.sample())


def test_a_goal_world_passes_through() -> None:
    env = adapt(TinyReach(), ("camera", "proprio"), (16, 16))
    observation, _ = env.reset(seed=0)
    assert set(observation) == {"camera/eye", "proprio", "achieved_goal", "desired_goal"}
    assert observation["camera/eye"].shape == (16, 16, 3)
    assert env.observation_space.contains(observation)
    raw = TinyReach().reset(seed=0)[0]
    sorted_by_name = np.concatenate([[raw["arm"]], raw["observation"]]).astype(np.float32)
    assert np.array_equal(observation["proprio"], sorted_by_name)
    assert np.array_equal(observation["desired_goal"], raw["desired_goal"])
    achieved, desired = np.zeros((7, 3)), np.ones((7, 3))
    for compute_reward in (env.unwrapped.compute_reward, env.get_wrapper_attr("compute_reward")):
        assert np.allclose(compute_reward(achieved, desired, {}), -np.sqrt(3) * np.ones(7))


def test_rendering_stands_in_for_a_camera() -> None:
    env = adapt(Tiny(Box(-1, 1, (5,), np.float64), picture=True), ("camera", "proprio"), (64, 64))
    observation, _ = env.reset(seed=0)
    assert observation["camera/main"].shape == (64, 64, 3)
    assert np.all(observation["camera/main"][:32] == 255)
    assert np.all(observation["camera/main"][32:] == 0)
    assert env.observation_space.contains(env.step(np.zeros(2))[0])


def test_a_stream_that_cannot_be_had_is_named() -> None:
    with pytest.raises(ValueError, match="no rgb_array rendering"):
        adapt(Tiny(Box(-1, 1, (5,))), ("camera",), (64, 64))
    with pytest.raises(ValueError, match="no numbers for the stream proprio"):
        adapt(Tiny(Box(0, 255, (8, 8, 3), np.uint8)), ("proprio",), (64, 64))
    with pytest.raises(ValueError, match="expected a Box"):
        adapt(Tiny(Tuple([Discrete(2)])), ("proprio",), (64, 64))
    with pytest.raises(ValueError, match="take one frame of a stack"):
        adapt(Tiny(Box(0, 255, (4, 84, 84), np.uint8)), ("proprio",), (64, 64))


def test_actions_are_mapped_to_the_worlds_own_bounds_and_shape() -> None:
    tiny = Tiny(Box(-1, 1, (1,)), Box(-2.0, 4.0, (2, 2), np.float32))
    env = adapt(tiny, ("proprio",), (64, 64))
    assert env.action_space == Box(-1.0, 1.0, (4,), np.float32)
    env.reset(seed=0)
    env.step(np.array([-1, 0, 0.5, 1]))
    assert np.allclose(tiny.action, [[-2, 1], [2.5, 4]])
    assert tiny.action.dtype == np.float32


@pytest.mark.parametrize(
    ("low", "high", "dtype"),
    [
        (0, 1, np.int8),
        (0, 1, np.uint8),
        (-2, 2, np.int64),
        (-128, 127, np.int8),
        (0, 255, np.uint8),
        (-7, -7, np.int32),
    ],
)
def test_every_integer_of_an_action_gets_an_equal_share(low: int, high: int, dtype: type) -> None:
    tiny = Tiny(Box(-1, 1, (1,)), Box(low, high, (1,), dtype))
    env = adapt(tiny, ("proprio",))
    env.reset(seed=0)
    count, each = high - low + 1, 5
    done = []
    for position in (np.arange(count * each) + 0.5) / (count * each):
        env.step(np.array([2 * position - 1]))
        assert tiny.action.dtype == dtype
        done.append(int(tiny.action[0]))
    assert done == sorted(np.tile(np.arange(low, high + 1), each).tolist())
    for extreme, expected in ((-1.0, low), (1.0, high)):
        env.step(np.array([extreme]))
        assert tiny.action[0] == expected


def test_an_action_of_one_number_without_a_dimension_is_an_array() -> None:
    tiny = Tiny(Box(-1, 1, (1,)), Box(-3, 3, (), np.float32))
    env = adapt(tiny, ("proprio",))
    env.reset(seed=0)
    env.step(np.array([1.0]))
    assert isinstance(tiny.action, np.ndarray)
    assert tiny.action_space.contains(tiny.action)


def test_actions_beyond_the_bounds_are_clipped_and_counted() -> None:
    tiny = Tiny(Box(-1, 1, (1,)))
    env = adapt(tiny, ("proprio",), (64, 64), action_repeat=3)
    assert env.reset(seed=0)[1]["clipped_actions"] == 0
    _, reward, *_, info = env.step(np.array([7.0, -3.0]))
    assert np.allclose(tiny.action, [4, -2])
    assert (reward, info["clipped_actions"], info["frames"]) == (4.5, 1, 3)
    assert env.step(np.array([1.0, -1.0]))[4]["clipped_actions"] == 1
    assert env.reset(seed=0)[1]["clipped_actions"] == 0


@pytest.mark.parametrize(
    ("action", "complaint"),
    [
        (np.array([np.nan, 0.0]), "finite numbers"),
        (np.array([0.0, np.inf]), "finite numbers"),
        (np.zeros(3), r"shape \(3,\), expected \(2,\)"),
        (np.zeros((1, 2)), r"shape \(1, 2\), expected \(2,\)"),
    ],
)
def test_a_broken_action_is_an_error_before_it_reaches_the_body(action: np.ndarray, complaint: str) -> None:
    tiny = Tiny(Box(-1, 1, (1,)))
    env = adapt(tiny, ("proprio",), (64, 64))
    env.reset(seed=0)
    with pytest.raises(ValueError, match=complaint):
        env.step(action)
    assert tiny.action is None


def test_a_discrete_or_unbounded_action_space_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"gym/CartPole-v1 does not fit: the action space is Discrete\(2\)"):
        robot_agent_sim.make("gym/CartPole-v1")
    with pytest.raises(ValueError, match="infinite bounds"):
        adapt(Tiny(Box(-1, 1, (1,)), Box(-np.inf, np.inf, (2,))), ("proprio",), (64, 64))
    with pytest.raises(ValueError, match="infinite bounds"):
        adapt(Tiny(Box(-1, 1, (1,)), Box(-np.inf, np.inf, (2,), np.int64)), ("proprio",))
    with pytest.raises(ValueError, match="is empty"):
        adapt(Tiny(Box(-1, 1, (1,)), Box(-1, 1, (0,))), ("proprio",))


def test_a_registered_mujoco_world_has_a_camera() -> None:
    env = robot_agent_sim.make("gym/InvertedPendulum-v5", streams=("camera", "proprio"), camera_size=(32, 48))
    observation, _ = env.reset(seed=0)
    assert observation["camera/main"].shape == (32, 48, 3)
    assert observation["camera/main"].std() > 5
    assert env.metadata["control_dt"] == pytest.approx(env.unwrapped.dt)
    env.close()


class Scripted(Tiny):
    """Returns what it is given: observations, rewards, ends and info in turn, each as it is."""

    def __init__(self, space: gymnasium.Space, **returned: Any) -> None:
        super().__init__(space, picture="render" in returned)
        self.returned = returned

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> Any:
        if "reset" in self.returned:
            return self.returned["reset"]
        return self.returned.get("observation", self.observation_space.sample()), self.returned.get("info", {})

    def step(self, action: Any) -> Any:
        given = self.returned
        if isinstance(given.get("step"), Exception):
            raise given["step"]
        if "step" in given:
            return given["step"]
        observation = given.get("observation", self.observation_space.sample())
        return observation, given.get("reward", 0.0), given.get("terminated", False), False, given.get("info", {})

    def render(self) -> Any:
        return self.returned["render"]

    def close(self) -> None:
        if "close" in self.returned:
            raise self.returned["close"]


VECTOR = Box(-1, 1, (2,), np.float32)


@pytest.mark.parametrize("reward", [2, np.float32(2), np.array(2.0), np.array([2]), np.array([[2.0]]), [2.0]])
def test_a_reward_of_one_number_is_taken_whatever_holds_it(reward: Any) -> None:
    env = adapt(Scripted(VECTOR, reward=reward, terminated=np.array([False]), info=None), ("proprio",), action_repeat=3)
    env.reset(seed=0)
    _, total, terminated, truncated, info = env.step(np.zeros(2))
    assert (total, terminated, truncated, info["frames"]) == (6.0, False, False, 3)
    assert isinstance(total, float)


@pytest.mark.parametrize(
    ("returned", "complaint"),
    [
        ({"reward": None}, "the reward is None, expected one number"),
        ({"reward": np.zeros(2)}, r"the reward is an array \(2,\)"),
        ({"reward": "1"}, "the reward is '1'"),
        ({"terminated": np.zeros(3, bool)}, r"the terminated is an array \(3,\)"),
        ({"terminated": None}, "the terminated is None"),
        ({"step": (np.zeros(2), 0.0, False, {})}, "a tuple of 4, expected .*since 0.26"),
        ({"step": None}, "step returned None"),
        ({"reset": np.zeros(2)}, r"reset returned an array \(2,\)"),
        ({"step": ZeroDivisionError("division by zero")}, "step raised ZeroDivisionError: division by zero"),
        ({"observation": np.zeros(3)}, r"'main' is float64 \(3,\), its space declares"),
        ({"observation": None}, "'main' is object"),
    ],
)
def test_what_has_no_meaning_is_one_sentence(returned: dict[str, Any], complaint: str) -> None:
    env = adapt(Scripted(VECTOR, **returned), ("proprio",))

    def begin() -> None:
        env.reset(seed=0)
        env.step(np.zeros(2))

    with pytest.raises(WorldError, match=complaint):
        begin()


@pytest.mark.parametrize("info", [None, 3, [], "text", {"state": "text", "success": np.ones(2)}])
def test_an_info_of_any_kind_stops_nothing(info: Any) -> None:
    env = adapt(Scripted(VECTOR, info=info), ("proprio",), action_repeat=2)
    assert env.reset(seed=0)[1]["clipped_actions"] == 0
    said = env.step(np.zeros(2))[4]
    assert said["frames"] == 2
    assert isinstance(info, dict) == ("state" in said)


def test_a_close_that_raises_is_a_warning() -> None:
    env = adapt(Scripted(VECTOR, close=OSError("the window is gone")), ("proprio",))
    with pytest.warns(UserWarning, match="close raised OSError: the window is gone"):
        env.close()


@pytest.mark.parametrize(
    "picture",
    [np.full((8, 9), 0.5), np.full((8, 9, 1), 128, np.uint8), [np.full((8, 9, 4), 128, np.uint8)]],
)
def test_pictures_of_all_kinds_are_rendered_and_seen(picture: Any) -> None:
    env = adapt(Scripted(VECTOR, render=picture), ("camera", "proprio"), (8, 9))
    observation, _ = env.reset(seed=0)
    for seen in (observation["camera/main"], env.render()):
        assert seen.dtype == np.uint8
        assert seen.shape == (8, 9, 3)
        assert np.all(seen == 128)


def test_a_world_that_renders_nothing_is_one_sentence() -> None:
    with pytest.raises(WorldError, match="the picture is None"):
        adapt(Scripted(VECTOR, render=None), ("camera",)).reset(seed=0)


@pytest.mark.parametrize(
    ("space", "value"),
    [
        (Box(0, 255, (10, 12, 3), np.uint8), 51),
        (Box(0, 255, (10, 12), np.uint8), 51),
        (Box(0, 255, (10, 12, 1), np.uint8), 51),
        (Box(0, 255, (10, 12, 4), np.uint8), 51),
        (Box(0, 255, (3, 10, 12), np.uint8), 51),
        (Box(0, 1, (10, 12, 3), np.float32), 0.2),
        (Box(0, 255, (10, 12, 3), np.float32), 51.0),
    ],
)
def test_an_observation_that_is_a_picture_of_any_kind_is_a_camera(space: Box, value: float) -> None:
    env = adapt(Scripted(space, observation=np.full(space.shape, value, space.dtype)), ("camera",), (10, 12))
    observation, _ = env.reset(seed=0)
    assert env.observation_space.contains(observation)
    assert np.all(observation["camera/main"] == 51)


def test_nested_observations_are_flattened_in_the_order_of_their_names() -> None:
    nested = Dict(
        {
            "b": Dict({"left": Box(-9, 9, (2,)), "eyes": Dict({"far.out": Box(0, 255, (9, 9, 3), np.uint8)})}),
            "a": Tuple([Box(-9, 9, (1,)), Box(-9, 9, ())]),
            "map": Box(0, 1, (5, 5), np.float32),
        }
    )
    env = adapt(Tiny(nested), ("camera", "proprio"), (9, 9))
    observation, _ = env.reset(seed=4)
    nested.seed(4)
    raw = nested.sample()
    assert set(observation) == {"proprio", "camera/b/eyes/far_out"}
    expected = np.concatenate([raw["a"][0], [raw["a"][1]], raw["b"]["left"], raw["map"].ravel()])
    assert np.array_equal(observation["proprio"], expected)
    assert np.array_equal(observation["camera/b/eyes/far_out"], raw["b"]["eyes"]["far.out"])


def test_two_pictures_of_one_name_are_refused() -> None:
    eye = Box(0, 255, (9, 9, 3), np.uint8)
    with pytest.raises(ValueError, match="would both be camera/eye"):
        adapt(Tiny(Dict({"eye": eye, "camera/eye": eye})), ("camera",))


def test_arrays_that_the_environment_writes_again_do_not_change_what_was_observed() -> None:
    class Reusing(Tiny):
        def __init__(self) -> None:
            goal, eye = Box(-9, 9, (3,), np.float32), Box(0, 255, (8, 8, 3), np.uint8)
            space = {"observation": Box(-9, 9, (2,), np.float32), "achieved_goal": goal, "desired_goal": goal}
            super().__init__(Dict({**space, "eye": eye}))
            self.arrays = {name: np.zeros(box.shape, box.dtype) for name, box in self.observation_space.items()}

        def reset(self, **_: Any) -> tuple[Any, dict]:
            return self.arrays, {}

        def step(self, action: Any) -> tuple[Any, float, bool, bool, dict]:
            for array in self.arrays.values():
                array += 1
            return self.arrays, 0.0, False, False, {}

    env = adapt(Reusing(), ("camera", "proprio"), (8, 8))
    seen = [env.reset()[0]] + [env.step(np.zeros(2))[0] for _ in range(3)]
    for step, observation in enumerate(seen):
        for name, part in observation.items():
            assert np.all(part == step), name


def test_infinite_readings_become_their_bounds_and_nothing_else_changes() -> None:
    space = Box(np.array([-2, -np.inf, -1, 0, 0]), np.array([5, np.inf, 1, 9, 9]), dtype=np.float64)
    env = adapt(Scripted(space, observation=np.array([np.inf, -np.inf, 3.0, np.nan, 1e300])), ("proprio",))
    seen = env.reset()[0]["proprio"]
    assert np.array_equal(seen, np.array([5, -np.inf, 3, np.nan, 9], np.float32), equal_nan=True)


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ({"control_dt": 1}, 1.0),
        ({"control_dt": np.float32(0.25)}, 0.25),
        ({"control_dt": np.array([0.25])}, 0.25),
        ({"render_fps": np.int64(50)}, 0.02),
        ({"render_fps": 0}, 0.02),
        ({}, 0.02),
    ],
)
def test_the_time_of_a_step_is_taken_as_it_is_declared(declared: dict[str, Any], expected: float) -> None:
    tiny = Tiny(VECTOR)
    tiny.metadata = declared
    assert adapt(tiny, ("proprio",)).metadata["control_dt"] == expected
    assert adapt(tiny, ("proprio",), action_repeat=4).metadata["control_dt"] == 4 * expected


@pytest.mark.parametrize("dt", [2, np.float32(2), np.float64(2), np.int32(2)])
def test_a_step_that_the_environment_itself_knows_may_be_any_number(dt: Any) -> None:
    tiny = Tiny(VECTOR)
    tiny.dt = dt
    assert adapt(tiny, ("proprio",)).metadata["control_dt"] == 2.0


@pytest.mark.parametrize("wrong", [0, -1.0, np.nan, np.inf, "fast", None, True])
def test_a_step_that_takes_no_time_is_refused(wrong: Any) -> None:
    tiny = Tiny(VECTOR)
    tiny.metadata = {"control_dt": wrong}
    with pytest.raises(ValueError, match="its control_dt is"):
        adapt(tiny, ("proprio",))


def test_a_world_may_be_named_with_the_module_that_registers_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "worlds_of_a_stranger.py").write_text(
        "import gymnasium\n"
        "gymnasium.register('stranger/Swing-v3', entry_point='gymnasium.envs.classic_control:PendulumEnv')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    try:
        env = robot_agent_sim.make("gym/worlds_of_a_stranger:stranger/Swing-v3")
        assert env.reset(seed=0)[0]["proprio"].shape == (3,)
        with pytest.raises(robot_agent_sim.UnknownWorldError, match="unknown world"):
            robot_agent_sim.make("gym/worlds_of_a_stranger:stranger/Slide-v0")
    finally:
        gymnasium.registry.pop("stranger/Swing-v3", None)
    with pytest.raises(ValueError, match=r"cannot be imported \(ModuleNotFoundError: .*PYTHONPATH"):
        robot_agent_sim.make("gym/no_such_module:Swing-v3")


def test_a_world_that_declares_rendering_and_takes_no_render_mode_is_lived_in_without_pictures() -> None:
    class Plain(Tiny):
        def __init__(self) -> None:
            super().__init__(VECTOR)

    gymnasium.register("stranger/Plain-v0", entry_point=Plain)
    try:
        assert robot_agent_sim.make("gym/stranger/Plain-v0").reset(seed=0)[0]["proprio"].shape == (2,)
        with pytest.raises(ValueError, match="no rgb_array rendering: leave out camera"):
            robot_agent_sim.make("gym/stranger/Plain-v0", streams=("camera",))
    finally:
        del gymnasium.registry["stranger/Plain-v0"]


def test_a_world_that_cannot_be_built_is_one_sentence() -> None:
    class Unbuilt(Tiny):
        def __init__(self) -> None:
            raise RuntimeError("no licence")

    gymnasium.register("stranger/Unbuilt-v0", entry_point=Unbuilt)
    try:
        with pytest.raises(ValueError, match=r"cannot be built \(RuntimeError: no licence"):
            robot_agent_sim.make("gym/stranger/Unbuilt-v0")
    finally:
        del gymnasium.registry["stranger/Unbuilt-v0"]
