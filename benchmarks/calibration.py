"""How exactly cameras, hand-eye poses and joints are calibrated, where the truth is known.

    python benchmarks/calibration.py --rows rendered intervals
    python benchmarks/calibration.py --rows summary

`rendered`: recordings as `robot-agent calibrate synthesize` renders them, of random cameras, mountings and joints, each
measured by the commands' own code; a row each in `results/calibration.csv`. `intervals`: how often 95 % intervals hold
the truth, over cases drawn at the level of corners and joint samples; a row for each quantity in
`results/calibration_intervals.csv`. Both go on where they were interrupted; delete a table to measure it anew. Nothing
here is a time, so a busy machine changes no figure.
"""

from __future__ import annotations

import csv
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import tyro
from robot_agent_calibration.arm import hand_eye
from robot_agent_calibration.arm.chain import Chain, chain_of
from robot_agent_calibration.arm.fit import Free, fit_arm
from robot_agent_calibration.arm.joints import LEAST_BACKLASH, backlashes
from robot_agent_calibration.arm.mounting import Mounting, closed_form
from robot_agent_calibration.arm.observed import observe
from robot_agent_calibration.camera.intrinsics import fit_lens
from robot_agent_calibration.geometry import angle_between, log
from robot_agent_calibration.recording import Board, open_recording
from robot_agent_calibration.synthetic import synthesize
from robot_agent_calibration.synthetic.rig import (
    Rig,
    arm_poses,
    arm_views,
    as_recorded,
    camera_views,
    random_lens,
    random_rig,
)

RECORDINGS = Path(__file__).parent / "results" / "calibration.csv"
INTERVALS = RECORDINGS.with_name("calibration_intervals.csv")
INSIDE = 1.959964
"""Standard errors to each side of a 95 % interval."""
IN_EVERY_CASE = "offset shoulder_lift"
"""A quantity that every case has; its count says where an interrupted measurement goes on."""
CORNER_NOISE = 0.1
"""px, of a corner's coordinate, where nothing is rendered."""
COLUMNS = (
    "camera_at",
    "seed",
    "views",
    "focal_percent",
    "principal_point_px",
    "reprojection_rms_px",
    "hand_eye_mm",
    "hand_eye_degrees",
    "park_mm",
    "park_degrees",
    "joint_offset_degrees",
)


@dataclass(frozen=True)
class Benchmark:
    """What is measured, and how often."""

    rows: tuple[str, ...] = ("summary",)
    """Of rendered, intervals, summary."""

    recordings: int = 20
    """That are rendered, for a camera on the hand and for one before the arm each."""

    views: int = 60
    """Of a rendered recording."""

    cases: int = 640
    """Random cameras, and as many random arms, whose intervals are looked at; most quantities are in half of them."""


def main(argv: Sequence[str] | None = None) -> None:
    """Measures what was asked for."""
    benchmark = tyro.cli(Benchmark, args=argv)
    unknown = set(benchmark.rows) - {"rendered", "intervals", "summary"}
    if unknown:
        sys.exit(f"--rows has {', '.join(unknown)}, expected rendered, intervals or summary")
    if "rendered" in benchmark.rows:
        rows = _read(RECORDINGS)
        done = {(row["camera_at"], int(str(row["seed"]))) for row in rows}
        for seed in range(benchmark.recordings):
            for at in ("hand", "base"):
                if (at, seed) not in done:
                    rows.append(measure(seed, at, benchmark.views))
                    _write(RECORDINGS, COLUMNS, rows)
    if "intervals" in benchmark.rows:
        intervals(benchmark.cases)
    summary()


# ---- rendered ----


def measure(seed: int, camera_at: str, views: int) -> dict[str, object]:
    """One recording: rendered, calibrated, compared with its truth."""
    config = synthesize.Config(camera_at=camera_at, views=views, seed=seed)  # type: ignore[arg-type]
    rig = synthesize.make_rig(np.random.default_rng(seed), config)
    with tempfile.TemporaryDirectory() as scratch:
        synthesize.make(Path(scratch) / "recording", config)
        chain = chain_of("so101")
        own = hand_eye.Config(camera_at=camera_at)  # type: ignore[arg-type]
        observed = observe(open_recording(Path(scratch) / "recording"), chain, own.model, own.min_views)
        result = hand_eye.solve(observed, own, chain, np.zeros(len(chain.names), bool))
    found, truth = result.observed.fit.lens.parameters, rig.lens.parameters
    mounting = as_recorded(rig)
    at, turned = pose_error(result.fit.body.mounting, mounting)
    park_at, park_turned = pose_error(result.closed_forms["PARK"], mounting)
    offsets = np.abs(result.fit.body.offsets - rig.encoders.offsets)[1:-1]
    row = {
        "camera_at": camera_at,
        "seed": seed,
        "views": len(result.fit.views),
        "focal_percent": 100 * float(np.abs(found[:2] / truth[:2] - 1).max()),
        "principal_point_px": float(np.linalg.norm(found[2:4] - truth[2:4])),
        "reprojection_rms_px": result.observed.fit.rms,
        "hand_eye_mm": at,
        "hand_eye_degrees": turned,
        "park_mm": park_at,
        "park_degrees": park_turned,
        "joint_offset_degrees": float(np.degrees(offsets).mean()),
    }
    print({name: round(value, 4) if isinstance(value, float) else value for name, value in row.items()}, flush=True)
    return {name: f"{value:.5f}" if isinstance(value, float) else value for name, value in row.items()}


def pose_error(found: Mounting, truth: Mounting) -> tuple[float, float]:
    """mm and degrees between the camera's poses."""
    away = found.transform_camera_to_mount[:3, 3] - truth.transform_camera_to_mount[:3, 3]
    turned = angle_between(found.transform_camera_to_mount, truth.transform_camera_to_mount)
    return 1e3 * float(np.linalg.norm(away)), float(np.degrees(turned))


def inner_offsets(chain: Chain, ratios: bool = False) -> Free:
    """All that views can tell of the joints."""
    offsets = np.ones(len(chain.names), bool)
    offsets[[0, -1]] = False
    return Free(offsets, np.full(len(chain.names), ratios))


# ---- intervals ----


def intervals(cases: int) -> None:
    """How often intervals hold the truth."""
    chain = chain_of("so101")
    held = {str(row["quantity"]): [int(str(row["cases"])), int(str(row["held"]))] for row in _read(INTERVALS)}
    for seed in range(held.get(IN_EVERY_CASE, [0])[0], cases):
        rng = np.random.default_rng(100_000 + seed)
        _note(held, camera_case(rng, ("plumb_bob", "equidistant")[seed % 2]))
        _note(held, arm_case(rng, chain, in_hand=seed % 4 < 2, ratios=bool(seed % 2)))
        rows = [{"quantity": name, "cases": count, "held": inside} for name, (count, inside) in held.items()]
        _write(INTERVALS, ("quantity", "cases", "held"), rows)
        if seed % 20 == 19:
            print(f"{seed + 1} of {cases} cases", flush=True)


def _note(held: dict[str, list[int]], case: dict[str, bool]) -> None:
    for name, inside in case.items():
        counts = held.setdefault(name, [0, 0])
        counts[0] += 1
        counts[1] += inside


def camera_case(rng: np.random.Generator, model: str) -> dict[str, bool]:
    """Which intervals of a random camera hold the truth."""
    lens, board = random_lens(rng, model), Board()
    views, _ = camera_views(rng, lens, board, 25, CORNER_NOISE)
    fit = fit_lens(views, board, lens.size, model)
    away = (fit.lens.parameters - lens.parameters) / np.sqrt(np.diag(fit.covariance))
    return {f"camera {model} {name}": bool(abs(z) < INSIDE) for name, z in zip(lens.names, away, strict=True)}


def arm_case(rng: np.random.Generator, chain: Chain, in_hand: bool, ratios: bool) -> dict[str, bool]:
    """Which intervals of a random arm hold the truth: the camera's place and turn, offsets, ratios, backlash."""
    rig = random_rig(rng, chain, in_hand)
    backlash = np.radians(np.where(rng.random(len(chain.names)) < 0.3, 0.0, rng.uniform(0.2, 1.5, len(chain.names))))
    rig = replace(rig, encoders=replace(rig.encoders, backlash=backlash))
    if not ratios:
        rig = replace(rig, encoders=replace(rig.encoders, ratios=np.ones(len(chain.names))))
    return arm_intervals(rng, rig, inner_offsets(chain, ratios), views=40)


def arm_intervals(rng: np.random.Generator, rig: Rig, free: Free, views: int) -> dict[str, bool]:
    seen, recorded = arm_views(rng, rig, arm_poses(rng, rig, views), CORNER_NOISE)
    camera = fit_lens(seen, rig.board, rig.lens.size, rig.lens.model)
    hands = rig.chain.transform_hand_to_base(recorded)
    start = closed_form(hands, camera.transforms_board_to_camera, rig.in_hand, "PARK")
    fit = fit_arm(camera, recorded, rig.chain, rig.board, start, free)
    truth, found = as_recorded(rig).transform_camera_to_mount, fit.body.mounting.transform_camera_to_mount
    turn = log(np.linalg.inv(truth) @ found)[:3] / fit.errors[:3]
    place = (found - truth)[:3, 3] / hand_eye.place_errors(found, fit.covariance[:6, :6])
    offsets = ((fit.body.offsets - rig.encoders.offsets) / fit.offset_errors)[free.offsets]
    scales = ((fit.body.ratios - rig.encoders.ratios) / fit.ratio_errors)[free.ratios]
    at = "hand" if rig.in_hand else "base"
    named = {
        **{f"camera at {at}, place {axis}": z for axis, z in zip("xyz", place, strict=True)},
        **{f"camera at {at}, turn {axis}": z for axis, z in zip("xyz", turn, strict=True)},
        **{
            f"offset {rig.chain.names[index]}": z
            for index, z in zip(np.flatnonzero(free.offsets), offsets, strict=True)
        },
        **{f"ratio {rig.chain.names[index]}": z for index, z in zip(np.flatnonzero(free.ratios), scales, strict=True)},
    }
    held = {name: bool(abs(z) < INSIDE) for name, z in named.items()}
    truths = np.broadcast_to(rig.encoders.backlash, len(rig.chain.names))
    for name, estimate, own in zip(rig.chain.names, backlashes(fit), truths, strict=True):
        low, high = estimate.interval_95
        held[f"backlash {name}"] = bool(own <= high and (low <= own or low <= LEAST_BACKLASH))  # such is given as none
    return held


# ---- tables ----


def summary() -> None:
    """Prints medians of the tables that there are."""
    rows = _read(RECORDINGS)
    for at in ("hand", "base"):
        own = [row for row in rows if row["camera_at"] == at]
        if own:
            print(f"camera at {at}, {len(own)} recordings, medians:")
        for name in COLUMNS[2:] if own else ():
            print(f"  {name:<22} {np.median([float(str(row[name])) for row in own]):.4f}")
    table = _read(INTERVALS)
    if not table:
        return
    cases, held = (np.array([int(str(row[name])) for row in table]) for name in ("cases", "held"))
    print(f"95 % intervals of {len(table)} quantities, {cases.min()} to {cases.max()} cases each, hold the truth in")
    share = 100 * held / cases
    print(f"  {share.min():.1f} to {share.max():.1f} %, {100 * held.sum() / cases.sum():.1f} % of all")


def _read(path: Path) -> list[dict[str, object]]:
    if not path.exists():
        return []
    with path.open() as file:
        return list(csv.DictReader(file))


def _write(path: Path, columns: Sequence[str], rows: Sequence[dict[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
