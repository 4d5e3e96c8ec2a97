"""`ros:<robot>` of `robot-agent sim2real`: a robot on ROS 2 as a gymnasium environment, with the gate in between."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any, Protocol

import gymnasium
import numpy as np
from numpy.typing import ArrayLike, NDArray
from robot_agent_bodies.parameters import config_from
from robot_agent_sim.mujoco_env import checked_action

from robot_agent.errors import BodyError
from robot_agent.types import Observation
from robot_agent_ros.agent.body import ServoBody
from robot_agent_ros.agent.cadence import Cadence
from robot_agent_ros.agent.clocks import Clock, SteadyClock
from robot_agent_ros.agent.config import AgentConfig
from robot_agent_ros.agent.control import GRACE, Sight
from robot_agent_ros.agent.link import RobotLink
from robot_agent_ros.agent.making_body import body_of_world, make_world
from robot_agent_ros.agent.pairing import Refused
from robot_agent_ros.agent.task import Task, task_of
from robot_agent_ros.errors import NodeError, ParameterError
from robot_agent_ros.graph import AGENT
from robot_agent_ros.robots import ALL_NODES, read_parameters, robot_file
from robot_agent_ros.transport import check_middleware

CONNECT_PATIENCE = 10.0
"""s in which a robot must be heard."""
PATIENCE = 2.0
"""s without senses, or of a gate that does not obey, in which an episode waits; the robot holds meanwhile."""
RESET_PATIENCE = 40.0
"""s in which the robot must be where an episode begins."""
RETURN_SHARE = 0.4
"""Of the fastest an action moves: how fast it goes there."""
REST_SECONDS, REST_RANGE = 0.3, 0.01
"""It rests when no joint has moved by more rad in so many s."""
START_TOLERANCE = 0.2
"""rad by which a joint may be away from where the episode begins: arms hang."""
LATE_IN_A_ROW = 10
"""Decisions that came too late to be sent, after which it is no use to go on."""
REFUSED_IN_A_ROW = 3
"""Commands that the gate has not accepted a decision later, after which an episode is none."""
_LOOK_AGAIN = 0.002


class Link(Protocol):
    """A robot (see `RobotLink`)."""

    @property
    def is_followed(self) -> bool: ...
    @property
    def why_not(self) -> str: ...
    @property
    def last_refusal(self) -> str: ...
    def now(self) -> float: ...
    def arrivals(self) -> list[float]: ...
    def poll(self) -> bool: ...
    def look(self) -> Sight: ...
    def send(self, commanded: NDArray[Any]) -> None: ...
    def close(self) -> None: ...


def make_reality(
    robot: str,
    world: str,
    *,
    streams: Sequence[str] = ("proprio",),
    camera_size: tuple[int, int] = (64, 64),
    action_repeat: int | None = None,
    body: str | None = None,
) -> RobotReality:
    """The robot, for an agent that was trained in a world of its body; heard once before this returns.

    Args:
        robot: a parameter file of launch/config by its name, or the path of one; its section `agent` counts.
        world: says what actions and feelings mean, where episodes begin, and what is rewarded.
        streams, camera_size, action_repeat, body: see `robot_agent_sim.make`.

    Raises:
        BodyError: there is no such robot, it is a body of another world, or it is not heard.
    """
    try:
        check_middleware(os.environ)
        config = _config_of(robot, world)
        env = make_world(world, streams, camera_size, action_repeat, config.calibration or body)
        robots = body_of_world(world, env)
        if not robots.spec.goal_dim:
            raise ParameterError(
                f"only a camera sees what is achieved in {world}, so nobody can judge it: choose a run of a goal world"
            )
        if not isinstance(robots, ServoBody):
            raise ParameterError(f"{world} is a body on wheels, which nobody can bring to where an episode begins")
        task = task_of(config, robots, env)
    except NodeError as error:
        raise BodyError(f"ros:{robot}: {error}") from error
    reality = RobotReality(robot, env, robots, task, config, lambda: RobotLink("reality", robots, config))
    reality.hear()
    return reality


class RobotReality(gymnasium.Env[Observation, NDArray[np.float32]]):
    """A robot in the common form (see `robot_agent_sim.make`).

    The task is the world's: a copy of it draws where an episode begins and its goal, from the seed, and judges what was
    achieved. `reset` drives the robot there through the gate, at less than half the speed of an action; `step` commands
    at once, and returns an observation at the next moment of a steady rate, a decision apart. Rewards are as if what a
    decision achieved had held for all its frames. `info` has `frames`, `clipped_actions`, `success`, and since the
    episode began `late_decisions`, which came too late after what they are about and were not sent, and
    `skipped_decisions`, for which there was no time.

    Args:
        robot: its name, for sentences.
        env: a copy of its world.
        body, task, config: as of the agent's node.
        connect: reaches the robot.
        clock: for tests, made from what gives s of ROS's clock.
    """

    def __init__(
        self,
        robot: str,
        env: gymnasium.Env[Any, Any],
        body: ServoBody,
        task: Task,
        config: AgentConfig,
        connect: Callable[[], Link],
        clock: Callable[[Callable[[], float]], Clock] = SteadyClock,
    ) -> None:
        self.robot, self.body, self.task, self.config = robot, body, task, config
        self.action_space, self.observation_space = env.action_space, env.observation_space
        self.metadata = {**env.metadata, "render_modes": []}
        self._env: gymnasium.Env[Any, Any] = env
        self._world: Any = env.unwrapped
        self._connect, self._make_clock = connect, clock
        self._link: Link | None = None
        self._sight: Sight | None = None
        self._commanded = np.zeros(0)
        self._cadence = Cadence(body.spec.control_dt)
        self._frames = self._clipped = self._late = self._late_in_a_row = self._skipped_before = 0
        self._refused_in_a_row = 0

    def hear(self) -> None:
        """Refuses a robot that cannot be evaluated now; leaves it as it is.

        Raises:
            BodyError: it is not heard, or its gate would not obey.
        """
        with closing(self._connect()) as link:
            self._clock = self._make_clock(link.now)
            self._await(link, CONNECT_PATIENCE)

    # ---- the common form ----

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Drives the robot to where the world begins the episode of this seed, and takes its goal.

        Raises:
            BodyError: it cannot be brought there.
        """
        super().reset(seed=seed)
        drawn, _ = self._env.reset(seed=seed, options=options)
        start = self.body.within(self._world.data.ctrl.copy())
        self.task.set_goal(drawn["desired_goal"])
        if self._link is None:
            self._link = self._connect()
            self._clock = self._make_clock(self._link.now)
        sight = self._drive(self._link, start)
        self._frames = self._clipped = self._late = self._late_in_a_row = self._refused_in_a_row = 0
        self._skipped_before = self._cadence.skipped
        self._sight = sight
        return self._seen(sight), self._info(0, success=False)

    def step(self, action: ArrayLike) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Commands what the action asks for, and sees what came of it a decision later.

        Raises:
            BodyError: senses or gate are gone, the gate accepts nothing, or decisions come too late.
            ValueError: an action of another shape, or with NaN or Inf.
        """
        if self._link is None or self._sight is None:
            raise gymnasium.error.ResetNeeded("the robot is in no episode: call reset first")
        within, clipped = checked_action(action, self.action_space.shape or ())
        self._clipped += clipped
        self._command(self._link, self._sight, self.body.commanded(self._commanded, within))
        self._sight = None  # unless it is seen again, the episode is over
        sight = self._next_sight(self._link)
        self._check_followed(self._link)
        frames = min(self.body.spec.frames_per_step, self._world.episode_steps - self._frames)
        self._frames += frames
        observation = self._seen(sight)
        reward, success = self._world.judged(observation["achieved_goal"], observation["desired_goal"])
        over = self._frames >= self._world.episode_steps
        self._sight = None if over else sight
        return observation, frames * float(reward), False, over, self._info(frames, bool(success))

    def compute_reward(self, achieved: NDArray[Any], desired: NDArray[Any], info: Any) -> NDArray[np.float32]:
        """The world's."""
        reward: NDArray[np.float32] = self._world.compute_reward(achieved, desired, info)
        return reward

    def close(self) -> None:
        """Leaves the robot, which holds where it is."""
        link, self._link, self._sight = self._link, None, None
        if link is not None:
            link.close()
        self._env.close()

    # ---- the robot ----

    def _drive(self, link: Link, start: NDArray[np.float64]) -> Sight:
        """Brings the joints to where an episode begins; returns what is seen when they rest there."""
        sight = self._await(link, CONNECT_PATIENCE)
        self._commanded = self.body.within(sight.position)
        until, followed = self._clock.now() + RESET_PATIENCE, False
        resting: deque[Sight] = deque()
        farthest = RETURN_SHARE * self.body.largest_change
        while self._clock.now() < until:
            if followed:  # as long as nobody listens, what is commanded must not run away from where the robot is
                self._commanded = self._commanded + np.clip(start - self._commanded, -farthest, farthest)
            link.send(self._commanded)
            sight = self._next_sight(link)
            followed |= link.is_followed
            resting.append(sight)
            if sight.joint_stamp - resting[0].joint_stamp < REST_SECONDS:
                continue
            moved = np.ptp([one.position for one in resting], axis=0).max()
            resting.popleft()
            if followed and moved < REST_RANGE and np.array_equal(self._commanded, start):
                self._check_start(sight.position, start, link)
                return sight
        raise self._trouble(
            f"in {RESET_PATIENCE:g} s it did not come to rest where the episode begins"
            if followed
            else f"the gate follows nothing that is sent (it refuses: {link.last_refusal or 'nothing'})"
        )

    def _check_start(self, position: NDArray[np.float64], start: NDArray[np.float64], link: Link) -> None:
        away = np.abs(position - start)
        worst = int(np.argmax(away))
        if away[worst] > START_TOLERANCE:
            raise self._trouble(
                f"joint {self.body.joints[worst]!r} rests at {position[worst]:.2f} rad, expected {start[worst]:.2f} "
                "where the episode begins: see the gate's limits, whether something is in its way, and that no agent "
                f"commands it too (the gate's last refusal: {link.last_refusal or 'none'})"
            )

    def _command(self, link: Link, sight: Sight, commanded: NDArray[np.float64]) -> None:
        """Sends a command, unless it came too late after what it is about."""
        age = self._clock.ros() - sight.stamp
        if age <= self.config.largest_command_age:
            link.send(commanded)
            self._commanded, self._late_in_a_row = commanded, 0
            return
        self._late += 1
        self._late_in_a_row += 1
        if self._late_in_a_row >= LATE_IN_A_ROW:
            raise self._trouble(
                f"decisions come {age:.2f} s after what they are about and are not sent, expected "
                f"{self.config.largest_command_age:g} s: free the machine, or raise largest_command_age"
            )

    def _check_followed(self, link: Link) -> None:
        """Ends an episode in which the robot does not get the actions: somebody else may own it."""
        self._refused_in_a_row = 0 if link.is_followed else self._refused_in_a_row + 1
        if self._refused_in_a_row >= REFUSED_IN_A_ROW:
            raise self._trouble(link.why_not)

    def _next_sight(self, link: Link) -> Sight:
        """What is seen at the next moment of the steady rate, or as soon as it is."""
        for arrival in link.arrivals():
            self._cadence.arrived(arrival)
        deadline = self._cadence.next(self._clock.now())
        self._clock.wait(deadline)
        while not link.poll() and self._clock.now() < deadline + GRACE * self._cadence.period:
            self._clock.wait(self._clock.now() + _LOOK_AGAIN)
        began = self._clock.now()
        sight = self._await(link, PATIENCE)
        if self._clock.now() - began > self.config.largest_command_age:  # it held meanwhile, where it then was
            self._commanded = self.body.within(sight.position)
        return sight

    def _await(self, link: Link, patience: float) -> Sight:
        """What is seen as soon as everything is there and the gate would obey."""
        until = self._clock.now() + patience
        while True:
            link.poll()
            try:
                return link.look()
            except Refused as why:
                if self._clock.now() > until:
                    raise self._trouble(
                        f"{why.name} for {patience:g} s ({why}): see that its driver, its gate and ROS_DOMAIN_ID are "
                        "as they should be"
                    ) from None
            self._clock.wait(self._clock.now() + _LOOK_AGAIN)

    def _trouble(self, what: str) -> BodyError:
        return BodyError(f"ros:{self.robot}: {what}")

    # ---- what the agent gets ----

    def _seen(self, sight: Sight) -> Observation:
        felt = self.body.proprio(sight.position, sight.velocity, self._commanded)
        assert self.task.goal is not None
        return self.task.seen(felt, sight.frames, self.task.goal)

    def _info(self, frames: int, success: bool) -> dict[str, Any]:
        return {
            "frames": frames,
            "clipped_actions": self._clipped,
            "success": success,
            "late_decisions": self._late,
            "skipped_decisions": self._cadence.skipped - self._skipped_before,
        }


def _config_of(robot: str, world: str) -> AgentConfig:
    """The agent's parameters in the robot's file.

    Raises:
        NodeError: there is no such file, it is not one, or the robot is a body of another world.
    """
    sections = read_parameters(robot_file(robot))
    given = {**sections.get(ALL_NODES, {}), **sections.get(AGENT.name, {})}
    if given.pop("use_sim_time", False):
        raise ParameterError("use_sim_time is true, expected a robot in real time: leave it out")
    config = config_from(AgentConfig, given)
    if config.world and config.world != world:
        raise ParameterError(f"it is a body of {config.world}, and the run is of {world}: choose a run of its world")
    return config
