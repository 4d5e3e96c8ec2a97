"""No fault of the table moves a robot beyond a limit, or keeps a transition that never happened."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ros_faults import agent, gate
from tests.ros_faults.scenario import stage
from tests.ros_faults.table import SCENARIOS

SLOW = ("two gates of one name", "controller of other joints", "somebody else sends to the controller")
"""Played by `benchmarks/ros_faults.py` alone; each of them has a faster relative in the table."""


@pytest.mark.parametrize("name", [name for name in SCENARIOS if name not in SLOW])
def test_fault(name: str, tmp_path: Path):
    with stage(tmp_path) as here:
        outcome = SCENARIOS[name](here)
    assert outcome.beyond == 0
    assert outcome.never == 0


def test_no_scenario_hides_another():
    assert len(SCENARIOS) == sum(len(module.SCENARIOS) for module in (agent, gate))
