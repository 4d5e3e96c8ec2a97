"""The back end `triton`: on a GPU where there is one, otherwise interpreted on the CPU with small sizes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from robot_agent_kernels import PlanConfig, PlanNoise, PlanState, PlanStatus, Seeds, pack, plan

from tests.kernels.builders import as_dtype, rollout_params

pytest.importorskip("triton")
# The interpreter computes with numpy, which warns of NaN; the tests put it there.
pytestmark = pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
PRECISIONS = ("float32", "bfloat16") if DEVICE == "cuda" else ("float32",)  # bfloat16 is wrong in the interpreter
TOLERANCES = {"float32": (1e-5, 1e-5), "bfloat16": (1e-2, 3e-2)}
"""Relative norm error of latents and of returns."""
CONFIG = PlanConfig(horizon=2, samples=12, policy_samples=3, iterations=2, elites=5)


def error(got: torch.Tensor, expected: torch.Tensor) -> float:
    return float((got.double().cpu() - expected).norm() / expected.norm().clamp_min(1e-9))


def case(robots: int, samples: int, horizon: int, action: int, latent: int, **sizes: Any) -> Any:
    params = rollout_params(latent=latent, action=action, goal=3, context=2, **sizes)
    g = torch.Generator().manual_seed(robots + 7 * samples)
    z0 = params.latent.from_embedding(torch.randn(robots, latent, generator=g, dtype=torch.float64))
    actions = 2 * torch.rand(robots, samples, horizon, action, generator=g, dtype=torch.float64) - 1
    goals = torch.randn(robots, 3, generator=g, dtype=torch.float64)
    contexts = torch.randn(robots, 2, generator=g, dtype=torch.float64)
    return params, (z0, actions, goals, contexts)


def single(*tensors: torch.Tensor) -> list[torch.Tensor]:
    return [tensor.float().to(DEVICE) for tensor in tensors]


def packed(params: Any, precision: str = "float32") -> Any:
    return pack(as_dtype(params, torch.float32, DEVICE), "triton", precision)


@pytest.fixture(autouse=True)
def _poisoned_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not written shows."""
    fresh = torch.empty

    def poisoned(*shape: Any, **options: Any) -> torch.Tensor:
        memory = fresh(*shape, **options)
        return memory.fill_(torch.nan) if memory.is_floating_point() else memory

    monkeypatch.setattr(torch, "empty", poisoned)


@pytest.mark.parametrize("precision", PRECISIONS)
@settings(max_examples=12)
@given(
    robots=st.integers(1, 3),
    samples=st.integers(1, 20),
    horizon=st.integers(1, 4),
    action=st.integers(1, 20),
    groups=st.integers(1, 5),
    heads=st.integers(1, 3),
    values=st.integers(1, 3),
    hidden=st.integers(3, 40),
    depth=st.integers(0, 2),
    activation=st.sampled_from(["relu", "silu", "mish"]),
    termination=st.booleans(),
    quantised=st.booleans(),
)
@example(2, 17, 2, 6, 4, 1, 2, 32, 2, "mish", False, False)
@example(1, 5, 16, 2, 2, 2, 8, 8, 1, "relu", True, True)
def test_any_shape_agrees_with_the_reference(
    precision,
    robots,
    samples,
    horizon,
    action,
    groups,
    heads,
    values,
    hidden,
    depth,
    activation,
    termination,
    quantised,
):
    params, inputs = case(
        robots,
        samples,
        horizon,
        action,
        latent=(2 if quantised else 4) * groups,
        heads=heads,
        values=values,
        hidden=hidden,
        depth=depth,
        activation=activation,
        termination=termination,
        quantised=quantised,
    )
    members = torch.arange(values)[-2:]
    expected = pack(params, "reference").rollout(*inputs, members)
    got = packed(params, precision).rollout(*single(*inputs), members.to(DEVICE))
    on_latents, on_returns = TOLERANCES[precision]
    assert error(got[2], expected[2]) < on_latents
    assert error(got[0], expected[0]) < on_returns
    assert (got[1].double().cpu() - expected[1]).abs().max() < 20 * on_latents


def test_policy_trajectories_agree_with_the_reference():
    params, (z0, actions, goal, context) = case(2, 5, 3, 4, latent=8)
    expected = pack(params, "reference").policy_trajectories(z0, goal, context, actions)
    got = packed(params).policy_trajectories(*single(z0, goal, context, actions))
    assert error(got, expected) < 1e-5


@pytest.mark.parametrize("coefficient", [0.0, -1.0])
@pytest.mark.parametrize(("candidates", "elites"), [(9, 4), (33, 40)])
def test_a_refit_agrees_with_the_reference(coefficient: float, candidates: int, elites: int):
    g = torch.Generator().manual_seed(0)
    actions = torch.randn(3, candidates, 4, 5, generator=g)
    returns = torch.randn(3, candidates, generator=g).round(decimals=1)  # some are equal
    uncertainty = torch.rand(3, candidates, generator=g)
    returns[0, 2], uncertainty[1, 3], actions[0, 2] = torch.nan, torch.inf, torch.nan
    returns[2] = torch.nan
    config = PlanConfig(elites=elites, uncertainty_coefficient=coefficient)
    params = rollout_params(dtype=torch.float32)
    expected = pack(params, "reference").refit(actions, returns, uncertainty, config)
    got = packed(params).refit(*single(actions, returns, uncertainty), config)
    # Which of two equal returns leads is not the same everywhere; it matters where they are the last elites.
    close = {"atol": 1e-5, "rtol": 1e-4}
    torch.testing.assert_close(got.value.cpu(), expected.value, **close)
    assert torch.equal(got.weights.cpu()[2], torch.zeros(candidates))
    torch.testing.assert_close(got.weights.cpu().sum(1), torch.tensor([1.0, 1.0, 0.0]), **close)
    weights, column = got.weights.cpu(), got.weights.cpu()[:, :, None, None]
    mean = (column * torch.where(column > 0, actions, 0.0)).sum(1)
    torch.testing.assert_close(got.mean.cpu(), mean, **close)
    std = (column * torch.where(column > 0, actions - mean[:, None], 0.0).square()).sum(1).sqrt()
    torch.testing.assert_close(got.std.cpu(), std.clamp(config.min_std, config.max_std), **close)
    doubts = torch.where(weights > 0, uncertainty, 0.0)
    torch.testing.assert_close(got.uncertainty.cpu(), (weights * doubts).sum(1), **close)
    assert ((weights > 0).sum(1)[:2] == torch.tensor([min(elites, candidates - 1)] * 2)).all()


def started(robots: int = 2) -> Any:
    params, (z0, actions, goal, context) = case(robots, 2, CONFIG.horizon, 2, latent=8)
    return (
        params,
        single(z0, goal, context, actions),
        PlanState.initial(robots, CONFIG.horizon, 2, torch.device(DEVICE)),
    )


@pytest.mark.parametrize("correlation", [0.0, 0.6])
def test_a_plan_agrees_with_the_reference_given_the_same_noise(correlation: float):
    params, inputs, state = started()
    config = replace(CONFIG, noise_correlation=correlation)
    noise = PlanNoise.draw(config, 2, 2, 2, 3, seed=5, device=torch.device(DEVICE))
    expected = plan(pack(as_dtype(params, torch.float32, DEVICE), "reference"), *inputs, state, config, 0, noise=noise)
    got = plan(packed(params), *inputs, state, config, 0, noise=noise)
    for name in ("mean", "std", "action", "value", "uncertainty"):
        torch.testing.assert_close(getattr(got, name), getattr(expected, name), atol=1e-4, rtol=1e-3)
    assert torch.equal(got.status, expected.status)


def test_the_same_seed_gives_the_same_plan_and_another_seed_another():
    params, inputs, state = started()
    core = packed(params)
    first, again, other = (plan(core, *inputs, state, CONFIG, seed) for seed in (3, 3, 4))
    assert torch.equal(first.action, again.action)
    assert torch.equal(first.mean, again.mean)
    assert not torch.equal(first.action, other.action)
    assert (first.action.abs() <= 1).all()
    assert (first.status == PlanStatus.OK).all()


def test_a_robots_plan_does_not_depend_on_the_robots_that_are_planned_for_with_it():
    params, (z0, goal, context, actions), state = started()
    core = packed(params)
    both = plan(core, z0, goal, context, actions, state, CONFIG, Seeds((3, 4), members=9))
    for row, seed in enumerate((3, 4)):
        one = slice(row, row + 1)
        own = PlanState(state.mean[one], state.std[one], state.fresh[one])
        inputs = (z0[one], goal[one], context[one], actions[one])
        alone = plan(core, *inputs, own, CONFIG, Seeds((seed,), members=9))
        torch.testing.assert_close(alone.action[0], both.action[row], atol=1e-4, rtol=1e-3)
        torch.testing.assert_close(alone.mean[0], both.mean[row], atol=1e-4, rtol=1e-3)


def test_what_the_kernels_draw_is_white_and_of_unit_variance():
    params, inputs, state = started(1)
    config = replace(CONFIG, samples=200, policy_samples=0, iterations=1, max_std=0.2)
    core = packed(params)
    plan(core, *inputs, state, config, 11)
    (planned,) = core._plans.values()
    drawn = planned.buffers.actions[0, 2:].cpu() / 0.2
    assert abs(float(drawn.mean())) < 0.12
    assert abs(float(drawn.std()) - 1) < 0.1
    flat = drawn.flatten(1)
    correlations = torch.corrcoef(flat.T) - torch.eye(flat.shape[1])
    assert correlations.abs().max() < 0.3


def test_q_functions_are_drawn_without_repetition_and_each_at_some_time():
    params, inputs, state = started(1)
    core = packed(params)
    pairs = set()
    for seed in range(8):
        plan(core, *inputs, state, CONFIG, seed)
        (planned,) = core._plans.values()
        pairs.add(tuple(sorted(planned.buffers.members.tolist())))
    assert pairs == {(0, 1), (0, 2), (1, 2)}


def test_a_plan_of_a_robot_that_is_not_finite_has_a_status_and_a_zero_action_and_leaves_the_other_alone():
    params, inputs, state = started()
    inputs[0][0] = torch.nan
    result = plan(packed(params), *inputs, state, CONFIG, 1)
    assert result.status.tolist() == [PlanStatus.NON_FINITE, PlanStatus.OK]
    assert torch.equal(result.action[0], torch.zeros_like(result.action[0]))
    assert torch.isfinite(result.action).all()
    assert torch.isfinite(result.mean).all()
    assert result.state.fresh.tolist() == [True, False]


def test_a_deadline_ends_the_search_after_an_iteration():
    params, inputs, state = started()
    result = plan(packed(params), *inputs, state, CONFIG, 1, deadline_ms=0.0)
    assert result.iterations == 1
    assert (result.status == PlanStatus.DEADLINE).all()


def test_a_refresh_takes_new_weights_into_the_same_memory():
    params, inputs, state = started()
    mine = as_dtype(params, torch.float32, DEVICE)
    core = pack(mine, "triton", "float32")
    address = core.networks["reward"].latent.data_ptr()
    before = plan(core, *inputs, state, CONFIG, 1)
    mine.reward.weights[0].mul_(-1)
    mine.reward.biases[0].mul_(-1)
    assert torch.equal(plan(core, *inputs, state, CONFIG, 1).mean, before.mean)
    core.refresh(mine)
    assert core.networks["reward"].latent.data_ptr() == address
    assert torch.equal(plan(core, *inputs, state, CONFIG, 1).mean, plan(packed(mine), *inputs, state, CONFIG, 1).mean)
    assert not torch.equal(plan(core, *inputs, state, CONFIG, 1).mean, before.mean)
