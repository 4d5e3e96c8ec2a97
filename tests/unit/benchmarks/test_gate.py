"""The commands that are made to break the gate, and the judge that looks for what they broke."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from robot_agent_bodies.gate.brake import State
from robot_agent_bodies.gate.gate import Gate

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def benchmark() -> Iterator[ModuleType]:
    specification = importlib.util.spec_from_file_location("benchmark_gate", ROOT / "benchmarks" / "gate.py")
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "benchmarks")
        specification.loader.exec_module(module)
        yield module


@pytest.mark.parametrize("case", ["position", "velocity", "twist"])
@pytest.mark.parametrize("seed", [1, 2])
def test_no_command_breaks_a_limit_and_the_limits_are_used(benchmark: ModuleType, case: str, seed: int):
    row = benchmark.attack(case, 2000, seed)
    assert row.violations == 0
    assert row.commands == 2000
    assert row.refused > 100
    assert min(row.velocity, row.acceleration, row.jerk) > 0.95  # what never moves breaks nothing either


@pytest.mark.parametrize("case", ["trajectory", "keep_out"])
def test_no_command_breaks_a_limit_in_what_a_controller_wants_of_the_robot(benchmark: ModuleType, case: str):
    row = benchmark.attack(case, 1500, 1)
    assert row.violations == 0
    assert row.commands == 1500
    assert min(row.velocity, row.acceleration) > 0.7
    if case == "keep_out":
        assert benchmark.MARGIN < row.clearance < benchmark.MARGIN + 0.01


@pytest.mark.parametrize("broken", ["position", "velocity", "acceleration", "keep_out"])
def test_the_judge_of_the_robot_finds_each_kind_of_violation(benchmark: ModuleType, broken: str):
    judge = benchmark.RobotJudge(Gate(benchmark.CASES["keep_out"]), has_zones=True)
    fine = [State(0.1, 0.0, 0.0), State(0.0, 0.0, 0.0), State(0.1, 0.0, 0.0)]
    judge.judge(fine)
    judge.finish()
    assert judge.violations == 0
    wrong = {
        "position": State(1.21, 0.0, 0.0),
        "velocity": State(0.1, 2.1, 0.0),
        "acceleration": State(0.1, 0.0, -10.1),
        "keep_out": State(0.7, 0.0, 0.0),
    }[broken]
    judge.judge([wrong, *fine[1:]])
    judge.finish()
    assert judge.violations > 0


def test_the_points_of_the_arm_are_those_of_its_urdf(benchmark: ModuleType):
    watched = Gate(benchmark.CASES["keep_out"]).keep_out
    positions = np.random.default_rng(0).uniform(-1, 1, (20, 3))
    for one, points in zip(positions, benchmark.arm_points(positions), strict=True):
        for end in (points[19], points[39]):  # elbow and tip
            assert np.linalg.norm(watched.points(one) - end, axis=1).min() < 1e-9


def test_the_summary_counts_the_violations_of_all_cases(benchmark: ModuleType, tmp_path: Path):
    table, ground = tmp_path / "gate.csv", tmp_path / "ground_summary.csv"
    table.write_text("case,commands,violations\nposition,600,0\ntrajectory,400,0\n")
    benchmark.summarize(table, ground)
    assert ground.read_text().splitlines()[1] == "G1,0,0,3.69,1000,lower,0,"


@pytest.mark.parametrize("broken", ["position", "velocity", "acceleration", "jerk"])
def test_the_judge_finds_each_kind_of_violation(benchmark: ModuleType, broken: str):
    judge = benchmark.Judge(Gate(benchmark.CASES["position"]), order=0)
    times = np.arange(200) * 0.005
    middle = np.array([-0.15, 0.9, 0.0])
    motion = {
        "position": np.where(times > 0.5, 5.0, 0.0)[:, None] * np.ones(3),
        "velocity": 1.1 * times[:, None] * (0.5, 2.0, 8.0) * (times < 0.3)[:, None],
        "acceleration": times[:, None] ** 2 / 2 * (2.2, 11.0, 110.0) * (times < 0.05)[:, None],
        "jerk": times[:, None] ** 3 / 6 * (11.0, 110.0, 3300.0) * (times < 0.03)[:, None],
    }[broken]
    judge.judge(times, middle + motion, middle + motion)
    assert judge.violations > 0
    assert judge.used[broken] > 1
    calm = benchmark.Judge(Gate(benchmark.CASES["position"]), order=0)
    wave = 0.02 * np.sin(2 * times)[:, None] * np.ones(3)
    calm.judge(times, middle + wave, middle + wave)
    assert calm.violations == 0
