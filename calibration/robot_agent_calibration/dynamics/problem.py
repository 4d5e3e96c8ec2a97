"""How far a candidate is from what was measured, and how that changes with each number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robot_agent_calibration.dynamics.motion import Run, arm_model, predict
from robot_agent_calibration.dynamics.unknowns import Unknowns

SETTLING = 0.5
"""s at the beginning that are not compared: nobody knows how the arm came to where it stands."""
STEP = 1e-3
"""Of finite differences, in standard deviations of what was believed before: far above what the friction solver leaves
undone, far below where the motion bends."""
_LIMIT_STEP = 0.5
"""Of limits, that motors reach or do not."""
_EFFORT = 0.1
"""N·m that efforts are trusted to before anything is known of them."""


@dataclass(frozen=True)
class Weights:
    """Per joint, 1 over a standard deviation: of positions in rad, of efforts in N·m."""

    positions: NDArray[np.float64]
    efforts: NDArray[np.float64]

    @classmethod
    def coarse(cls, joints: int) -> Weights:
        """Before anything is known of what will be left: half a degree."""
        return cls(np.full(joints, 1 / np.deg2rad(0.5)), np.full(joints, 1 / _EFFORT))


@dataclass(frozen=True)
class Apart:
    """Predicted minus measured in one run for k candidates: (k, n, joints) in rad, (k, m, joints) in N·m or None."""

    positions: NDArray[np.float64]
    efforts: NDArray[np.float64] | None

    def rows(self, weights: Weights) -> NDArray[np.float64]:
        """In standard deviations, (k, samples, joints), positions first."""
        parts = [self.positions * weights.positions]
        if self.efforts is not None:
            parts.append(self.efforts * weights.efforts)
        return np.concatenate(parts, axis=1)


class Problem:
    """Runs of one arm, and the numbers that shall explain all of them.

    Args:
        runs: at least one.
        scale: see `Unknowns`.
        timestep: of the simulation, s.
        threads: that simulate.
    """

    def __init__(self, runs: Sequence[Run], scale: str = "assumed", timestep: float = 0.002, threads: int = 1) -> None:
        self.runs, self.threads = tuple(runs), threads
        self._unknowns = [Unknowns(arm_model(timestep, run.payload), scale) for run in runs]
        self.unknowns = self._unknowns[0]
        self.joints = self.runs[0].positions.shape[1]

    def apart(self, candidates: NDArray[np.float64]) -> list[Apart]:
        """For candidates (k, entries), one a run."""
        found = []
        for run, unknowns in zip(self.runs, self._unknowns, strict=True):
            models = [unknowns.build(z) for z in candidates]
            positions, efforts = predict(run, models, [unknowns.delay(z) for z in candidates], self.threads)
            positions = (positions - run.positions)[:, _settled(run.stamps)]
            if efforts is not None and run.efforts is not None and run.effort_stamps is not None:
                efforts = (efforts - run.efforts)[:, _settled(run.effort_stamps)]
            found.append(Apart(positions, efforts))
        return found

    def rows(self, candidates: NDArray[np.float64], weights: Weights) -> NDArray[np.float64]:
        """All runs, in standard deviations, (k, samples, joints)."""
        return np.concatenate([apart.rows(weights) for apart in self.apart(candidates)], axis=1)

    def stretches(self, seconds: float) -> NDArray[np.int64]:
        """Of each sample of the rows, in which stretch of so long it was measured, counted over all runs (samples,)."""
        found, count = [], 0
        for run in self.runs:
            sensors = [run.stamps] if run.effort_stamps is None else [run.stamps, run.effort_stamps]
            compared = np.concatenate([stamps[_settled(stamps)] for stamps in sensors])
            own = (np.maximum(compared - run.stamps[0], 0) // seconds).astype(np.int64)
            found.append(count + own)
            count += int(own.max()) + 1
        return np.concatenate(found)

    def jacobian(self, z: NDArray[np.float64], weights: Weights) -> NDArray[np.float64]:
        """Derivatives of the rows by finite differences, (samples * joints, entries)."""
        here, *there = self.rows(np.concatenate((z[None], z + STEP * np.eye(len(z)))), weights)
        return np.stack([(rows - here).ravel() / STEP for rows in there], axis=1)

    def cautious(self, jacobian: NDArray[np.float64], z: NDArray[np.float64], weights: Weights) -> NDArray[np.float64]:
        """A jacobian whose stall torques tell only as much as they tell to both sides.

        A motor that just reaches its limit tells that the limit is no lower, and nothing of how much higher it is: a
        derivative there would be taken for knowledge. Half a standard deviation to each side shows it.
        """
        limits = [at for at, name in enumerate(self.unknowns.names) if name.endswith(".stall_torque")]
        steps = _LIMIT_STEP * np.eye(len(z))[limits]
        here, *there = self.rows(np.concatenate((z[None], z + steps, z - steps)), weights)
        told = jacobian.copy()
        for at, higher, lower in zip(limits, there[: len(limits)], there[len(limits) :], strict=True):
            sides = ((higher - here).ravel() / _LIMIT_STEP, (here - lower).ravel() / _LIMIT_STEP)
            told[:, at] = min(sides, key=np.linalg.norm)
        return told

    def quick_jacobian(self, z: NDArray[np.float64], weights: Weights) -> NDArray[np.float64]:
        """The same, as if a joint's own numbers moved that joint only: a third of the simulations.

        All joints' frictions (or stiffnesses, ...) are changed at once, and each answers for its own. Coupling through
        the links is left out, which costs a search some steps and the answer nothing.
        """
        kinds = [name.partition(".")[2] for name in self.unknowns.names]
        together = sorted({kind for kind in kinds if kind not in ("", "mass")})
        groups = [[at for at, kind in enumerate(kinds) if kind == wanted] for wanted in together]
        alone = [[at] for at, kind in enumerate(kinds) if kind in ("", "mass")]
        moved = np.zeros((len(groups) + len(alone), len(z)))
        for row, group in enumerate([*groups, *alone]):
            moved[row, group] = STEP
        here, *there = self.rows(np.concatenate((z[None], z + moved)), weights)
        jacobian = np.zeros((*here.shape, len(z)))
        for group, rows in zip([*groups, *alone], there, strict=True):
            change = (rows - here) / STEP
            if len(group) == 1:
                jacobian[:, :, group[0]] = change
            else:
                for joint, at in enumerate(group):
                    jacobian[:, joint, at] = change[:, joint]
        return jacobian.reshape(-1, len(z))


def _settled(stamps: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which samples of a sensor are compared."""
    return stamps >= stamps[0] + SETTLING
