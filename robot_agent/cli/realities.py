"""Bodies that stand for the real one, by name: `sim:` and `other:` of the simulator, `ros:` of the nodes on ROS 2."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from itertools import pairwise
from typing import Any

import gymnasium
from robot_agent_sim.realities.perturbation import AXES
from robot_agent_sim.realities.registry import list_realities, make_reality, nominal_world

from robot_agent.cli.body import make_body
from robot_agent.errors import BodyError, RobotAgentError
from robot_agent.run.config import RunConfig
from robot_agent.run.life import MakeBody
from robot_agent.run.policies import Policy
from robot_agent.run.sim2real import VisitedAxis

ROS_MODULE = "robot_agent_ros.reality"
"""Has `make_reality(robot, world, *, streams, camera_size, action_repeat, body)`, which returns an environment."""


def listing() -> str:
    """Every reality that can be named, a line each."""
    lines = [(reality.name, reality.description) for reality in list_realities()]
    lines += [
        ("sim:<axis>=<value>,...", f"our world with values of your own; axes: {', '.join(AXES)}"),
        ("ros:<robot>", "the robot itself, through ROS 2"),
    ]
    width = max(len(name) for name, _ in lines)
    return "\n".join(f"{name:<{width}}  {description}" for name, description in lines)


def build_reality(name: str, world: str, **options: Any) -> gymnasium.Env[Any, Any]:
    """The body of a reality, for an agent that was trained in `world`.

    Args:
        name: of the reality.
        world: of the run.
        options: of `robot_agent_sim.make`: streams, camera_size, action_repeat, body.

    Raises:
        BodyError: no such reality, it does not fit the world, or it misses a package.
    """
    kind, _, robot = name.partition(":")
    try:
        if kind == "ros" and robot:
            return _on_ros()(robot, nominal_world(world), **options)
        return make_reality(name, world, **options)
    except ValueError as error:
        raise BodyError(str(error)) from error


def _on_ros() -> Callable[..., gymnasium.Env[Any, Any]]:
    try:
        make: Callable[..., gymnasium.Env[Any, Any]] = import_module(ROS_MODULE).make_reality
    except ModuleNotFoundError as error:
        raise BodyError(
            f"a reality on ROS 2 needs {error.name}, which is missing: install the extra ros of this package, or "
            "source a ROS 2 workspace that has it"
        ) from error
    return make


class NamedBodies:
    """The bodies of a study (see `robot_agent.run.sim2real.Bodies`)."""

    def world(self, policy: Policy) -> str:
        """The world that a policy was trained in; of a life, that of its first chapter."""
        return nominal_world(policy.config.world)

    def simulation(self, policy: Policy) -> MakeBody:
        """That world as made, without draws."""
        return partial(make_body, self.world(policy), **view(policy.config))

    def reality(self, policy: Policy, name: str) -> MakeBody:
        """A body that stands for the real one."""
        return partial(build_reality, name, policy.config.world, **view(policy.config))

    def changed(self, policy: Policy, axis: str, value: float) -> MakeBody:
        """The simulation with one axis away from how it was made."""
        return partial(make_reality, f"sim:{axis}={value!r}", policy.config.world, **view(policy.config))

    def can_be_filmed(self, name: str) -> bool:
        """Whether an episode can be lived again: on a robot none can."""
        return not name.startswith("ros:")


def view(config: RunConfig) -> dict[str, Any]:
    """How a run perceives and acts."""
    return {
        "streams": config.streams,
        "camera_size": config.camera_size,
        "action_repeat": config.action_repeat,
        "body": config.body,
    }


def visited_axis(text: str, control_dt: float) -> VisitedAxis:
    """`delay`, or `gain=0.8,0.6`, as an axis with the values of its curve.

    Args:
        text: of the command line.
        control_dt: s of a decision, of which delays are whole multiples.

    Raises:
        RobotAgentError: there is no such axis, a value is no number, or the values do not lead away from as made.
    """
    name, equals, listed = text.partition("=")
    if name not in AXES:
        raise RobotAgentError(f"unknown axis {name!r}, expected some of {', '.join(AXES)}")
    axis = AXES[name]
    values = axis.values
    if name == "delay":
        values = tuple(round(steps * control_dt, 9) for steps in (1, 2, 3, 4, 6))
    if equals:
        try:
            values = tuple(float(value) for value in listed.split(","))
        except ValueError as error:
            raise RobotAgentError(f"{text} has a value that is no number: {axis.meaning}") from error
    path = (axis.neutral, *values)
    if not (all(a < b for a, b in pairwise(path)) or all(a > b for a, b in pairwise(path))):
        raise RobotAgentError(
            f"{text}: expected values that lead away from {axis.neutral:g}, as made, each farther than the last"
        )
    return VisitedAxis(name, axis.meaning, path, axis.seen)
