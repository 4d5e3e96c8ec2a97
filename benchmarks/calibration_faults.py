"""What calibrations make of recordings with a usual fault, where the truth is known.

    python benchmarks/calibration_faults.py
    python benchmarks/calibration_faults.py --summary

Each case is a fault of `CASES`, put into recordings of random arms, cameras and pictures; arms at the level of corners
and joint states, pictures as `robot-agent calibrate synthesize` renders them. The commands' own code measures each; it
refuses the recording, or gives numbers with intervals, perhaps with a warning. A row of
`results/calibration_faults.csv` says how many numbers it gave, how many of their 95 % intervals held the truth, and how
many missed it: the truth is more than 4 standard errors away, which is so by chance for one number of 16,000. Goes on
where it was interrupted. Row G6 of `results/ground_summary.csv` is how many calibrations were not refused and missed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import tyro
import yaml
from robot_agent_calibration.arm import hand_eye, joints
from robot_agent_calibration.arm.chain import Chain, chain_of
from robot_agent_calibration.arm.joint_angles import joint_angles
from robot_agent_calibration.arm.observed import observed_views
from robot_agent_calibration.arm.result import INSIDE, ArmResult
from robot_agent_calibration.camera import calibrate as camera
from robot_agent_calibration.camera.lens import Lens
from robot_agent_calibration.camera.robust import fit_robustly
from robot_agent_calibration.delay.calibrate import response_lag
from robot_agent_calibration.errors import CalibrationError
from robot_agent_calibration.geometry import Array, log
from robot_agent_calibration.recording import Board, Samples, open_recording
from robot_agent_calibration.recording.images import opencv
from robot_agent_calibration.synthetic import synthesize
from robot_agent_calibration.synthetic.rig import (
    Rig,
    arm_poses,
    arm_views,
    as_recorded,
    random_rig,
    standing,
    wide_views,
)
from scipy.stats import chi2
from summary import print_summary, write_rows
from table import read_rows, write_row

TABLE = Path(__file__).parent / "results" / "calibration_faults.csv"
GROUND = TABLE.with_name("ground_summary.csv")
MISSED = 4.0
"""Standard errors beyond which an interval misses the truth."""
VIEWS, NOISE = 40, 0.1
COLUMNS = ("case", "seed", "outcome", "numbers", "held", "missed", "worst", "said")

Numbers = Mapping[str, float]
"""Of each number that was given, how many standard errors it is from the truth."""
Result = tuple[Numbers, Sequence[str]]
"""Numbers, and warnings."""


@dataclass(frozen=True)
class Benchmark:
    """How much is measured."""

    seeds: int = 6
    """Recordings of each case."""

    table: Path = TABLE
    """Where rows go."""

    ground: Path = GROUND
    """The summary with row G6."""

    summary: bool = False
    """Write and print the summary of what was measured before."""


# ---- arms ----


@dataclass(frozen=True)
class ArmFault:
    """A recording of an arm with a fault.

    Args:
        spoil: recorded angles (n, j) rad as they were recorded, of (angles, joint).
        ratios: gear ratios are asked for: `calibrate joints`, else `calibrate hand-eye`.
        size: stated over true size of the board.
        turned: share of the pictures that is upside down.
        still: a joint stands still.
        camera_at_other: `--camera-at` is wrong.
        odd: the joint has no one offset and ratio, which are not compared.
    """

    spoil: Callable[[Array, int], Array] = lambda recorded, joint: recorded
    ratios: bool = True
    size: float = 1.0
    turned: float = 0.0
    still: bool = False
    camera_at_other: bool = False
    odd: bool = False


def of_one(change: Callable[[Array], Array]) -> Callable[[Array, int], Array]:
    """A fault of one joint's recorded angles (n,)."""

    def spoil(recorded: Array, joint: int) -> Array:
        spoilt = recorded.copy()
        spoilt[:, joint] = change(recorded[:, joint])
        return spoilt

    return spoil


def slips(degrees: float) -> Callable[[Array, int], Array]:
    """A zero that is another one in the second half of the views."""
    return of_one(lambda own: own + np.radians(degrees) * (np.arange(len(own)) >= len(own) / 2))


def bends(degrees: float) -> Callable[[Array, int], Array]:
    """An angle that is off a straight line by so much at the ends of its range."""
    return of_one(lambda own: own + np.radians(degrees) * (2 * (own - own.min()) / np.ptp(own) - 1) ** 2)


wraps = of_one(lambda own: own + 2 * np.pi * (own > np.quantile(own, 0.4)))
reverses = of_one(lambda own: -own)
ARM_FAULTS = {
    "none": ArmFault(),
    "none, hand-eye": ArmFault(ratios=False),
    "an encoder wraps": ArmFault(wraps),
    "an encoder wraps, hand-eye": ArmFault(wraps, ratios=False),
    "a joint is reversed": ArmFault(reverses),
    "a joint is reversed, hand-eye": ArmFault(reverses, ratios=False),
    "a joint never moved": ArmFault(still=True),
    "squares are 2 % smaller than stated": ArmFault(size=1.02),
    "squares are 2 % smaller than stated, hand-eye": ArmFault(size=1.02, ratios=False),
    "squares are 2 % larger than stated": ArmFault(size=0.98),
    "squares are 2 % larger than stated, hand-eye": ArmFault(size=0.98, ratios=False),
    "a board of half the stated size": ArmFault(size=2.0),
    "a zero slips by 2°": ArmFault(slips(2), odd=True),
    "a zero slips by 0.5°": ArmFault(slips(0.5), odd=True),
    "an angle is bent by 3°": ArmFault(bends(3), odd=True),
    "an angle is bent by 1°": ArmFault(bends(1), odd=True),
    "a gear ratio is 3 % off, hand-eye": ArmFault(of_one(lambda own: 1.03 * own), ratios=False, odd=True),
    "a gear ratio is 1 % off, hand-eye": ArmFault(of_one(lambda own: 1.01 * own), ratios=False, odd=True),
    "degrees": ArmFault(lambda recorded, _: np.degrees(recorded)),
    "encoder steps": ArmFault(lambda recorded, _: 2048 + recorded / (2 * np.pi) * 4096),
    "half of all angles": ArmFault(lambda recorded, _: recorded / 2),
    "half of one angle": ArmFault(of_one(lambda own: own / 2)),
    "a picture is turned": ArmFault(turned=1 / VIEWS),
    "a third of the pictures is turned": ArmFault(turned=1 / 3),
    "the other --camera-at": ArmFault(camera_at_other=True),
}


def arm(chain: Chain, fault: ArmFault, seed: int) -> Result:
    """The calibration of an arm; seeds take turns with the camera's place and the joint that the fault is of."""
    rng = np.random.default_rng(seed)
    in_hand, joint = bool(seed % 2), 1 + seed % 3
    rig = random_rig(rng, chain, in_hand)
    if not fault.ratios:
        rig = replace(rig, encoders=replace(rig.encoders, ratios=np.ones(len(chain.names))))
    if fault.still:
        joint = seed % len(chain.names)
        ranges = chain.ranges.copy()
        ranges[joint] = arm_poses(rng, rig, 1, share=1.0)[0, joint] / 0.95  # poses keep to 0.95 of the ranges
        angles = arm_poses(rng, replace(rig, chain=replace(chain, ranges=ranges)), VIEWS, share=0.4)
    else:
        angles = arm_poses(rng, rig, VIEWS)
    views, recorded = arm_views(rng, rig, angles, NOISE)
    turned = round(fault.turned * VIEWS)
    views[:turned] = [replace(view, pixels=np.array(rig.lens.size) - 1.0 - view.pixels) for view in views[:turned]]
    board = replace(rig.board, square=fault.size * rig.board.square, marker=fault.size * rig.board.marker)
    samples = joint_angles(standing(views, chain, fault.spoil(recorded, joint)), chain)
    observed = observed_views(views, rig.lens.size, samples, board, "plumb_bob", 12)
    config = hand_eye.ArmConfig(camera_at="hand" if in_hand != fault.camera_at_other else "base")
    told = joints.told_ratios(observed, chain) & fault.ratios
    result = hand_eye.solve(observed, config, chain, told)
    numbers = arm_numbers(result, rig)
    if fault.still:  # the camera's pose has its unknown zero in it
        numbers = {name: z for name, z in numbers.items() if not name.startswith("camera")}
    if fault.odd:
        numbers = {name: z for name, z in numbers.items() if not name.endswith(chain.names[joint])}
    return numbers, result.warnings


def arm_numbers(result: ArmResult, rig: Rig) -> dict[str, float]:
    """How far the camera's pose, offsets, ratios and the board's size are from the truth."""
    fit, truth = result.fit, as_recorded(rig).transform_camera_to_mount
    found = fit.body.mounting.transform_camera_to_mount
    place = (found - truth)[:3, 3] / hand_eye.place_errors(found, fit.covariance)
    turn = log(np.linalg.inv(truth) @ found)[:3] / fit.errors[:3]
    numbers = {f"camera place {axis}": float(z) for axis, z in zip("xyz", place, strict=True)}
    numbers |= {f"camera turn {axis}": float(z) for axis, z in zip("xyz", turn, strict=True)}
    for index, (name, own) in enumerate(joints.joint_estimates(result).items()):
        for what, true in (("offset", rig.encoders.offsets), ("ratio", rig.encoders.ratios)):
            if what in own:
                numbers[f"{what} {name}"] = (own[what].value - float(true[index])) / own[what].standard_error
    size, error = fit.log_scale
    numbers["board"] = (size - np.log(rig.board.square / result.observed.board.square)) / error
    return numbers


# ---- cameras ----


def fisheye(seed: int) -> Result:
    """A fisheye that sees corners behind itself."""
    rng, board = np.random.default_rng(seed), Board()
    focal = 640 / np.radians(rng.uniform(185, 220))
    lens = Lens("equidistant", np.array([focal, focal, 322, 238, 0.02, -0.005, 0.001, -0.0005]), (640, 480))
    robust = fit_robustly(wide_views(rng, lens, board, 30, NOISE), board, lens.size, "equidistant", 8)
    errors = np.sqrt(np.diag(robust.fit.covariance))
    numbers = dict(zip(lens.names, (robust.fit.lens.parameters - lens.parameters) / errors, strict=True))
    return numbers, []


def exif(picture: Array) -> bytes:
    """A JPEG that asks viewers to turn it by 90°."""
    jpeg = opencv().imencode(".jpg", picture, [opencv().IMWRITE_JPEG_QUALITY, 98])[1].tobytes()
    entry = b"\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00"
    segment = b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01" + entry + bytes(4)
    return bytes(jpeg[:2] + b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment + jpeg[2:])


def png(change: Callable[[Array], Array], picture: Array) -> bytes:
    """A changed picture as a PNG."""
    return bytes(opencv().imencode(".png", np.ascontiguousarray(change(picture)))[1])


PICTURES: dict[str, tuple[Callable[[Array], bytes], float]] = {
    "pictures as they are": (partial(png, lambda picture: picture), 1),
    "JPEGs with an EXIF orientation": (exif, 1),
    "PNGs of 12 bits": (partial(png, lambda picture: picture.astype(np.uint16) << 4), 1),
    "pictures scaled up by 2": (
        partial(png, lambda picture: opencv().resize(picture, None, fx=2, fy=2, interpolation=opencv().INTER_CUBIC)),
        2,
    ),
    "pictures in a mirror": (partial(png, lambda picture: picture[:, ::-1]), 1),
}
"""What is done to each picture, and by how much it grows."""


def pictures(case: str, seed: int) -> Result:
    """A rendered recording with its pictures encoded otherwise, and the camera that is found in it."""
    encode, scale = PICTURES[case]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "recording"
        synthesize.make(folder, synthesize.Config(views=24, seed=seed))
        for file in (folder / "images").iterdir():
            file.write_bytes(encode(opencv().imread(str(file), opencv().IMREAD_GRAYSCALE)))
        truth = yaml.safe_load((folder / "truth.yaml").read_text())["camera"]
        found = camera.calibrate(open_recording(folder), camera.Config()).sections["camera"]["estimates"]
    numbers = {}
    for name in ("fx", "fy", "cx", "cy"):
        true = scale * truth[name] + (scale - 1) / 2 * (name in ("cx", "cy"))
        numbers[name] = (found[name]["value"] - true) / found[name]["standard_error"]
    return numbers, []


# ---- delays ----


def slow_answers(seed: int) -> Result:
    """Joints that follow slow commands 60 ms late, in encoder steps, for 15 s."""
    rng = np.random.default_rng(seed)
    names = tuple(chain_of("so101").names)
    phases = rng.uniform(0, 2 * np.pi, (len(names), 2))
    rates = 2 * np.pi * rng.uniform(0.1, 0.3) * np.outer(1 + 0.3 * np.arange(len(names)), [1.0, 2.3])

    def positions(stamps: Array) -> Array:
        return np.asarray((np.sin(stamps[:, None, None] * rates + phases) * (0.3, 0.15)).sum(axis=-1))

    asked, stamps = np.arange(0, 15, 0.02), np.arange(0, 15, 1 / rng.choice([50, 100, 200])) + rng.uniform(0, 0.005)
    step = 2 * np.pi / 4096
    answers = np.round((positions(stamps - 0.06) + 1e-3 * rng.standard_normal((len(stamps), len(names)))) / step) * step
    lag = response_lag(Samples(names, asked, positions(asked)), Samples(names, stamps, answers))
    return {"command delay": (lag.value - 0.06) / lag.standard_error}, []


# ---- rows ----


def cases() -> dict[str, Callable[[int], Result]]:
    """By name, what measures one of a seed."""
    chain = chain_of("so101")
    return {
        **{f"arm: {name}": partial(arm, chain, fault) for name, fault in ARM_FAULTS.items()},
        "camera: a fisheye sees corners behind it": fisheye,
        **{f"camera: {name}": partial(pictures, name) for name in PICTURES},
        "delay: slow motion in encoder steps": slow_answers,
    }


def measure(name: str, measured: Callable[[int], Result], seed: int) -> dict[str, object]:
    """One row."""
    row: dict[str, object] = dict.fromkeys(COLUMNS, "") | {"case": name, "seed": seed}
    try:
        numbers, warnings = measured(seed)
    except CalibrationError as error:
        return row | {"outcome": "refused", "numbers": 0, "held": 0, "missed": 0, "said": str(error)}
    away = np.abs(list(numbers.values()))
    return row | {
        "outcome": "warned" if warnings else "given",
        "numbers": len(away),
        "held": int((away < INSIDE).sum()),
        "missed": int((away > MISSED).sum()),
        "worst": f"{away.max(initial=0):.2f} ({max(numbers, key=lambda name: abs(numbers[name]), default='none')})",
        "said": "; ".join(warnings),
    }


def summarise(table: Path, ground: Path) -> None:
    """Prints each case, writes row G6, and prints the summary."""
    rows = read_rows(table) if table.exists() else []
    for case in dict.fromkeys(row["case"] for row in rows):
        own = [row for row in rows if row["case"] == case]
        counts = {what: sum(row["outcome"] == what for row in own) for what in ("given", "warned", "refused")}
        numbers, held = (sum(int(row[name]) for row in own) for name in ("numbers", "held"))
        share = f"95 % intervals hold {held} of {numbers}" if numbers else ""
        missed = sum(int(row["missed"]) > 0 for row in own)
        print(f"{case:<58} {', '.join(f'{n} {what}' for what, n in counts.items() if n)}; {share}; {missed} missed")
    missed = sum(int(row["missed"]) > 0 for row in rows)
    line = {
        "row": "G6",
        "value": missed if rows else "",
        "low": round(chi2.ppf(0.025, 2 * missed) / 2, 2) if missed else 0,
        "high": round(chi2.ppf(0.975, 2 * missed + 2) / 2, 2),
        "n": len(rows),
        "better": "lower",
        "floor": 0,
    }
    write_rows(ground, [line])
    print_summary(ground)


def main() -> None:
    """Measures what is missing."""
    config = tyro.cli(Benchmark)
    if not config.summary:
        done = {(row["case"], row["seed"]) for row in (read_rows(config.table) if config.table.exists() else [])}
        for name, measured in cases().items():
            for seed in range(config.seeds):
                if (name, str(seed)) not in done:
                    row = measure(name, measured, seed)
                    write_row(config.table, row, key=("case", "seed"))
                    print({what: row[what] for what in COLUMNS[:-1]}, str(row["said"])[:100], flush=True)
    summarise(config.table, config.ground)


if __name__ == "__main__":
    main()
