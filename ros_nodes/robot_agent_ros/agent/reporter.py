"""What the agent says of itself: its state, and numbers for people."""

from __future__ import annotations

import time
from typing import Any

from robot_agent_ros.agent.clocks import RosClock
from robot_agent_ros.agent.control import Control
from robot_agent_ros.agent.keeper import Keeper
from robot_agent_ros.agent.mind import Mind
from robot_agent_ros.agent.sensors import RosSenses
from robot_agent_ros.diagnostics import Level, Report


class Reporter:
    """Makes reports; remembers what rates need."""

    def __init__(self) -> None:
        self._updates = (0, time.monotonic())
        self._updates_per_second = 0.0

    def report(
        self, mind: Mind, senses: RosSenses, control: Control | None, keeper: Keeper | None, owner: str
    ) -> Report:
        """The state of a configured agent; inactive without `control`. `owner` is the node that the gate obeys."""
        values: dict[str, Any] = {f"age of {name} [s]": age for name, age in senses.ages().items()}
        values |= {f"refused: {name}": count for name, count in senses.refused().items()}
        if keeper is not None and mind.learner is not None:
            values |= self._about_learning(mind, keeper)
        if control is None:
            return Report(Level.OK, "inactive", values)
        values |= {
            "loop rate [Hz]": control.rate.hz,
            "loop jitter p99 [ms]": 1e3 * control.rate.jitter(control.period),
            "loop jitter p99 [%]": 100 * control.rate.jitter(control.period) / control.period,
            **control.plan.values("plan"),
            **control.latency.values("observation to command"),
            "decisions": control.decisions,
            "decisions refused by the gate": control.lived.refused,
            "owner of the gate": owner,
            "overruns": control.overruns,
            "real-time priority": control.priority,
            "decisions skipped": control.cadence.skipped,
            "weights version": mind.loop.agent.weights_version,
            **{f"held: {name}": count for name, count in dict(control.held).items()},
        }
        if isinstance(control.clock, RosClock) and control.clock.stands_still:
            why = "use_sim_time is set, and /clock stands still or does not come"
            return Report(Level.WARN, "holding: waiting_for_clock", values | {"why": why})
        if control.holding:
            return Report(Level.WARN, f"holding: {control.holding}", values | {"why": control.sentence})
        if mind.learner is not None and not mind.learner.runs:
            return Report(Level.WARN, "acting: the learner has ended and starts again", values)
        return Report(Level.OK, "acting", values)

    def _about_learning(self, mind: Mind, keeper: Keeper) -> dict[str, Any]:
        learner = mind.learner
        assert learner is not None
        now, (before, then) = time.monotonic(), self._updates
        if now - then > 0.5:
            self._updates = (learner.updates, now)
            self._updates_per_second = max(0, learner.updates - before) / (now - then)
        return {
            "updates": learner.updates,
            "updates/s": self._updates_per_second,
            "learner": "runs" if learner.runs else f"ended: {learner.fault}",
            "learner pid": learner.pid or 0,
            "learner restarts": learner.restarts,
            "steps kept": keeper.run.decisions,
            "steps lost": keeper.lost,
            "keeping": keeper.fault or "well",
        }
