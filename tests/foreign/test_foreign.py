"""Other people's environments: an agent lives in them and keeps what truly happened, or they are refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from robot_agent_sim.gymnasium_env import adapt

from tests.foreign.judge import judge
from tests.foreign.table import BUFFERS, KINDS
from tests.foreign.world import Kind


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.group}: {kind.name}")
def test_a_foreign_environment_is_lived_in_as_it_is_or_refused_in_a_sentence(kind: Kind, tmp_path: Path):
    verdict = judge(kind, tmp_path / "run")
    assert not verdict.fault
    assert verdict.outcome == ("refused" if kind.refused else "lived")


def test_there_are_forty_kinds_of_different_names():
    assert len({(kind.group, kind.name) for kind in KINDS}) == len(KINDS) >= 40


class _Wrong(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Shifts one reading, and counts a reward twice."""

    def step(self, action: Any) -> Any:
        observation, reward, *rest = self.env.step(action)
        return {"proprio": observation["proprio"] + np.float32([0, 1e-3, 0])}, 2 * float(reward), *rest


def test_the_judge_sees_what_was_altered(tmp_path: Path):
    def altering(env: gymnasium.Env[Any, Any], *options: Sequence[Any]) -> gymnasium.Env[Any, Any]:
        return _Wrong(adapt(env, *options))  # type: ignore[arg-type]

    plain = Kind("plain", "judge")
    assert judge(plain, tmp_path / "right").fault == ""
    fault = judge(plain, tmp_path / "wrong", altering).fault
    assert "proprio is not what it was" in fault
    assert "reward" in fault


def test_the_judge_sees_tracebacks_and_refusals_for_no_reason(tmp_path: Path):
    def failing(*_: Any) -> Any:
        raise KeyError("observation")

    def refusing(*_: Any) -> Any:
        raise ValueError("not today")

    assert "KeyError" in judge(BUFFERS[0], tmp_path / "a", failing).fault
    assert "was refused: not today" in judge(BUFFERS[0], tmp_path / "b", refusing).fault
