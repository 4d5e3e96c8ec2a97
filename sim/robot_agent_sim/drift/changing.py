"""What changes of one world, and how it stands with it: what `Drift` and `ParallelDrift` have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from robot_agent_sim.drift.change import Change, Range
from robot_agent_sim.drift.effects import EFFECTS, PICTURES, SIGNED, field, target_ids
from robot_agent_sim.wrappers.changed_command import ChangedCommand


class ChangingWorld:
    """A world's model, behaviours and senses, written as a schedule and some draws want them.

    Args:
        world: what has the `model`, and where there are any `model_changed`, `opponent` and `behaviours`.
        senses: what has `sensor_delay`, None where nothing can be sensed late.
        commands: what changes commands on their way, None where nothing does.
        changes: see `Drift`.
        ranges: see `Drift`.

    Raises:
        ValueError: a change that this world cannot have, or a world that somebody else changes.
    """

    def __init__(
        self,
        world: Any,
        senses: Any | None,
        commands: ChangedCommand | None,
        changes: Sequence[Change],
        ranges: Sequence[Range],
    ) -> None:
        self._world, self._senses, self._commands = world, senses, commands
        self._changes, self._ranges = tuple(changes), tuple(ranges)
        self._entries: tuple[Change | Range, ...] = (*self._changes, *self._ranges)
        unknown = [entry.what for entry in self._entries if entry.what not in EFFECTS]
        if unknown:
            raise ValueError(f"nothing can change {unknown[0]!r}, expected one of {', '.join(EFFECTS)}")
        if hasattr(world, "chapters"):
            raise ValueError("a life changes by its chapters: give them the changes")
        model = getattr(world, "model", None)
        self._model = model if isinstance(model, mujoco.MjModel) else None
        writes = [entry.what for entry in self._entries if EFFECTS[entry.what].fields and not self._on_the_way(entry)]
        if self._model is None and (writes or commands is None):
            raise ValueError(f"{world} has no MuJoCo model that could change: choose another world")
        if getattr(world, "drifts", False):
            raise ValueError("this world drifts already: give all changes to one Drift, or restore() the other first")
        self._ids = {(entry.what, entry.target): self._ids_of(entry) for entry in self._entries}
        self._made = {}
        if self._model is not None:
            names = {name for entry in self._entries for name in EFFECTS[entry.what].fields}
            self._made = {name: field(self._model, name).copy() for name in sorted(names)}
        self._opponent = getattr(world, "opponent", None)
        self._sensor_delay = getattr(senses, "sensor_delay", 0.0)
        self._drawn = tuple(EFFECTS[entry.what].neutral for entry in self._ranges)
        self._now: tuple[float, ...] | None = None
        for entry, value in self._extremes():
            self._check(entry, value)
        self._check_delays()
        world.drifts = True  # a second one would take what the first one made of the world for how it was made

    # ---- what is in force ----

    def draw(self, rng: np.random.Generator) -> None:
        """Draws a value from each range."""
        self._drawn = tuple(float(rng.uniform(entry.low, entry.high)) for entry in self._ranges)

    def apply(self, step: int) -> None:
        """Makes the world as schedule and draws want it at a step of the life, if that is not how it is."""
        scheduled = []
        for change in self._changes:
            neutral = EFFECTS[change.what].neutral
            scheduled.append(neutral + change.amount(step) * (change.to - neutral))
        wanted = (*scheduled, *self._drawn)
        if wanted == self._now:
            return
        before, self._now = self._now, wanted
        self.write()
        changed = [
            entry.what
            for index, (entry, value) in enumerate(zip(self._entries, wanted, strict=True))
            if before is None or before[index] != value
        ]
        if self._model is not None and any(EFFECTS[what].constants for what in changed):
            mujoco.mj_setConst(self._model, mujoco.MjData(self._model))
        if PICTURES.intersection(changed):
            self._model_changed()

    def write(self) -> None:
        """Writes what is in force, over whatever else wrote there."""
        model: Any = self._model
        for name, made in self._made.items():
            field(model, name)[...] = made
        opponent, delay = self._opponent, self._sensor_delay
        if self._commands is not None:
            self._commands.change_nothing()
        for entry, value in zip(self._entries, self._now or (), strict=True):
            if value == EFFECTS[entry.what].neutral:
                continue
            if self._commands is not None and self._on_the_way(entry):
                self._change_commands(self._commands, entry, value)
            else:
                self._write_model(self._model, entry, value)
            opponent = round(value) if entry.what == "opponent" else opponent
            delay += value if entry.what == "sensor_delay" else 0.0
        self._set(opponent, delay)

    def values(self) -> dict[str, float]:
        """What differs now from the world as it was made; the second of the same name ends in `#2`, and so on."""
        named: dict[str, float] = {}
        for entry, value in zip(self._entries, self._now or (), strict=True):
            if value != EFFECTS[entry.what].neutral:
                same = sum(name.partition("#")[0] == entry.name for name in named)
                named[f"{entry.name}#{same + 1}" if same else entry.name] = value
        return named

    def restore(self) -> None:
        """Makes the world as it was made, for whoever lives in it next."""
        model: Any = self._model
        for name, made in self._made.items():
            field(model, name)[...] = made
        if self._commands is not None:
            self._commands.change_nothing()
        if self._model is not None and any(EFFECTS[entry.what].constants for entry in self._entries):
            mujoco.mj_setConst(self._model, mujoco.MjData(self._model))
        self._set(self._opponent, self._sensor_delay)
        self._now = None
        self._model_changed()
        self._world.drifts = False

    def _set(self, opponent: int | None, sensor_delay: float) -> None:
        if opponent is not None:
            self._world.opponent = opponent
        if self._senses is not None:
            self._senses.sensor_delay = sensor_delay

    def _model_changed(self) -> None:
        if hasattr(self._world, "model_changed"):
            self._world.model_changed()

    def _ids_of(self, entry: Change | Range) -> NDArray[np.int64]:
        if entry.what == "command_delay" and self._on_the_way(entry):
            return np.arange(0)
        return target_ids(self._model, EFFECTS[entry.what], entry.target, self._entry_names())

    # ---- commands on their way ----

    def _on_the_way(self, entry: Change | Range) -> bool:
        """Whether something changes commands before they reach the model."""
        remembers = self._model is not None and self._model.nu and self._model.actuator_history[:, 0].min() > 0
        return entry.what in ("reversed", "permuted") or (entry.what == "command_delay" and not remembers)

    def _change_commands(self, commands: ChangedCommand, entry: Change | Range, value: float) -> None:
        if entry.what == "command_delay":
            commands.late_by += value
        elif entry.what == "permuted":
            commands.moved_by += round(value)
        elif value >= 0.5:
            commands.reversed_entries[self._ids[entry.what, entry.target]] ^= True

    def _entry_names(self) -> list[str]:
        """Names of the entries of a command: of the actuators where each has one, else numbers."""
        if self._commands is None:
            return []
        size = len(self._commands.reversed_entries)
        if self._model is None or self._model.nu != size:
            return [str(index) for index in range(size)]
        return [self._model.actuator(index).name or str(index) for index in range(size)]

    def _write_model(self, model: mujoco.MjModel | None, entry: Change | Range, value: float) -> None:
        effect = EFFECTS[entry.what]
        if model is not None:
            current = {name: field(model, name).copy() for name in effect.fields}
            effect.write(model, current, self._ids[entry.what, entry.target], value)

    # ---- checks ----

    def _extremes(self) -> Iterator[tuple[Change | Range, float]]:
        for change in self._changes:
            yield change, change.to
        for entry in self._ranges:
            yield entry, entry.low
            yield entry, entry.high

    def _check_delays(self) -> None:
        """Delays add up, and no sum of them may be longer than what is remembered."""
        model = copy(self._model)
        for entry in self._entries:
            if entry.what == "command_delay" and not self._on_the_way(entry):
                self._write_model(model, entry, entry.to if isinstance(entry, Change) else entry.high)

    def _check(self, entry: Change | Range, value: float) -> None:
        """Whether a value can be written at all, tried on a copy of the model."""
        effect = EFFECTS[entry.what]
        if (value < 0 and entry.what not in SIGNED) or (value == 0 and entry.what == "mass"):
            raise ValueError(f"{entry.what} goes to {value:g}, expected a positive number: {effect.meaning}")
        if entry.what == "opponent" and self._opponent is None:
            raise ValueError("this world has no opponent that could change")
        behaviours = len(getattr(self._world, "behaviours", ()))
        if entry.what == "opponent" and value >= behaviours:
            raise ValueError(f"opponent goes to {value:g}, expected at most {behaviours - 1}")
        if entry.what == "sensor_delay" and self._senses is None:
            raise ValueError("this world cannot deliver old observations: build it with robot_agent_sim.make")
        if self._on_the_way(entry):
            if self._commands is None:
                raise ValueError(
                    f"{entry.what} changes commands on their way: build the world with robot_agent_sim.make"
                )
            if entry.what == "command_delay" and entry.target:
                raise ValueError("this world delays all entries of a command alike: leave the target out")
        else:
            self._write_model(copy(self._model), entry, value)
