"""Where what the agent asks for and what the gate lets through do not fit. No ROS in here."""

from __future__ import annotations

import json
from collections.abc import Mapping

from robot_agent_ros.agent.body import RobotBody

Limits = Mapping[str, Mapping[str, float]]
"""Of each joint of the gate: `velocity`, and `lower` and `upper` where it has ends."""
PERIODS = 3
"""Periods of the agent that the gate's `command_timeout` should last, so that one late command is no hold."""
_SLACK = 0.02
"""Share of a speed or a time that is no mismatch."""
_MARGIN = 0.01
"""rad that is none."""


def read_limits(text: str) -> Limits:
    """The limits as the gate says them, in JSON; none from words that are not a gate's."""
    try:
        return {
            str(name): {
                key: float(one[key]) for key in ("lower", "upper", "velocity") if key in one or key == "velocity"
            }
            for name, one in json.loads(text).items()
        }
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}


def mismatches(body: RobotBody, limits: Limits, command_timeout: float) -> list[str]:
    """What does not fit, in a sentence each.

    Args:
        body: that the agent commands.
        limits: of the gate, in rad and rad/s (of a twist in m/s and rad/s).
        command_timeout: s after which the gate ends what it follows.
    """
    asked = body.fastest
    if set(asked) != set(limits):
        return [
            f"the agent commands {', '.join(asked)} and the gate has {', '.join(limits)}, so every command is refused: "
            "give both the same joints"
        ]
    sentences = []
    fast = [name for name in asked if asked[name] > (1 + _SLACK) * limits[name]["velocity"]]
    if fast:
        worst = max(fast, key=lambda name: asked[name] / limits[name]["velocity"])
        sentences.append(
            f"a full action asks up to {asked[worst]:.3g} a second of {worst}, and the gate lets "
            f"{limits[worst]['velocity']:.3g} through ({', '.join(fast)} lag behind their commands): give the gate a "
            "higher velocity, or the agent a smaller largest_change or a lower control_rate"
        )
    beyond = [
        f"{name} ({lower:.3g} to {upper:.3g} rad for {limits[name]['lower']:.3g} to {limits[name]['upper']:.3g})"
        for name, lower, upper in body.ends
        if lower < limits[name].get("lower", lower) - _MARGIN or upper > limits[name].get("upper", upper) + _MARGIN
    ]
    if beyond:
        sentences.append(
            f"the agent commands more than the gate's limits let through of {', '.join(beyond)}: what is beyond is "
            "never reached"
        )
    needed = PERIODS * body.spec.control_dt
    if command_timeout < (1 - _SLACK) * needed:
        sentences.append(
            f"the gate's command_timeout is {command_timeout:g} s, less than {PERIODS} periods of the agent: set it to "
            f"{needed:.3g} s or more, or one late command is a hold"
        )
    return sentences
