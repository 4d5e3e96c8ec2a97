"""No fault of the table moves a robot beyond a limit, or keeps a transition that never happened."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ros_faults.scenario import stage
from tests.ros_faults.table import SCENARIOS


@pytest.mark.parametrize("name", SCENARIOS)
def test_fault(name: str, tmp_path: Path):
    with stage(tmp_path) as here:
        outcome = SCENARIOS[name](here)
    assert outcome.outputs + outcome.transitions > 0
    assert outcome.beyond == 0
    assert outcome.never == 0
