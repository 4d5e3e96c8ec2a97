"""No fault of the table moves a robot beyond a limit, or keeps a transition that never happened."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ros_faults import agent, gate
from tests.ros_faults.scenario import stage
from tests.ros_faults.table import SCENARIOS

SHORT = (
    "no fault",
    "quantities that are not measured",
    "implausible positions",
    "foreign joint states while moving",
    "two gates",
    "controller of another order",
    "stock trajectory controller",
    "encoder that freezes",
    "slow simulated time",
    "refusals and states are said",
    "every command refused",
    "second agent on one gate",
)
"""One of each kind; the others are played by `make test-long` and `benchmarks/ros_faults.py`."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in SHORT else (pytest.mark.long,)) for name in SCENARIOS]
)
def test_fault(name: str, tmp_path: Path):
    with stage(tmp_path) as here:
        outcome = SCENARIOS[name](here)
    assert outcome.beyond == 0
    assert outcome.never == 0


def test_no_scenario_hides_another():
    assert set(SHORT) <= SCENARIOS.keys()
    assert len(SCENARIOS) == sum(len(module.SCENARIOS) for module in (agent, gate))
