"""MPPI: what any back end of `plan` has to fulfil."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from robot_agent_kernels import Backend, BuildError, PlanConfig, PlanState, PlanStatus, Seeds, pack, plan, rollout
from robot_agent_kernels.mppi.noise import correlated
from robot_agent_kernels.mppi.refit import elite_weights
from robot_agent_kernels.mppi.search import beginning
from robot_agent_kernels.rollout.native import library

from tests.kernels.builders import as_dtype, rollout_params

CONFIG = PlanConfig(horizon=3, samples=64, policy_samples=8, iterations=4, elites=12)


def _without_a_compiler() -> str | None:
    try:
        library()
    except BuildError as error:
        return str(error)
    return None


BACKENDS = [
    "reference",
    pytest.param("cpu", marks=pytest.mark.skipif(_without_a_compiler() is not None, reason=str(_without_a_compiler()))),
]


def start(robots: int = 2, seed: int = 1):
    g = torch.Generator().manual_seed(seed)
    z0 = torch.softmax(torch.randn(robots, 4, 2, generator=g, dtype=torch.float64), 1).flatten(1)
    goal = torch.randn(robots, 3, generator=g, dtype=torch.float64)
    context = torch.zeros(robots, 1, dtype=torch.float64)
    zeros = torch.zeros(robots, 3, 2, dtype=torch.float64)
    state = PlanState(zeros, zeros + 1, torch.ones(robots, dtype=torch.bool))
    return z0, goal, context, state


def make_plan(params=None, config=CONFIG, seed=7, proposals=None, deadline_ms=None, state=None, robots=2):
    z0, goal, context, initial = start(robots)
    params = params or rollout_params()
    return plan(params, z0, goal, context, proposals, state or initial, config, seed, deadline_ms)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_robots_plan_does_not_depend_on_the_robots_that_are_planned_for_with_it(backend: Backend):
    params, (z0, goal, context, state) = rollout_params(), start(3)
    if backend == "cpu":
        params = as_dtype(params, torch.float32)
        z0, goal, context = (tensor.float() for tensor in (z0, goal, context))
        state = PlanState.initial(3, 3, 2)
    core = pack(params, backend)

    def plan_of(rows: list[int], seeds: tuple[int, ...]) -> torch.Tensor:
        own = PlanState(state.mean[rows], state.std[rows], state.fresh[rows])
        return plan(core, z0[rows], goal[rows], context[rows], None, own, CONFIG, Seeds(seeds, members=9)).mean

    together = plan_of([0, 1, 2], (3, 4, 5))
    for row, seed in enumerate((3, 4, 5)):
        torch.testing.assert_close(plan_of([row], (seed,))[0], together[row], atol=1e-4, rtol=1e-4)
    assert not torch.allclose(plan_of([0], (4,))[0], together[0], atol=1e-2)


def test_the_same_seed_gives_the_same_plan_and_another_seed_another():
    assert torch.equal(make_plan().action, make_plan().action)
    assert not torch.equal(make_plan().action, make_plan(seed=8).action)


def test_shapes_bounds_and_status():
    result = make_plan()
    assert result.action.shape == (2, 2)
    assert result.mean.shape == result.std.shape == (2, 3, 2)
    assert result.value.shape == result.uncertainty.shape == result.status.shape == (2,)
    assert (result.action.abs() <= 1).all()
    assert (result.mean.abs() <= 1).all()
    assert (result.std >= CONFIG.min_std).all()
    assert (result.std <= CONFIG.max_std).all()
    assert (result.status == PlanStatus.OK).all()
    assert not result.state.fresh.any()


def test_a_plan_beats_random_actions():
    params = rollout_params(values=1)
    z0, goal, context, _ = start()
    result = make_plan(params, replace(CONFIG, iterations=8, min_std=0.01))
    planned = rollout(params, z0, result.mean.unsqueeze(1), goal, context)[0][:, 0]
    random = 2 * torch.rand(2, 500, 3, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64) - 1
    returns = rollout(params, z0, random, goal, context)[0]
    assert (planned > returns.quantile(0.98, dim=1)).all()


def test_a_proposal_that_is_best_wins():
    params = rollout_params(values=1)
    z0, goal, context, _ = start()
    g = torch.Generator().manual_seed(3)
    many = 2 * torch.rand(2, 20_000, 3, 2, generator=g, dtype=torch.float64) - 1
    returns = rollout(params, z0, many, goal, context)[0]
    best = many[torch.arange(2), returns.argmax(1)].unsqueeze(1)
    few = replace(CONFIG, samples=2, policy_samples=0, iterations=1, elites=1, min_std=1e-6)
    result = make_plan(params, few, proposals=best)
    torch.testing.assert_close(result.mean, best[:, 0])
    torch.testing.assert_close(result.action, best[:, 0, 0], atol=1e-4, rtol=0)


def test_the_next_plan_starts_from_the_last_one_shifted_by_a_step():
    mean = torch.rand(2, 3, 2, dtype=torch.float64) - 0.5
    only_mean = PlanConfig(samples=1, policy_samples=0, iterations=1, elites=1, max_std=1e-9, min_std=0.0)
    kept = make_plan(config=only_mean, state=PlanState(mean, mean.abs(), torch.tensor([False, True])))
    torch.testing.assert_close(kept.mean[0, :2], mean[0, 1:])
    torch.testing.assert_close(kept.mean[0, 2], torch.zeros(2, dtype=torch.float64), atol=1e-7, rtol=0)
    torch.testing.assert_close(kept.mean[1], torch.zeros(3, 2, dtype=torch.float64), atol=1e-7, rtol=0)


def test_the_spread_is_carried_over_where_there_is_a_last_plan():
    mean, std = torch.zeros(2, 3, 1), torch.tensor([0.1, 0.2, 0.3]).view(1, 3, 1).expand(2, 3, 1)
    state = PlanState(mean, std, torch.tensor([False, True]))
    carried = beginning(state, PlanConfig(carry_spread=4.0, max_std=1.0))[1][:, :, 0]
    torch.testing.assert_close(carried, torch.tensor([[0.8, 1.0, 1.0], [1.0, 1.0, 1.0]]))
    assert (beginning(state, PlanConfig())[1] == 1.0).all()


def test_a_search_that_has_settled_ends_early_and_is_not_late():
    result = make_plan(config=replace(CONFIG, settled_std=CONFIG.max_std))
    assert result.iterations == 1
    assert (result.status == PlanStatus.OK).all()
    assert make_plan(config=replace(CONFIG, settled_std=1e-9)).iterations == CONFIG.iterations


def test_refit_weights_against_a_case_by_hand():
    # Standard deviation of (4, 2, 0) is sqrt(8/3); at temperature 1 the logits are 0, -2/s and -4/s.
    s = (8 / 3) ** 0.5
    logits = torch.tensor([0.0, -2 / s, -4 / s], dtype=torch.float64)
    weights = elite_weights(torch.tensor([[4.0, 2.0, 0.0]], dtype=torch.float64), temperature=1.0)
    torch.testing.assert_close(weights[0], torch.softmax(logits, 0), atol=1e-5, rtol=0)
    shifted = elite_weights(torch.tensor([[400.0, 200.0, 0.0]], dtype=torch.float64), temperature=1.0)
    torch.testing.assert_close(weights, shifted, atol=1e-5, rtol=0)


@pytest.mark.parametrize("backend", BACKENDS)
def test_refit_against_a_case_by_hand(backend: Backend):
    # Elites are the returns 4 and 2 with their actions 1 and 0; the spread of (4, 2) is 1.
    core = pack(rollout_params(dtype=torch.float32), backend)
    actions = torch.tensor([0.5, 1.0, 0.0, -1.0, 9.0]).view(1, 5, 1, 1)
    returns = torch.tensor([[0.0, 4.0, 2.0, 2.0, torch.nan]])
    uncertainty = torch.tensor([[9.0, 1.0, 3.0, 9.0, 9.0]])
    config = PlanConfig(elites=2, temperature=1.0, min_std=0.0, max_std=5.0)
    fitted = core.refit(actions, returns, uncertainty, config)
    high = 1 / (1 + math.exp(-2.0))  # softmax of (0, -2)
    torch.testing.assert_close(fitted.weights, torch.tensor([[0.0, high, 1 - high, 0.0, 0.0]]), atol=1e-5, rtol=0)
    assert float(fitted.mean) == pytest.approx(high, abs=1e-5)
    assert float(fitted.std) == pytest.approx(math.sqrt(high * (1 - high)), abs=1e-5)
    assert float(fitted.value) == pytest.approx(4 * high + 2 * (1 - high), abs=1e-5)
    assert float(fitted.uncertainty) == pytest.approx(high + 3 * (1 - high), abs=1e-5)
    curious = core.refit(actions, returns, uncertainty, replace(config, uncertainty_coefficient=100.0))
    assert (curious.weights[0] > 0).tolist() == [True, False, False, True, False]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_refit_without_a_finite_return_weighs_nothing(backend: Backend):
    core = pack(rollout_params(dtype=torch.float32), backend)
    fitted = core.refit(torch.full((1, 4, 2, 1), torch.nan), torch.full((1, 4), torch.nan), torch.ones(1, 4), CONFIG)
    assert torch.equal(fitted.weights, torch.zeros(1, 4))
    assert torch.equal(fitted.mean, torch.zeros(1, 2, 1))
    assert torch.isfinite(fitted.std).all()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("coefficient", [0.0, -1.0, 1.0])
def test_a_candidate_that_is_not_finite_spoils_nothing_even_with_one_iteration(backend: Backend, coefficient: float):
    params = rollout_params(dtype=torch.float32)
    inputs = [tensor.float() for tensor in start()[:3]]
    proposals = torch.full((2, 3, 3, 2), torch.nan)
    config = replace(CONFIG, samples=4, policy_samples=0, iterations=1, uncertainty_coefficient=coefficient)
    core = pack(params, backend)
    result = plan(core, *inputs, proposals, PlanState.initial(2, 3, 2), config, 7)
    assert (result.status == PlanStatus.OK).all()
    for part in (result.action, result.mean, result.std, result.value, result.uncertainty):
        assert torch.isfinite(part).all()


def test_elites_that_are_not_finite_weigh_nothing():
    weights = elite_weights(torch.tensor([[1.0, -torch.inf], [-torch.inf, -torch.inf]]), temperature=0.5)
    torch.testing.assert_close(weights, torch.tensor([[1.0, 0.0], [0.0, 0.0]]))


def test_a_deadline_ends_the_search_after_an_iteration_with_the_best_plan_so_far():
    result = make_plan(deadline_ms=0.0)
    assert result.iterations == 1
    assert (result.status == PlanStatus.DEADLINE).all()
    assert torch.isfinite(result.action).all()
    assert make_plan(deadline_ms=1e6).iterations == CONFIG.iterations


@pytest.mark.parametrize("poison", [torch.nan, torch.inf])
def test_weights_that_are_not_finite_give_a_status_and_a_zero_action(poison: float):
    params = rollout_params()
    params.dynamics.weights[0][:] = poison
    result = make_plan(params)
    assert (result.status == PlanStatus.NON_FINITE).all()
    assert torch.equal(result.action, torch.zeros_like(result.action))
    assert result.state.fresh.all()


def test_one_robot_that_is_not_finite_leaves_the_other_alone():
    params = rollout_params()
    z0, goal, context, state = start()
    z0[0] = torch.nan
    result = plan(params, z0, goal, context, None, state, CONFIG, 7)
    assert result.status.tolist() == [PlanStatus.NON_FINITE, PlanStatus.OK]
    assert torch.isfinite(result.action).all()
    assert result.action[1].abs().sum() > 0


def test_a_proposal_that_is_not_finite_never_wins():
    proposals = torch.full((2, 1, 3, 2), torch.nan, dtype=torch.float64)
    result = make_plan(proposals=proposals)
    assert (result.status == PlanStatus.OK).all()
    assert torch.isfinite(result.mean).all()


def test_pessimism_chooses_plans_that_the_heads_agree_on():
    bold = make_plan(config=replace(CONFIG, uncertainty_coefficient=0.0, iterations=6))
    careful = make_plan(config=replace(CONFIG, uncertainty_coefficient=-50.0, iterations=6))
    curious = make_plan(config=replace(CONFIG, uncertainty_coefficient=50.0, iterations=6))
    assert (careful.uncertainty < bold.uncertainty).all()
    assert (curious.uncertainty > bold.uncertainty).all()


def test_correlated_noise_keeps_its_variance_and_has_the_correlation_asked_for():
    noise = correlated(torch.randn(20_000, 4, 1, generator=torch.Generator().manual_seed(0)), 0.7)
    torch.testing.assert_close(noise.std(0), torch.ones(4, 1), atol=0.02, rtol=0)
    first, second = noise[:, 1, 0], noise[:, 2, 0]
    assert abs(float((first * second).mean()) - 0.7) < 0.03
