from __future__ import annotations

import subprocess
import sys

import pytest
import robot_agent_sim


def test_the_list_names_exactly_the_tasks_of_dm_control() -> None:
    listed = {world.name for world in robot_agent_sim.list_worlds() if world.name.startswith("dmc/")}
    from dm_control import suite

    assert listed == {f"dmc/{domain}-{task}" for domain, task in suite.ALL_TASKS}


def test_the_list_has_gymnasium_worlds_and_a_line_about_each() -> None:
    worlds = {world.name: world for world in robot_agent_sim.list_worlds()}
    assert "gym/HalfCheetah-v5" in worlds
    assert "gym/CartPole-v1" not in worlds
    assert all(world.description and world.streams for world in worlds.values())


def test_listing_worlds_imports_no_simulator_and_no_agent() -> None:
    code = (
        "import sys, robot_agent_sim; robot_agent_sim.list_worlds();"
        "print([name for name in ('mujoco', 'dm_control', 'triton', 'torch', 'robot_agent') if name in sys.modules])"
    )
    paths = {"PYTHONPATH": ":".join(sys.path), "PATH": ""}
    ran = subprocess.run([sys.executable, "-c", code], env=paths, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["dmc/cartpole-swingup-sparse", "dmc/ball-in-cup-catch", "dmc/cartpole-two_poles"])
def test_hyphens_are_as_good_as_underscores(name: str) -> None:
    assert robot_agent_sim.make(name).reset(seed=0)[0]["proprio"].ndim == 1


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("dmc/cartpole-swingupp", "dmc/cartpole-swingup"),
        ("cartpole-swingup", "dmc/cartpole-swingup"),
        ("walker_walk", "dmc/walker-walk"),
        ("gym/HalfCheeta-v5", "gym/HalfCheetah-v5"),
        ("gym/HalfCheetah-v99", "gym/HalfCheetah-v5"),
        ("so101/reech", "so101/reach"),
        ("dmc/qqqqqqqqq", "`robot-agent worlds dmc/` lists what there is"),
        ("gym/", "`robot-agent worlds gym/` lists what there is"),
        ("qqqqqqqqq", "`robot-agent worlds` lists what there is"),
    ],
)
def test_an_unknown_world_offers_the_nearest_names(name: str, nearest: str) -> None:
    with pytest.raises(robot_agent_sim.UnknownWorldError) as raised:
        robot_agent_sim.make(name)
    assert isinstance(raised.value, ValueError)
    assert repr(name) in str(raised.value)
    assert nearest in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"streams": ()}, "streams"),
        ({"streams": ("touch",)}, "streams"),
        ({"streams": "camera"}, "streams"),
        ({"camera_size": (0, 64)}, "camera_size"),
        ({"action_repeat": 0}, "action_repeat"),
        ({"camera_backend": "vulkan"}, "camera backend 'vulkan'"),
    ],
)
def test_bad_arguments_are_named(arguments: dict, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        robot_agent_sim.make("dmc/cartpole-swingup", **arguments)
