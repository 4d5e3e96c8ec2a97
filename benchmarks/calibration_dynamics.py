"""How exactly an arm's dynamics and delays are found, and how far a calibrated model predicts another engine's arm.

    python benchmarks/calibration_dynamics.py --case all
    python benchmarks/calibration_dynamics.py --case intervals --count 300

`bodies` and `bodies-effort`: random SO-101s (servos off by up to a factor of two, links by 10 %, commands 0 to 60 ms
late), 20 s of encoder readings each, simulated four times finer than they are fitted; median errors. `intervals`: how
often 95 % intervals hold the truth, over bodies with 6 s each; the search begins at the truth, which saves its first
half. `held-out`: arms in Drake, other than the URDF says, with servos that stick; the model is fitted to 20 s of
encoder data and predicts another 20 s. `delays`: of cameras, from rendered images of 30 Hz and joint states. No figure
is a time.
Rows go to `results/calibration_dynamics.csv`; a case that is measured again replaces its old rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import tyro
from numpy.typing import NDArray
from robot_agent_calibration.delay.calibrate import image_delay, image_motion
from robot_agent_calibration.dynamics.calibrate import log_errors
from robot_agent_calibration.dynamics.excitation import fourier
from robot_agent_calibration.dynamics.fit import Fit, fit
from robot_agent_calibration.dynamics.motion import Run, arm_model, predict
from robot_agent_calibration.dynamics.simulated import Sensing, drawn_body, filmed, simulated
from robot_agent_calibration.dynamics.unknowns import DELAY, DELAY_PRIOR, Unknowns
from robot_agent_calibration.recording.recording import Frame, Samples
from robot_agent_sim.so101.arm import JOINTS
from table import write_row

CASES = ("bodies", "bodies-effort", "intervals", "intervals-effort", "intervals-whole", "held-out", "delays")


@dataclass(frozen=True)
class Benchmark:
    """What is measured."""

    case: str = "all"
    """One of bodies, bodies-effort, intervals, intervals-effort, intervals-whole, held-out, delays, or all."""

    count: int | None = None
    """How many bodies; the case's own number if not given."""

    seed: int = 0
    """Of the first."""

    out: Path = Path(__file__).parent / "results" / "calibration_dynamics.csv"
    """The table."""


@dataclass(frozen=True)
class Row:
    """One figure."""

    case: str
    quantity: str
    value: float
    unit: str
    count: int


def found_quantities(found: Fit, z: NDArray[np.float64]) -> Iterator[tuple[str, float, float]]:
    """Name, error and standard error of each quantity: logarithms, and s for the delay."""
    unknowns = found.unknowns
    errors = unknowns.matrix @ (found.z - z)
    for path, error, standard in zip(unknowns.paths, errors, log_errors(found), strict=True):
        kind, _, rest = path.partition(".")
        what = rest.rpartition(".")[2]
        yield {"joints": what, "ratios": f"{what} / stiffness", "masses": "mass"}[kind], error, standard
    apart = unknowns.delay(found.z) - unknowns.delay(z)
    yield "command delay", apart, float(np.sqrt(found.covariance[-1, -1]) * DELAY_PRIOR)


def bodies(count: int, seed: int, scale: str, case: str) -> list[Row]:
    """Median errors over random bodies."""
    truth = Unknowns(arm_model(0.0005), scale)
    sensing = Sensing(effort_noise=0.02 if scale == "effort" else None)
    errors: dict[str, list[float]] = {}
    for index in range(seed, seed + count):
        rng = np.random.default_rng(index)
        z = drawn_body(truth, rng)
        found = fit([simulated(truth, z, *fourier(20.0, 50.0, rng), rng, sensing)], scale)
        for what, error, _ in found_quantities(found, z):
            errors.setdefault(what, []).append(abs(error))
        note(case, index, {what: float(np.median(all_)) for what, all_ in errors.items()})
    shown = [what for what in errors if (scale == "effort") != ("/" in what)]
    return [
        Row(case, f"{what}, median error", round(1e3 * float(np.median(errors[what])), 3), "ms", count)
        if what == "command delay"
        else Row(case, f"{what}, median error", round(100 * float(np.median(errors[what])), 2), "%", count)
        for what in shown
    ]


def intervals(count: int, seed: int, case: str, whole: bool = False) -> list[Row]:
    """How many 95 % intervals hold the truth.

    Args:
        count, seed: of bodies, and of the first.
        case: of the table.
        whole: as recordings are fitted: simulated more finely than by the fit, which begins where it always does.
            Otherwise as coarsely as by the fit, which begins at the truth; that takes a tenth of the time.
    """
    scale = "effort" if case == "intervals-effort" else "assumed"
    # Where commands fall between two steps of 4 ms moves forces by more than their intervals, positions by less.
    step = 0.001 if scale == "effort" else 0.004
    truth = Unknowns(arm_model(0.0005 if whole else step), scale)
    sensing = Sensing(effort_noise=0.02 if scale == "effort" else None)
    inside: dict[str, list[bool]] = {}
    for index in range(seed, seed + count):
        rng = np.random.default_rng(100_000 + index)
        z = drawn_body(truth, rng)
        run = simulated(truth, z, *fourier(6.0, 50.0, rng), rng, sensing)
        found = fit([run], scale) if whole else fit([run], scale, timestep=step, start=z)
        for what, error, standard in found_quantities(found, z):
            inside.setdefault(what, []).append(bool(abs(error) < 1.96 * standard))
        if index % 10 == 9:
            note(case, index, {what: float(np.mean(held)) for what, held in inside.items()})
    total = [held for all_ in inside.values() for held in all_]
    rows = [
        Row(case, what, round(100 * float(np.mean(held)), 1), "% hold the truth", count)
        for what, held in inside.items()
    ]
    return [*rows, Row(case, "all", round(100 * float(np.mean(total)), 1), "% hold the truth", count)]


def held_out(count: int, seed: int) -> list[Row]:
    """RMS error of predicted motion, before and after calibration."""
    from robot_agent_sim.realities.drake_so101 import DrakeArm

    model = Unknowns(arm_model())
    left: dict[str, list[float]] = {"model as made": [], "calibrated": [], "calibrated, on its own data": []}
    for index in range(seed, seed + count):
        rng = np.random.default_rng(200_000 + index)
        arm = DrakeArm(other_body(rng))
        seen, unseen = (driven(arm, *fourier(20.0, 50.0, rng), rng) for _ in range(2))
        found = fit([seen])
        as_made = np.zeros(model.size)
        as_made[-1] = -DELAY / DELAY_PRIOR
        for name, z, run in (
            ("model as made", as_made, unseen),
            ("calibrated", found.z, unseen),
            ("calibrated, on its own data", found.z, seen),
        ):
            left[name].append(apart(model, z, run))
        note("held-out", index, {name: all_[-1] for name, all_ in left.items()})
    return [Row("held-out", name, round(float(np.mean(all_)), 3), "degrees RMS", count) for name, all_ in left.items()]


def other_body(rng: np.random.Generator):  # type: ignore[no-untyped-def]  # Drake's, imported when it is needed
    """An arm in Drake that is not as the URDF says."""
    from robot_agent_sim.realities.drake_so101 import DrakeBody, DrakeServo

    servos = tuple(
        DrakeServo(
            stiffness=DrakeServo.stiffness * rng.uniform(0.8, 1.25),
            no_load_speed=DrakeServo.no_load_speed * rng.uniform(0.8, 1.25),
            friction=DrakeServo.friction * rng.uniform(0.5, 2.0),
            stiction=rng.uniform(1.1, 1.6),
            rotor_inertia=DrakeServo.rotor_inertia * rng.uniform(0.7, 1.4),
            dead_zone=np.deg2rad(rng.uniform(0.0, 0.2)),
        )
        for _ in range(6)
    )
    links = ("shoulder", "upper_arm", "lower_arm", "wrist", "gripper", "moving_jaw_so101_v1")
    return DrakeBody(servos, {f"{link}_link": rng.uniform(0.9, 1.1) for link in links}, delay=rng.uniform(0.0, 0.06))


def driven(arm, stamps: NDArray[np.float64], commands: NDArray[np.float64], rng: np.random.Generator) -> Run:  # type: ignore[no-untyped-def]
    """What encoders of 50 Hz read of an arm in Drake that was at rest."""
    arm.put(commands[0])
    arm.move(commands[0], 1.0)
    step, sensing = float(np.median(np.diff(stamps))), Sensing()
    read, positions = [], []
    for stamp, command in zip(stamps, commands, strict=True):
        arm.move(command, step / 2)
        read.append(stamp + step / 2 + sensing.jitter * rng.standard_normal())
        positions.append(np.rint(arm.positions() / sensing.encoder_step) * sensing.encoder_step)
        arm.move(None, step / 2)
    return Run(np.array(read), np.array(positions), stamps, commands)


def apart(model: Unknowns, z: NDArray[np.float64], run: Run) -> float:
    """Degrees RMS over all joints, from half a second on."""
    predicted, _ = predict(run, [model.build(z)], [model.delay(z)])
    later = run.stamps > run.stamps[0] + 0.5
    return float(np.rad2deg(np.sqrt(np.mean((predicted[0] - run.positions)[later] ** 2))))


def delays(count: int, seed: int) -> list[Row]:
    """Errors of the delays that `calibrate delay` finds."""
    truth = Unknowns(arm_model())
    camera: list[float] = []
    held: list[bool] = []
    for index in range(seed, seed + count):
        rng = np.random.default_rng(300_000 + index)
        z = drawn_body(truth, rng)
        run = simulated(truth, z, *fourier(20.0, 50.0, rng), rng)
        late = rng.uniform(0.0, 0.06)
        frames = [
            Frame(stamp, str(number), lambda image=image: image)
            for number, (stamp, image) in enumerate(filmed(truth, z, run, late, rng))
        ]
        found = image_delay(*image_motion(frames), Samples(JOINTS, run.stamps, run.positions))
        camera.append(abs(found.value - late))
        held.append(camera[-1] < 1.96 * found.standard_error)
        note("delays", index, {"error": found.value - late, "standard_error": found.standard_error})
    return [
        Row("delays", "camera delay, median error", round(1e3 * float(np.median(camera)), 3), "ms", count),
        Row("delays", "camera delay, largest error", round(1e3 * float(np.max(camera)), 3), "ms", count),
        Row("delays", "camera delay, intervals", round(100 * float(np.mean(held)), 1), "% hold the truth", count),
    ]


def note(case: str, index: int, values: dict[str, float]) -> None:
    """A line as it goes."""
    print(
        json.dumps({"case": case, "body": index, **{name: round(value, 4) for name, value in values.items()}}),
        flush=True,
    )


def main(config: Benchmark) -> None:
    """Measures and writes."""
    cases = {
        "bodies": lambda: bodies(config.count or 20, config.seed, "assumed", "bodies"),
        "bodies-effort": lambda: bodies(config.count or 20, config.seed, "effort", "bodies-effort"),
        "intervals": lambda: intervals(config.count or 300, config.seed, "intervals"),
        "intervals-effort": lambda: intervals(config.count or 40, config.seed, "intervals-effort"),
        "intervals-whole": lambda: intervals(config.count or 20, config.seed, "intervals-whole", whole=True),
        "held-out": lambda: held_out(config.count or 5, config.seed),
        "delays": lambda: delays(config.count or 20, config.seed),
    }
    for case in CASES if config.case == "all" else (config.case,):
        for line in cases[case]():
            write_row(config.out, asdict(line), key=("case", "quantity"))


if __name__ == "__main__":
    main(tyro.cli(Benchmark, description=__doc__))
