"""Wraps any MuJoCo world and changes it while the stream of episodes goes on."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import gymnasium
import mujoco
import numpy as np

from robot_agent_sim.drift.change import Change, Range
from robot_agent_sim.drift.effects import EFFECTS, PICTURES, SIGNED, field, target_ids

_GOALS = ("achieved_goal", "desired_goal")


class Drift(gymnasium.Wrapper[Any, Any, Any, Any]):
    """A world whose model changes on a schedule, or from episode to episode, or both; the agent is not told.

    The schedule counts control steps of the life: episodes do not reset it. `info["drift"]` has, by name, what
    differs now from the world as it was made. The same changes, ranges and seed give the same life.

    Args:
        env: a world with a MuJoCo model.
        changes: on a schedule; those of the same field add up in their order.
        ranges: drawn at each reset.
        seed: of the draws.

    Raises:
        ValueError: a change that this world cannot have.
    """

    def __init__(
        self, env: gymnasium.Env[Any, Any], changes: Sequence[Change] = (), ranges: Sequence[Range] = (), seed: int = 0
    ) -> None:
        super().__init__(env)
        self.changes, self.ranges = tuple(changes), tuple(ranges)
        self._entries: tuple[Change | Range, ...] = (*self.changes, *self.ranges)
        unknown = [entry.what for entry in self._entries if entry.what not in EFFECTS]
        if unknown:
            raise ValueError(f"nothing can change {unknown[0]!r}, expected one of {', '.join(EFFECTS)}")
        self.life_steps = 0
        self._model = mujoco_model(env)
        self._rng = np.random.default_rng(seed)
        self._ids = {
            (entry.what, entry.target): target_ids(self._model, EFFECTS[entry.what], entry.target)
            for entry in self._entries
        }
        names = {name for entry in self._entries for name in EFFECTS[entry.what].fields}
        self._made = {name: field(self._model, name).copy() for name in sorted(names)}
        self._drawn: tuple[float, ...] = ()
        self._now: tuple[float, ...] | None = None
        self._seen: deque[Any] = deque()
        self._opponent = getattr(env.unwrapped, "opponent", None)
        for entry, value in self._extremes():
            self._check(entry, value)
        self._check_delays()
        self._apply()

    # ---- the life ----

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Starts an episode; a seed also starts the draws anew, but not the schedule."""
        if seed is not None:
            self._rng = np.random.default_rng(seed)
        self._drawn = tuple(float(self._rng.uniform(entry.low, entry.high)) for entry in self.ranges)
        self._apply()
        observation, info = self.env.reset(seed=seed, options=options)
        self._seen.clear()
        return self._delayed(observation), {**info, "drift": self.values()}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """One control step in the world as it is now."""
        self._apply()
        observation, reward, terminated, truncated, info = self.env.step(action)
        self.life_steps += 1
        return self._delayed(observation), float(reward), terminated, truncated, {**info, "drift": self.values()}

    def values(self) -> dict[str, float]:
        """What differs now from the world as it was made; the second of the same name ends in `#2`, and so on."""
        named: dict[str, float] = {}
        for entry, value in zip(self._entries, self._now or (), strict=True):
            if value != EFFECTS[entry.what].neutral:
                same = sum(name.partition("#")[0] == entry.name for name in named)
                named[f"{entry.name}#{same + 1}" if same else entry.name] = value
        return named

    def _values_now(self) -> tuple[float, ...]:
        scheduled = []
        for change in self.changes:
            neutral = EFFECTS[change.what].neutral
            scheduled.append(neutral + change.amount(self.life_steps) * (change.to - neutral))
        neutral_draws = tuple(EFFECTS[entry.what].neutral for entry in self.ranges)
        return (*scheduled, *(self._drawn or neutral_draws))

    def _apply(self) -> None:
        """Writes the model as the schedule and the draws want it, if that is not how it is."""
        wanted = self._values_now()
        if wanted == self._now:
            return
        before, self._now = self._now, wanted
        for name, made in self._made.items():
            field(self._model, name)[...] = made
        pictures = constants = False
        for index, (entry, value) in enumerate(zip(self._entries, wanted, strict=True)):
            effect = EFFECTS[entry.what]
            changed = before is None or before[index] != value
            pictures |= changed and entry.what in PICTURES
            constants |= changed and effect.constants
            if entry.what == "opponent" and changed:
                self.env.set_wrapper_attr("opponent", self._opponent if value == effect.neutral else round(value))
            if value != effect.neutral:
                current = {name: field(self._model, name).copy() for name in effect.fields}
                effect.write(self._model, current, self._ids[entry.what, entry.target], value)
        if constants:
            mujoco.mj_setConst(self._model, mujoco.MjData(self._model))
        if pictures:
            self._model_changed()

    def restore(self) -> None:
        """Makes the world as it was made, for whoever lives in it next."""
        for name, made in self._made.items():
            field(self._model, name)[...] = made
        if any(EFFECTS[entry.what].constants for entry in self._entries):
            mujoco.mj_setConst(self._model, mujoco.MjData(self._model))
        if self._opponent is not None:
            self.env.set_wrapper_attr("opponent", self._opponent)
        self._now = None
        self._model_changed()

    def _model_changed(self) -> None:
        if hasattr(self.env.unwrapped, "model_changed"):
            self.env.unwrapped.model_changed()

    # ---- old observations ----

    def _delayed(self, observation: Any) -> Any:
        """What was observed some control steps ago; goals are not sensed, so they are never old."""
        delays = [
            value for entry, value in zip(self._entries, self._now or (), strict=True) if entry.what == "sensor_delay"
        ]
        if not delays:
            return observation
        self._seen.append(observation)
        late = round(sum(delays) / self.env.metadata["control_dt"])
        while len(self._seen) > late + 1:
            self._seen.popleft()
        fresh = {name: observation[name] for name in _GOALS if name in observation}
        return {**self._seen[0], **fresh}

    # ---- checks ----

    def _extremes(self) -> Iterator[tuple[Change | Range, float]]:
        for change in self.changes:
            yield change, change.to
        for entry in self.ranges:
            yield entry, entry.low
            yield entry, entry.high

    def _check_delays(self) -> None:
        """Delays add up, and no sum of them may be longer than what is remembered."""
        model = mujoco_model(self.env).__copy__()
        for entry in self._entries:
            if entry.what == "command_delay":
                most = entry.to if isinstance(entry, Change) else entry.high
                current = {name: field(model, name).copy() for name in EFFECTS[entry.what].fields}
                EFFECTS[entry.what].write(model, current, self._ids[entry.what, entry.target], most)

    def _check(self, entry: Change | Range, value: float) -> None:
        """Whether a value can be written at all, tried on a copy of the model."""
        effect, model = EFFECTS[entry.what], mujoco_model(self.env).__copy__()
        if (value < 0 and entry.what not in SIGNED) or (value == 0 and entry.what == "mass"):
            raise ValueError(f"{entry.what} goes to {value:g}, expected a positive number: {effect.meaning}")
        behaviours = len(getattr(self.env.unwrapped, "behaviours", ()))
        if entry.what == "opponent" and behaviours and value >= behaviours:
            raise ValueError(f"opponent goes to {value:g}, expected at most {behaviours - 1}")
        if entry.what == "opponent" and self._opponent is None:
            raise ValueError("this world has no opponent that could change")
        current = {name: field(model, name).copy() for name in effect.fields}
        effect.write(model, current, self._ids[entry.what, entry.target], value)


def mujoco_model(env: gymnasium.Env[Any, Any]) -> mujoco.MjModel:
    """The model that a world simulates.

    Raises:
        ValueError: it has none.
    """
    model = getattr(env.unwrapped, "model", None)
    if not isinstance(model, mujoco.MjModel):
        raise ValueError(f"{env} has no MuJoCo model that could change: choose another world")
    return model
