"""Our own worlds, made different along named axes."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from robot_agent_sim.drift.change import Change
from robot_agent_sim.drift.drift import Drift
from robot_agent_sim.mujoco_env import Observation

_CARRIES = {"so101": "gripper", "rover": "rover/chassis"}
"""By suite, the body that a payload is put on."""


@dataclass(frozen=True)
class Axis:
    """A way in which reality may differ from simulation.

    Attributes:
        meaning: of a value, with its unit.
        neutral: the value of the world as made.
        values: that a sensitivity curve visits, away from the neutral one.
        effects: of `Drift` that a value is written by; none where a wrapper does it.
        seen: whether only cameras notice.
    """

    meaning: str
    neutral: float
    values: tuple[float, ...]
    effects: tuple[str, ...] = ()
    seen: bool = False


AXES: Mapping[str, Axis] = {
    "delay": Axis("s from a decision to what it moves, in whole decisions", 0.0, (0.04, 0.08, 0.12, 0.16, 0.24)),
    "friction": Axis(
        "factor on contact friction and the dry friction of joints",
        1.0,
        (4.0, 8.0, 16.0, 32.0),
        ("friction", "dry_friction"),
    ),
    "damping": Axis("factor on the damping of joints", 1.0, (1.5, 2.0, 3.0, 5.0), ("damping",)),
    "payload": Axis("kg carried at the end of an arm or on a rover", 0.0, (0.1, 0.2, 0.4, 0.6), ("payload",)),
    "mass": Axis("factor on all masses", 1.0, (1.5, 2.0, 3.0, 5.0), ("mass",)),
    "gain": Axis("factor on what motors give", 1.0, (0.8, 0.6, 0.4, 0.2), ("gain",)),
    "camera_shift": Axis(
        "m that cameras are moved to their right", 0.0, (0.02, 0.04, 0.08, 0.16), ("camera_shift",), True
    ),
    "camera_roll": Axis(
        "degrees that cameras are turned about their axis", 0.0, (5.0, 10.0, 20.0), ("camera_roll",), True
    ),
    "lighting": Axis("factor on all light", 1.0, (0.7, 0.5, 0.3, 0.1), ("light",), True),
    "noise": Axis(
        "standard deviation of noise on every number felt, in its own unit, and on pixels, of full scale",
        0.0,
        (0.01, 0.02, 0.05, 0.1),
    ),
}
"""By name."""

PERTURBED: Mapping[str, tuple[str, Mapping[str, float]]] = {
    "late": ("every decision arrives two decisions late", {"delay": 0.08}),
    "worn": ("motors give 70 %, gears rub", {"gain": 0.7, "friction": 4.0, "damping": 1.3}),
    "shaken": ("encoders and pixels are noisy", {"noise": 0.02}),
    "moved": ("cameras stand 4 cm aside, turned by 5 degrees, in half the light", {
        "camera_shift": 0.04, "camera_roll": 5.0, "lighting": 0.5,
    }),
    "drifted": ("some of everything", {
        "delay": 0.04, "gain": 0.8, "friction": 3.0, "damping": 1.2, "noise": 0.01,
        "camera_shift": 0.02, "lighting": 0.7,
    }),
}  # fmt: skip
"""Perturbed worlds that have names: one line, and the values by axis."""


def parse_perturbation(text: str) -> dict[str, float]:
    """`worn`, or `gain=0.7,delay=0.08`, as values by axis.

    Raises:
        ValueError: neither a name nor values by axis.
    """
    if text in PERTURBED:
        return dict(PERTURBED[text][1])
    values: dict[str, float] = {}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        if not equals:
            raise ValueError(
                f"unknown perturbation {text!r}, expected one of {', '.join(PERTURBED)}, "
                "or values of axes, such as gain=0.7,delay=0.08"
            )
        checked_axis(name)
        try:
            values[name] = float(value)
        except ValueError as error:
            raise ValueError(f"{name} is {value!r}, expected a number: {AXES[name].meaning}") from error
        if not isfinite(values[name]):
            raise ValueError(f"{name} is {value!r}, expected a finite number: {AXES[name].meaning}")
    return values


def checked_axis(name: str) -> Axis:
    """The axis of a name.

    Raises:
        ValueError: there is none.
    """
    if name not in AXES:
        raise ValueError(f"unknown axis {name!r}, expected one of {', '.join(AXES)}")
    return AXES[name]


def perturbed(env: gymnasium.Env[Any, Any], world: str, values: Mapping[str, float]) -> gymnasium.Env[Any, Any]:
    """A world with some axes away from how it was made.

    Args:
        env: the world.
        world: its name.
        values: by the name of an axis.

    Raises:
        ValueError: an axis or a value that this world cannot have.
    """
    changes = []
    for name, value in values.items():
        axis = checked_axis(name)
        if value == axis.neutral:
            continue
        if name == "delay":
            env = LateAction(env, value)
        elif name == "noise":
            env = Noise(env, value)
        elif name == "payload":
            suite = world.partition("/")[0]
            if suite not in _CARRIES:
                raise ValueError(f"nothing in {world} carries a payload: change mass instead")
            changes.append(Change("payload", value, _CARRIES[suite]))
        else:
            changes += [Change(effect, value) for effect in axis.effects]
    return Drift(env, changes) if changes else env


class LateAction(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Every action comes late; before the first one comes, none does (all zeros).

    Args:
        env: the world.
        delay: s, rounded to whole decisions.

    Raises:
        ValueError: a negative delay, or one shorter than half a decision.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], delay: float) -> None:
        super().__init__(env)
        self.decisions = round(delay / env.metadata["control_dt"])
        if self.decisions < 1:
            least = env.metadata["control_dt"]
            raise ValueError(f"delay is {delay:g} s, expected 0, or at least a decision of this world, {least:g} s")
        self._waiting: deque[NDArray[np.float32]] = deque()

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Forgets the actions that were on their way."""
        still = np.zeros(self.action_space.shape or (), np.float32)
        self._waiting = deque([still] * self.decisions)
        return self.env.reset(seed=seed, options=options)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Sends an action off, and does the one that arrives."""
        self._waiting.append(np.asarray(action, np.float32))
        return self.env.step(self._waiting.popleft())


class Noise(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Gaussian noise on what is sensed; goals are not sensed.

    Args:
        env: the world.
        deviation: of `proprio` in its own units, and of pixels as a share of 255.

    Raises:
        ValueError: a negative deviation.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], deviation: float) -> None:
        super().__init__(env)
        if not deviation >= 0:
            raise ValueError(f"noise is {deviation:g}, expected at least 0")
        self.deviation = deviation
        self._rng = np.random.default_rng(0)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """The same seed gives the same noise."""
        if seed is not None:
            self._rng = np.random.default_rng(seed)
        observation, info = self.env.reset(seed=seed, options=options)
        return self._noisy(observation), info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """The world's step, seen through noise."""
        observation, *rest = self.env.step(action)
        return self._noisy(observation), *rest  # type: ignore[return-value]

    def _noisy(self, observation: Observation) -> Observation:
        noisy = dict(observation)
        for name, value in observation.items():
            if name == "proprio":
                noisy[name] = (value + self._rng.normal(0, self.deviation, value.shape)).astype(np.float32)
            elif name.startswith("camera/"):
                pixels = value + self._rng.normal(0, 255 * self.deviation, value.shape)
                noisy[name] = np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
        return noisy
