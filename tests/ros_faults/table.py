"""All scenarios by name; a new one is a function and a line in its module's table."""

from __future__ import annotations

from tests.ros_faults import agent, gate
from tests.ros_faults.scenario import Scenario

SCENARIOS: dict[str, Scenario] = {**gate.SCENARIOS, **agent.SCENARIOS}
