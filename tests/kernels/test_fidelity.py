"""How far the back ends are from float64, against plain torch in the same dtype; on learned and random weights."""

from __future__ import annotations

import json
from typing import Any, NamedTuple, get_args

import pytest
import torch
from robot_agent_kernels import Backend, BuildError, PlanConfig, Precision, RolloutParams, pack
from robot_agent_kernels.rollout.native import library

from robot_agent.run.life import Life
from robot_agent.run.load import load_agent
from robot_agent.types import BodySpec
from tests.kernels.builders import as_dtype, rollout_params
from tests.small import run_config
from tests.worlds import PointMass

GPU = torch.cuda.is_available()


def back_ends() -> list[Any]:
    cases = []
    for precision in get_args(Precision):
        missing = ""
        try:
            library(precision)
        except BuildError as error:
            missing = str(error)
        cases.append(pytest.param("cpu", precision, marks=pytest.mark.skipif(bool(missing), reason=missing)))
    # The interpreter computes with float32 operands only: it gets bfloat16 wrong.
    cases += [pytest.param("triton", precision) for precision in (("float32", "bfloat16") if GPU else ("float32",))]
    return cases


class Case(NamedTuple):
    """Networks in float64 and what to roll out; float64, `(1, candidates, horizon, action_dim)`."""

    params: RolloutParams
    z0: torch.Tensor
    actions: torch.Tensor
    goal: torch.Tensor
    context: torch.Tensor


def case(params: RolloutParams) -> Case:
    g = torch.Generator().manual_seed(3)
    double = as_dtype(params, torch.float64)
    latent, action_dim = params.latent.width, params.policy.weights[-1].shape[-1] // 2
    z0 = params.latent.from_embedding(torch.randn(1, latent, generator=g, dtype=torch.float64))
    actions = 2 * torch.rand(1, 200, 3, action_dim, generator=g, dtype=torch.float64) - 1
    goal = torch.zeros(1, params.policy.weights[0].shape[1] - latent, dtype=torch.float64)
    context = torch.zeros(1, params.dynamics.weights[0].shape[1] - latent - action_dim, dtype=torch.float64)
    return Case(double, z0, actions, goal, context)


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Case]:
    """Networks that a short life has taught, and random ones of the default agent's size."""
    folder = tmp_path_factory.mktemp("lived") / "run"
    Life(folder, run_config(frames=800), PointMass).live()
    assert json.loads((folder / "summary.json").read_text())["updates"] > 100
    agent, _, _ = load_agent(folder, BodySpec.from_env(PointMass()))
    learned = agent.mind.requires_grad_(False).rollout_params()
    return {
        "learned": case(learned),
        "random": case(rollout_params(latent=64, action=6, hidden=64, depth=2, bins=51)),
    }


def rolled(
    params: RolloutParams, backend: Backend, dtype: torch.dtype, given: Case, precision: Precision | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns and last latents, float64."""
    device = "cuda" if backend == "triton" and GPU else "cpu"
    core = pack(as_dtype(params, dtype, device), backend, precision)
    with torch.inference_mode():
        returns, _, final = core.rollout(*(tensor.to(device, dtype) for tensor in given[1:]))
    return returns.double().cpu(), final.double().cpu()


def error(got: torch.Tensor, expected: torch.Tensor) -> float:
    return float((got - expected).norm() / expected.norm())


@pytest.mark.parametrize("weights", ["learned", "random"])
@pytest.mark.parametrize(("backend", "precision"), back_ends())
def test_the_error_is_at_most_twice_that_of_plain_torch_in_the_same_dtype(cases, weights, backend, precision):
    given = cases[weights]
    expected = rolled(given.params, "reference", torch.float64, given)
    plain = rolled(given.params, "reference", getattr(torch, precision), given)
    got = rolled(given.params, backend, torch.float32, given, precision)
    for mine, torchs, truth in zip(got, plain, expected, strict=True):
        assert error(mine, truth) <= 2 * error(torchs, truth)


def ranks(values: torch.Tensor) -> torch.Tensor:
    return values.argsort().argsort().double()


@pytest.mark.parametrize("weights", ["learned", "random"])
@pytest.mark.parametrize(("backend", "precision"), back_ends())
def test_candidates_rank_as_in_float64_and_the_elites_are_the_same(cases, weights, backend, precision):
    given, config = cases[weights], PlanConfig()
    expected = rolled(given.params, "reference", torch.float64, given)[0][0]
    got = rolled(given.params, backend, torch.float32, given, precision)[0][0]
    correlation = torch.corrcoef(torch.stack([ranks(got), ranks(expected)]))[0, 1]
    elites = [set(values.topk(config.elites).indices.tolist()) for values in (got, expected)]
    overlap = len(elites[0] & elites[1]) / config.elites
    assert correlation > (0.9999 if precision == "float32" else 0.99)
    assert overlap >= (1.0 if precision == "float32" else 0.9)
