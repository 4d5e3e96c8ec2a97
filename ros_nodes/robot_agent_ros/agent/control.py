"""The control thread: waits for its moment, looks, decides, commands; and holds whenever it cannot. No ROS in here."""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from robot_agent.loop import Loop
from robot_agent.types import Observation
from robot_agent_ros.agent.body import RobotBody
from robot_agent_ros.agent.cadence import Cadence
from robot_agent_ros.agent.clocks import LOOK_AGAIN, Clock
from robot_agent_ros.agent.episodes import Episodes
from robot_agent_ros.agent.pairing import Refused
from robot_agent_ros.agent.task import Task
from robot_agent_ros.agent.unconfirmed import Unconfirmed
from robot_agent_ros.durations import Durations, Rate
from robot_agent_ros.scheduling import ask_for_priority

GRACE = 0.12
"""Share of a period that a decision waits for a picture that is late."""
NEARLY_EVERY = 0.98
"""Share of decisions that are there when a command goes; the rest go late."""
LONGEST_WAIT = 0.6
"""Share of a period that a command waits at most, from the moment of its decision on."""
SHARE_OF_AGE = 0.8
"""Of the age that a command may have: it waits no longer."""
_RECENT = 150
"""Decisions that say how long they take."""
_COLLECT_EVERY = 30
"""Decisions between two looks of the garbage collector, which then happen where nothing waits."""


class Sight(NamedTuple):
    """What is acted on.

    Attributes:
        stamp: of the oldest part, s of ROS's clock.
        joint_stamp: of the joints, s of ROS's clock.
        position, velocity: of the joints then, rad and rad/s (n,).
        frames: the cameras' part of an observation.
    """

    stamp: float
    joint_stamp: float
    position: NDArray[np.float64]
    velocity: NDArray[np.float64]
    frames: Observation


class Senses(Protocol):
    """Where observations come from."""

    def poll(self) -> bool:
        """Takes what has come; returns whether a picture was among it (or none is ever to come)."""

    def arrivals(self) -> list[float]:
        """When pictures came since the last call, s of `Clock.now`."""

    def look(self) -> Sight:
        """What is to be acted on now.

        Raises:
            Refused: there is nothing to act on.
        """


@dataclass(frozen=True)
class ControlConfig:
    """How the control thread runs.

    Attributes:
        largest_command_age: s after its observation at which a decision is no longer sent.
        core: CPU core, -1 for any.
        priority: of SCHED_FIFO, 0 for none; what the system refuses is done without.
        even: a command waits until nearly every decision would be there, so that commands are evenly apart.
    """

    largest_command_age: float = 0.1
    even: bool = False
    core: int = -1
    priority: int = 0


class Control:
    """One life on a robot; `run` is the thread's.

    Args:
        body: what actions mean.
        loop: decides; its weights are swapped after a command has gone, when there is time.
        task: goal and reward.
        senses, clock: see there.
        send: commands the body's joints (n,); returns the stamp of the command, ns.
        permitted: raises `Refused` as long as nobody would obey.
        lived: is given each transition and each episode, and hands on what the gate accepted.
        config: see there.
        first_episode: its number.
        episode_seconds: an episode is cut after so long.
        say: is told, once, what the system does not grant.

    Attributes:
        holding: why nothing is commanded now; empty while it acts.
        sentence: the same in words.
        held: decisions that were not taken, by why.
        priority: real-time priority that its thread got, 0 for none.
        decisions, overruns: that were sent, and those of them that took longer than a period.
        rate, plan, latency: of decisions; how long each took, and from the stamp of what it acts on to its command.
    """

    def __init__(
        self,
        body: RobotBody,
        loop: Loop,
        task: Task,
        senses: Senses,
        clock: Clock,
        send: Callable[[NDArray[np.float64]], int],
        permitted: Callable[[], None],
        lived: Unconfirmed,
        config: ControlConfig,
        first_episode: int = 0,
        episode_seconds: float = 10.0,
        say: Callable[[str], None] = lambda sentence: None,
    ) -> None:
        self.body, self.loop, self.task = body, loop, task
        self.senses, self.clock, self.config = senses, clock, config
        self._send, self._permitted, self.lived = send, permitted, lived
        self.period = body.spec.control_dt
        self.cadence = Cadence(self.period)
        self.episodes = Episodes(task.reward, self.period, episode_seconds, first_episode)
        self.holding, self.sentence = "starting", ""
        self.held: Counter[str] = Counter()
        self.decisions = self.overruns = 0
        self.rate, self.plan, self.latency = Rate(), Durations(), Durations()
        self.priority = 0
        self._due: float | None = None
        self._took = Durations(_RECENT)
        self._say = say
        self.ends = threading.Event()
        self._state = loop.agent.initial_state()
        self._commanded: NDArray[np.float64] | None = None

    def run(self) -> None:
        """Decides until `ends` is set; nothing that happens in between ends it."""
        try:
            self._prepare_thread()
        except OSError as error:
            sentence = f"core is {self.config.core}, which the system refuses ({error.strerror}): set another"
            self._hold(Refused("thread_refused", sentence))
            self._say(sentence)
            return
        gc.disable()
        gc.freeze()
        try:
            while not self.ends.is_set():
                try:
                    self._wait()
                    self._act()
                    self._rest()
                except Exception as error:  # an agent that fails must not take the node with it
                    self._hold(Refused("control_failed", f"{type(error).__name__}: {error}"))
        finally:
            self._hold(Refused("inactive"))
            self.lived.end()
            gc.unfreeze()
            gc.enable()

    def _act(self) -> None:
        try:
            self.step()
        except Refused as why:
            self._hold(why)

    def step(self) -> None:
        """One decision.

        Raises:
            Refused: nothing is to be commanded.
        """
        began = time.perf_counter()
        self.rate.tick(self.clock.now())
        self.lived.settle()
        sight = self.senses.look()  # before asking the gate, which misses the joints too, but cannot say why
        self._permitted()
        goal = self.task.goal
        if goal is None:
            raise Refused("no_goal", f"no goal has come, expected {self.task.goal_dim} numbers on agent/goal")
        if self._commanded is None:
            self._commanded = self.body.still(sight.position)
        felt = self.body.proprio(sight.position, sight.velocity, self._commanded)
        observation = self.task.seen(felt, sight.frames, goal)
        outcome, begins = self.episodes.observed(observation, sight.stamp)
        for item in (outcome.transition, outcome.episode):
            if item is not None:
                self.lived.add(item)
        if begins:
            self._state = self.loop.agent.begin_episode(self._state, "agent", self.episodes.number)
        version = self.loop.agent.weights_version
        actions, self._state = self.loop.decide({"agent": observation}, self._state)
        commanded = self.body.commanded(self._commanded, actions["agent"])
        took = time.perf_counter() - began
        self.plan.add(took)
        if self.config.even and self._due is not None:
            self._wait_for_others(self._due, sight.stamp)
        age = self.clock.ros() - sight.stamp
        if age > self.config.largest_command_age:
            raise Refused("plan_late", f"the decision came {age:.3f} s after what it is about")
        if self.ends.is_set():
            raise Refused("inactive")
        self.lived.sent(self._send(commanded))
        self.latency.add(self.clock.ros() - sight.stamp)
        self._commanded = commanded
        if not self.lived.refuses:
            self.holding = self.sentence = ""
        self.decisions += 1
        self.overruns += took > self.period
        assert self._state.decision is not None
        self.episodes.decided(observation, actions["agent"], sight.stamp, self._state.decision, version)

    def _wait_for_others(self, due: float, stamp: float) -> None:
        """Until nearly every decision that was due so would be there: a command's delay is then always the same.

        It never becomes too old by that; `stamp` is that of what it is about, s of ROS's clock.
        """
        now = self.clock.now()
        self._took.add(now - due)
        until = due + min(self._took.quantile(NEARLY_EVERY), LONGEST_WAIT * self.period)
        too_old = now + SHARE_OF_AGE * self.config.largest_command_age - (self.clock.ros() - stamp)
        self.clock.wait(min(until, too_old))

    def _hold(self, why: Refused) -> None:
        """Nothing is commanded, so the gate holds; what comes after is another episode, from where the joints are."""
        self.holding, self.sentence = why.name, str(why)
        self.held[why.name] += 1
        self._commanded = None
        episode = self.episodes.interrupted()
        if episode is not None:
            self.lived.add(episode)

    def _wait(self) -> None:
        for arrival in self.senses.arrivals():
            self.cadence.arrived(arrival)
        # A robot that is held waits for no drift: just before each picture there may be nothing fresh enough to act on.
        deadline = self._due = self.cadence.next(self.clock.now(), steady=not self.holding)
        self.clock.wait(deadline)
        # A picture that is a little late is worth a little waiting, unless pictures are gone altogether.
        patience = deadline + GRACE * self.period if not self.holding else deadline
        while not self.senses.poll() and self.clock.now() < patience and not self.ends.is_set():
            time.sleep(LOOK_AGAIN)

    def _rest(self) -> None:
        """What is better done while nothing waits for it."""
        self.loop.swap_weights()
        if self.rate_count() % _COLLECT_EVERY == 0:
            gc.collect()

    def rate_count(self) -> int:
        """Decisions taken or not."""
        return self.decisions + sum(self.held.values())

    def _prepare_thread(self) -> None:
        sys.setswitchinterval(0.0005)
        if self.config.core >= 0:
            os.sched_setaffinity(0, {self.config.core})
        refusal = ask_for_priority(self.config.priority)
        if refusal:
            self._say(refusal)
        else:
            self.priority = self.config.priority
