"""Domain randomisation as wide as a calibration is uncertain, instead of ranges that somebody guessed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from robot_agent_sim.calibration import Estimate
from robot_agent_sim.calibration.body import BodyParameters
from robot_agent_sim.drift.change import Range

_EFFECTS = {"friction": "dry_friction", "damping": "damping", "armature": "armature", "stall_torque": "torque"}
_LEAST = 0.05
"""No factor is less: a link weighs something."""


def earliest(body: BodyParameters) -> BodyParameters:
    """The same body with the least delay of its interval, to which `uncertainty` adds."""
    if body.command_delay is None:
        return body
    least = max(0.0, body.command_delay.interval_95[0])
    return replace(body, command_delay=replace(body.command_delay, value=least))


def uncertainty(body: BodyParameters) -> tuple[Range, ...]:
    """Ranges over the 95 % intervals of servos, masses and delay, for a world that was built with `earliest(body)`.

    Quantities of a joint are varied against its stiffness where that ratio is known, for motion tells it more exactly
    than either of them. Encoders, backlash and payload stay as they were measured.
    """
    return tuple(_ranges(body))


def _ranges(body: BodyParameters) -> Iterator[Range]:
    for joint, estimates in body.joints.items():
        ratios = body.ratios.get(joint, {})
        if "stiffness" in estimates and not ratios:
            yield from _factor("gain", estimates["stiffness"], joint)
        for what, effect in _EFFECTS.items():
            known = ratios.get(what) or estimates.get(what)
            if known is not None:
                yield from _factor(effect, known, joint)
    for link, mass in body.masses.items():
        yield from _factor("mass", mass, link)
    if body.command_delay is not None:
        low, high = body.command_delay.interval_95
        yield Range("command_delay", 0.0, high - max(0.0, low))


def _factor(effect: str, estimate: Estimate, target: str) -> Iterator[Range]:
    low, high = estimate.interval_95
    if estimate.value > 0 and low < high:
        yield Range(effect, max(_LEAST, low / estimate.value), high / estimate.value, target=target)
