"""The agent as a managed process: `ros2 run robot_agent agent`."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from std_msgs.msg import Float64, Float64MultiArray

from robot_agent.errors import RobotAgentError
from robot_agent_ros.agent.clocks import Clock, RosClock, SteadyClock
from robot_agent_ros.agent.config import AgentConfig
from robot_agent_ros.agent.control import Control, ControlConfig
from robot_agent_ros.agent.gateway import Gateway
from robot_agent_ros.agent.keeper import Keeper
from robot_agent_ros.agent.mind import Mind, make_mind
from robot_agent_ros.agent.mismatch import mismatches
from robot_agent_ros.agent.reporter import Reporter
from robot_agent_ros.agent.sensors import RosSenses
from robot_agent_ros.agent.unconfirmed import Unconfirmed
from robot_agent_ros.diagnostics import Diagnostics, Level, Report
from robot_agent_ros.endpoints import subscription
from robot_agent_ros.errors import NodeError, ParameterError
from robot_agent_ros.executable import Interrupted, run_node
from robot_agent_ros.graph import AGENT, GOAL, REWARD
from robot_agent_ros.live_parameters import LiveParameters
from robot_agent_ros.news import News

CHECKPOINT_PATIENCE = 30.0
"""s that the last checkpoint may take; with `HOLDING` and `keeper.CLOSING` it is below the 60 s that starters grant."""
HOLDING = 5.0
"""s that the control thread may take to end."""
FIXED_WHILE_CONFIGURED = frozenset(
    field.name
    for field in fields(AgentConfig)
    if field.name == "largest_change"
    or not (field.name.startswith("largest_") or field.name in ("goal", "future_tolerance", "require_gate"))
)
OF_A_RUN = (
    "checkpoint",
    "run_folder",
    "settings",
    "seed",
    "world",
    "body",
    "streams",
    "control_rate",
    "joints",
    "wheel_separation",
    "camera_size",
    "goal_dim",
)
"""Parameters of which a run is made: with another value of one it is another run."""

_DONE, _FAILED = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


class AgentNode(LifecycleNode):
    """The executor serves transitions, goals, rewards and diagnostics; acting has a thread of its own.

    Attributes:
        is_configuring: it loads or makes its mind now, which may take long.
        is_shut_down: it ended for good.
    """

    def __init__(self) -> None:
        super().__init__(AGENT.name)
        self._live = LiveParameters(self, AgentConfig, self._on_change)
        self._mind: Mind | None = None
        self._keeper: Keeper | None = None
        self._senses: RosSenses | None = None
        self._control: Control | None = None
        self._thread: threading.Thread | None = None
        self.is_configuring = self.is_shut_down = False
        self._why = "not configured yet"
        self._is_compared = False
        self._news, self._held = News(self._tell), Counter[str]()
        self._left: tuple[Path, AgentConfig] | None = None
        self._reporter = Reporter()
        self._next_episode = 0
        self._gateway = Gateway(self)
        subscription(self, GOAL, self._on_goal)
        subscription(self, REWARD, self._on_reward)
        Diagnostics(self, self._report)

    @property
    def config(self) -> AgentConfig:
        """The parameters now."""
        return self._live.config

    # ---- transitions ----

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Loads or makes the mind; stays unconfigured and says why if that cannot be."""
        self.is_configuring = True
        try:
            mind = make_mind(self._continued(self.config))
        except (RobotAgentError, NodeError) as error:
            return self._failed(str(error))
        except Interrupted:
            return self._failed("the process ends")
        except Exception as error:  # rclpy would keep it to itself
            return self._failed(f"{type(error).__name__}: {error}")
        finally:
            self.is_configuring = False
        self._mind = mind
        self._keeper = Keeper(mind.run, self._complain) if mind.run is not None else None
        self._senses = RosSenses(self, mind.body, lambda: self.config, self._is_simulated())
        self._gateway.lead(mind.body)
        self._why = "inactive"
        kept = "nothing is kept" if mind.run is None else f"run folder {mind.run.folder.path}"
        self.get_logger().info(
            f"configured: {', '.join(mind.body.joints)} at {1 / mind.body.spec.control_dt:g} Hz, {kept}"
        )
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Acts from now on."""
        mind, senses = self._mind, self._senses
        assert mind is not None
        assert senses is not None
        ends = threading.Event()
        clock: Clock = RosClock(senses.now, ends) if self._is_simulated() else SteadyClock(senses.now)
        self._is_compared = False
        self._control = Control(
            mind.body,
            mind.loop,
            mind.task,
            senses,
            clock,
            self._gateway.send,
            self._check_gate,
            Unconfirmed(
                self._keeper.keep if self._keeper else lambda item: None,
                lambda stamp: not self.config.require_gate or self._gateway.accepted(stamp),
                lambda: self._gateway.why_not,
            ),
            ControlConfig(self.config.largest_command_age, self.config.even, self.config.core, self.config.priority),
            first_episode=max(self._next_episode, mind.run.episodes if mind.run is not None else 0),
            episode_seconds=self.config.episode_seconds,
            say=self._warn,
        )
        self._control.ends = ends
        self._thread = threading.Thread(target=self._control.run, name="control", daemon=True)
        self._thread.start()
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Holds: no command goes out any more; then writes a checkpoint."""
        self._hold()
        self._checkpoint()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Closes the run folder."""
        self._close()
        self._why = "not configured"
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Holds, keeps what it has learned, and ends, and the process with it."""
        self.end()
        self.is_shut_down = True
        self._why = "shut down"
        return super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Whatever went wrong in a transition: unconfigured, holding."""
        self._why = "a transition failed"
        self.get_logger().error(f"unconfigured: {self._why}")
        self._hold()
        self._close()
        return _DONE

    def end(self) -> None:
        """Holds, writes a checkpoint if it has acted, and closes everything; may be called twice."""
        was_acting = self._control is not None
        self._hold()
        if was_acting:
            self._checkpoint()
        self._close()

    def _continued(self, config: AgentConfig) -> AgentConfig:
        """What it is configured with: it continues the run that it left, unless its parameters say otherwise."""
        if self._left is None or not config.learn:
            return config
        folder, before = self._left
        if config.checkpoint == str(folder):
            return config
        changed = [name for name in OF_A_RUN if getattr(config, name) != getattr(before, name)]
        if changed:
            self.get_logger().warning(f"{changed[0]} is another one, so what it learned stays in {folder}")
            return config
        self.get_logger().info(f"continues in {folder}")
        return replace(config, checkpoint=str(folder))

    def _failed(self, why: str) -> TransitionCallbackReturn:
        self._why = " ".join(why.split())
        self.get_logger().error(f"stays unconfigured: {self._why}")
        return _FAILED

    def _hold(self) -> None:
        control, thread = self._control, self._thread
        self._control = self._thread = None
        if control is not None and thread is not None:
            control.ends.set()
            thread.join(timeout=HOLDING)
            self._next_episode = control.episodes.next

    def _checkpoint(self) -> None:
        if self._keeper is None:
            return
        try:
            path = self._keeper.checkpoint(CHECKPOINT_PATIENCE)
            self.get_logger().info(f"checkpoint {path}")
        except (RobotAgentError, TimeoutError) as error:
            self.get_logger().error(f"no checkpoint: {error or 'the learner did not answer in time'}")

    def _close(self) -> None:
        senses, self._senses = self._senses, None
        keeper, self._keeper, self._mind = self._keeper, None, None
        if keeper is not None:
            keeper.close()
            self._left = keeper.run.folder.path, self.config
        if senses is not None:
            senses.close()

    def _is_simulated(self) -> bool:
        parameter: Parameter[Any] = self.get_parameter("use_sim_time")
        return bool(parameter.value)

    def _check_gate(self) -> None:
        if self.config.require_gate:
            self._gateway.check()

    # ---- what comes in ----

    def _on_goal(self, message: Float64MultiArray) -> None:
        if self._mind is not None:
            self._say(self._mind.task.set_goal(message.data))

    def _on_reward(self, message: Float64, info: Mapping[str, Any]) -> None:
        if self._mind is not None:
            # The message has no stamp of its own: what counts is when it was sent.
            now = self.get_clock().now().nanoseconds if self._is_simulated() else info["source_timestamp"]
            self._mind.task.give_reward(now * 1e-9, message.data)

    def _on_change(self, config: AgentConfig) -> None:
        fixed = [name for name in FIXED_WHILE_CONFIGURED if getattr(config, name) != getattr(self.config, name)]
        if fixed and self._mind is not None:
            raise ParameterError(f"{fixed[0]} is fixed while the agent is configured: clean it up first")
        if config.goal != self.config.goal and self._mind is not None:
            refusal = self._mind.task.set_goal(config.goal)
            if refusal:
                raise ParameterError(refusal)
        control = self._control
        if control is not None:
            control.config = replace(control.config, largest_command_age=config.largest_command_age)

    def _complain(self, sentence: str) -> None:
        self.get_logger().error(sentence)

    def _warn(self, sentence: str) -> None:
        self.get_logger().warning(sentence)

    def _say(self, refusal: str) -> None:
        if refusal:
            self.get_logger().warning(refusal, throttle_duration_sec=1.0)

    # ---- what it says of itself ----

    def _report(self) -> Report:
        mind, senses = self._mind, self._senses
        if mind is None or senses is None:
            return Report(Level.WARN, f"unconfigured: {self._why}")
        report = self._reporter.report(mind, senses, self._control, self._keeper, self._gateway.owner)
        self._announce(report)
        self._compare()
        return report

    def _announce(self, report: Report) -> None:
        """Each change of state once, on the console and /rosout; also holds that are over within a second."""
        control = self._control
        held = control.held.copy() if control is not None else Counter[str]()
        brief, self._held = sorted(held - self._held), held
        state = report.message
        if brief and report.level is Level.OK:
            state += f", with holds in between: {', '.join(brief)}"
        why = report.values.get("why", "")
        is_trouble = bool(brief) or report.level is not Level.OK
        self._news.state("state", state, f"{state}: {why}" if why else state, is_trouble, time.monotonic())

    def _tell(self, sentence: str, is_trouble: bool) -> None:
        if is_trouble:  # rclpy tells the two calls apart by their line
            self.get_logger().warning(sentence)
        else:
            self.get_logger().info(sentence)

    def _compare(self) -> None:
        """Says once what does not fit the gate."""
        if self._is_compared or self._mind is None or self._control is None or not self._gateway.limits:
            return
        self._is_compared = True
        for sentence in mismatches(self._mind.body, self._gateway.limits, self._gateway.command_timeout):
            self._warn(sentence)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the agent until SIGINT or SIGTERM; returns the exit status."""
    return run_node(
        AgentNode,
        argv,
        stop=AgentNode.end,
        is_done=lambda node: node.is_shut_down,
        is_interruptible=lambda node: node.is_configuring,
    )


if __name__ == "__main__":
    sys.exit(main())
