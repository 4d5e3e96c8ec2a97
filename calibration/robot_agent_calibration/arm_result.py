"""What calibrating an arm by its camera came to: what is reported, drawn and written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from robot_agent_calibration.arm import ArmFit
from robot_agent_calibration.chain import Chain
from robot_agent_calibration.mounting import Mounting
from robot_agent_calibration.observed import Observed


@dataclass(frozen=True)
class ArmResult:
    """An arm's fit with all that led to it."""

    observed: Observed
    chain: Chain
    fit: ArmFit
    closed_forms: Mapping[str, Mounting]
    unusual: tuple[str, ...]
