"""The baselines compute what ours computes, or a comparison with them would mean nothing."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from robot_agent_kernels import PlanConfig, PlanState, pack, plan
from robot_agent_kernels.bench.measure import PUBLISHED, interleaved, matrix_rate, plan_flops, published_params
from robot_agent_kernels.bench.tdmpc2 import TDMPC2Planner
from torch.utils.flop_counter import FlopCounterMode

from tests.kernels.builders import rollout_params


@pytest.mark.parametrize("activation", ["mish", "relu"])
def test_the_baseline_gives_trajectories_the_returns_of_the_reference(activation):
    params = rollout_params(latent=16, goal=0, context=0, heads=1, values=3, activation=activation)
    planner = TDMPC2Planner(params, PlanConfig())
    z0 = params.latent.from_embedding(torch.randn(1, 16, dtype=torch.float64))
    actions = 2 * torch.rand(1, 9, 4, 2, dtype=torch.float64) - 1
    members, none = torch.tensor([2, 0]), torch.zeros(1, 0, dtype=torch.float64)
    expected = pack(params, "reference").rollout(z0, actions, none, none, members)[0][0]
    got = planner.returns(z0[:, planner.order], actions[0].transpose(0, 1), members)
    torch.testing.assert_close(got, expected)


def test_the_baseline_plans():
    params = rollout_params(latent=16, goal=0, context=0, heads=1, dtype=torch.float32)
    config = PlanConfig(samples=60, policy_samples=4, iterations=6, elites=8, value_members=3)
    planner = TDMPC2Planner(params, config)
    z0, none = params.latent.from_embedding(torch.randn(1, 16)), torch.zeros(1, 0)
    action, mean = planner(z0, torch.zeros(3, 2))
    assert action.abs().max() <= 1
    core = pack(params, "reference")
    own = plan(core, z0, none, none, None, PlanState.initial(1, 3, 2), config, 0)
    both = core.rollout(z0, torch.stack([mean[None], own.mean], dim=1), none, none)[0][0]
    random = core.rollout(z0, 2 * torch.rand(1, 200, 3, 2) - 1, none, none)[0][0]
    assert (both > random.quantile(0.8)).all()


def test_the_work_of_a_plan_is_what_torch_counts_but_for_what_can_be_left_out():
    params = rollout_params(latent=16, goal=0, context=0, hidden=32, depth=2, heads=2, values=2, dtype=torch.float32)
    config = PlanConfig(samples=20, policy_samples=0, iterations=1, horizon=1)
    z0, none = params.latent.from_embedding(torch.randn(1, 16)), torch.zeros(1, 0)
    with FlopCounterMode(display=False) as counter:
        plan(pack(params, "reference"), z0, none, none, None, PlanState.initial(1, 1, 2), config, 0)
    shared = 2 * 20 * 16 * 32 * 3  # the first latent's part of the first layers of two heads and the reward
    assert plan_flops(params, config) == counter.get_total_flops() - shared
    assert 25e9 < plan_flops(published_params(), PUBLISHED) < 40e9
    assert plan_flops(params, replace(config, iterations=3)) == 3 * plan_flops(params, config)


def test_the_example_of_the_page_runs(capsys: pytest.CaptureFixture[str]):
    page = Path(__file__).parents[2] / "docs" / "rollout-core.md"
    (code,) = re.findall(r"```python\n(.*?)```", page.read_text(), flags=re.DOTALL)
    exec(compile(code, str(page), "exec"), {})
    assert "tensor([0])" in capsys.readouterr().out


def test_timings_are_in_milliseconds_and_rates_plausible():
    timings = interleaved({"nothing": lambda: None, "more": lambda: sum(range(20_000))}, plans=20, warm_up=1)
    assert 0 <= timings["nothing"].p50 < timings["more"].p50 <= timings["more"].p99 < 1e3
    assert 1e9 < matrix_rate() < 1e13
