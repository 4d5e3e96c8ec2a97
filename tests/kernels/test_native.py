"""The back end `cpu` against the reference in float64."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from robot_agent_kernels import BuildError, PlanConfig, PlanNoise, PlanState, Precision, pack, plan
from robot_agent_kernels.rollout import native
from robot_agent_kernels.rollout.native import NativeRollout, library

from tests.kernels.builders import as_dtype, rollout_params

TOLERANCES = {"float32": (1e-5, 1e-5), "float16": (1e-2, 3e-2), "bfloat16": (1e-2, 3e-2)}
"""Relative norm error of latents and of returns."""


def available(precision: Precision) -> str | None:
    try:
        library(precision)
    except BuildError as error:
        return str(error)
    return None


PRECISIONS = [
    pytest.param(precision, marks=pytest.mark.skipif(reason is not None, reason=str(reason)))
    for precision in TOLERANCES
    for reason in [available(precision)]
]
pytestmark = pytest.mark.skipif(available("float32") is not None, reason=str(available("float32")))


def error(got: torch.Tensor, expected: torch.Tensor) -> float:
    return float((got.double() - expected).norm() / expected.norm().clamp_min(1e-9))


def case(
    robots: int, samples: int, horizon: int, action: int, latent: int, goal: int = 3, context: int = 2, **sizes: Any
) -> Any:
    params = rollout_params(latent=latent, action=action, goal=goal, context=context, **sizes)
    g = torch.Generator().manual_seed(robots + 7 * samples)
    z0 = params.latent.from_embedding(torch.randn(robots, latent, generator=g, dtype=torch.float64))
    actions = 2 * torch.rand(robots, samples, horizon, action, generator=g, dtype=torch.float64) - 1
    goals = torch.randn(robots, goal, generator=g, dtype=torch.float64)
    contexts = torch.randn(robots, context, generator=g, dtype=torch.float64)
    return params, (z0, actions, goals, contexts)


def check(params: Any, inputs: Any, precision: Precision, threads: int = 1, members: Any = None) -> None:
    expected = pack(params, "reference").rollout(*inputs, members)
    core = NativeRollout(as_dtype(params, torch.float32), precision, threads)
    got = core.rollout(*(tensor.float() for tensor in inputs), members)
    on_latents, on_returns = TOLERANCES[precision]
    assert error(got[2], expected[2]) < on_latents
    assert error(got[0], expected[0]) < on_returns
    # A small difference of nearly equal heads: an absolute error that the latents' own would explain.
    assert (got[1].double() - expected[1]).abs().max() < 20 * on_latents


@pytest.fixture(autouse=True)
def _poisoned_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not written shows."""

    def poisoned(*shape: Any, **options: Any) -> torch.Tensor:
        return torch.full(shape if isinstance(shape[0], int) else shape[0], torch.nan, **options)

    monkeypatch.setattr(native, "_uninitialised", poisoned)


@pytest.mark.parametrize("precision", PRECISIONS)
@settings(max_examples=25)
@given(
    robots=st.integers(1, 5),
    samples=st.integers(1, 40),
    horizon=st.integers(1, 16),
    action=st.integers(1, 56),
    groups=st.integers(1, 12),
    heads=st.integers(1, 8),
    values=st.integers(1, 8),
    hidden=st.integers(3, 70),
    depth=st.integers(0, 3),
    activation=st.sampled_from(["relu", "silu", "mish"]),
    termination=st.booleans(),
    quantised=st.booleans(),
    threads=st.sampled_from([1, 1, 2]),
)
@example(64, 3, 2, 6, 4, 2, 2, 32, 2, "relu", True, False, 2)
@example(1, 121, 3, 6, 8, 2, 5, 64, 2, "mish", False, False, 1)
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
    threads,
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
    check(params, inputs, precision, threads)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(("latent", "hidden"), [(64, 192), (512, 512), (1376, 128)])
def test_large_networks_agree_with_the_reference(precision: Precision, latent: int, hidden: int):
    check(
        *case(1, 30, 3, 6, latent=latent, hidden=hidden, depth=2, values=5, bins=101),
        precision,
        members=torch.tensor([4, 1]),
    )


def test_width_zero_of_goal_and_context_is_allowed():
    check(*case(2, 5, 3, 2, latent=8, goal=0, context=0), "float32")


def test_policy_trajectories_agree_with_the_reference():
    params, (z0, actions, goal, context) = case(3, 7, 4, 5, latent=16)
    expected = pack(params, "reference").policy_trajectories(z0, goal, context, actions)
    core = NativeRollout(as_dtype(params, torch.float32), threads=2)
    got = core.policy_trajectories(z0.float(), goal.float(), context.float(), actions.float())
    assert error(got, expected) < 1e-5


def test_a_refresh_takes_new_weights_and_nothing_before_it_does():
    params, inputs = case(1, 9, 3, 2, latent=8)
    single = as_dtype(params, torch.float32)
    core = NativeRollout(single)
    inputs = tuple(tensor.float() for tensor in inputs)
    before = core.rollout(*inputs)[0]
    single.reward.weights[0].mul_(-1)
    assert torch.equal(core.rollout(*inputs)[0], before)
    core.refresh(single)
    assert error(core.rollout(*inputs)[0], pack(single, "reference").rollout(*inputs)[0].double()) < 1e-5


@pytest.mark.parametrize("poison", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_what_is_not_finite_shows_in_the_returns_of_its_trajectory_alone(poison: float, precision: Precision):
    params, (z0, actions, goal, context) = case(1, 9, 3, 2, latent=8)
    actions[0, 4, 1, 0] = poison
    core = NativeRollout(as_dtype(params, torch.float32), precision)
    returns = core.rollout(z0.float(), actions.float(), goal.float(), context.float())[0]
    assert torch.isfinite(returns[0]).tolist() == [sample != 4 for sample in range(9)]


@pytest.mark.parametrize("part", ["dynamics", "reward", "value", "policy"])
def test_weights_that_are_not_finite_leave_no_finite_return(part: str):
    params, inputs = case(1, 9, 3, 2, latent=8)
    single = as_dtype(params, torch.float32)
    getattr(single, part).weights[0][:] = torch.nan
    assert not torch.isfinite(NativeRollout(single).rollout(*(tensor.float() for tensor in inputs))[0]).any()


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_plan_agrees_with_the_reference_given_the_same_noise(precision: Precision):
    params, (z0, actions, goal, context) = case(2, 3, 3, 2, latent=16, values=3, heads=2)
    config = PlanConfig(samples=64, policy_samples=8, iterations=4, elites=12)
    noise = PlanNoise.draw(config, 2, 2, 3, 3, seed=5, dtype=torch.float64)
    single = replace(noise, **{n: getattr(noise, n).float() for n in ("samples", "policy", "elite", "action")})
    zeros = torch.zeros(2, 3, 2, dtype=torch.float64)
    start = PlanState(zeros, zeros + 1, torch.ones(2, dtype=torch.bool))
    expected = plan(params, z0, goal, context, actions, start, config, 0, noise=noise, backend="reference")
    core = pack(as_dtype(params, torch.float32), "cpu", precision)
    inputs = (tensor.float() for tensor in (z0, goal, context, actions))
    got = plan(core, *inputs, PlanState.initial(2, 3, 2), config, 0, noise=single)
    chosen = pack(params, "reference").rollout(
        z0, torch.stack([expected.mean, got.mean.double()], dim=1), goal, context, noise.members
    )[0]
    spread = expected.value.std().clamp_min(0.1)
    assert ((chosen[:, 0] - chosen[:, 1]).abs() < 0.05 * spread).all()
    if precision == "float32":
        torch.testing.assert_close(got.mean.double(), expected.mean, atol=1e-4, rtol=0)
        torch.testing.assert_close(got.action.double(), expected.action, atol=1e-4, rtol=0)


def test_weights_of_another_dtype_are_refused():
    with pytest.raises(ValueError, match=r"expected torch\.float32 on cpu: convert them or choose reference"):
        pack(rollout_params(), "cpu")


def test_without_a_compiler_auto_takes_the_reference_and_cpu_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    library.cache_clear()
    monkeypatch.setattr(native.shutil, "which", lambda name: None)
    params = as_dtype(rollout_params(), torch.float32)
    with pytest.warns(UserWarning, match="plans are computed in plain torch"):
        assert pack(params).name == "reference"
    with pytest.raises(BuildError, match="install one"):
        pack(params, "cpu")
    library.cache_clear()
