"""The ops of the rollout core against their definitions."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from robot_agent_kernels.fsq.reference import code_indices, code_loss, codebook, expected_code, quantise
from robot_agent_kernels.mlp.reference import mlp
from robot_agent_kernels.simnorm.reference import simnorm
from robot_agent_kernels.two_hot.reference import symexp, symlog, two_hot, two_hot_loss, two_hot_mean

from tests.kernels.builders import mlp_params


def test_mlp_is_linear_layernorm_relu_for_each_member_of_the_ensemble():
    params = mlp_params((5, 7, 3), 2, torch.Generator().manual_seed(0))
    inputs = torch.randn(4, 5, dtype=torch.float64)
    for member in range(2):
        hidden = F.relu(F.layer_norm(inputs @ params.weights[0][member] + params.biases[0][member], (7,)))
        expected = hidden @ params.weights[1][member] + params.biases[1][member]
        torch.testing.assert_close(mlp(params, inputs)[member], expected)


def test_mlp_takes_inputs_of_its_own_for_each_member():
    params = mlp_params((5, 7, 3), 2, torch.Generator().manual_seed(0))
    inputs = torch.randn(2, 4, 5, dtype=torch.float64)
    torch.testing.assert_close(mlp(params, inputs)[1], mlp(params, inputs[1])[1])


def test_selected_members_are_those_members():
    params = mlp_params((5, 7, 3), 4, torch.Generator().manual_seed(0))
    inputs = torch.randn(6, 5, dtype=torch.float64)
    torch.testing.assert_close(mlp(params.select(torch.tensor([2, 0])), inputs), mlp(params, inputs)[[2, 0]])


@pytest.mark.parametrize(("width", "groups"), [(8, 2), (64, 8), (12, 12)])
def test_simnorm_makes_simplices_of_members_that_lie_groups_apart(width: int, groups: int):
    latent = simnorm(torch.randn(5, width), groups)
    assert latent.shape == (5, width)
    assert (latent >= 0).all()
    for group in range(groups):
        torch.testing.assert_close(latent[:, group::groups].sum(1), torch.ones(5))


def test_simnorm_refuses_a_width_that_its_groups_do_not_divide():
    with pytest.raises(RuntimeError):
        simnorm(torch.randn(2, 10), 4)


def test_quantising_takes_the_nearest_level_and_the_gradient_passes():
    embedding = torch.tensor([[-9.0, -0.5, 0.1, 9.0]], requires_grad=True)  # two channels of two groups
    latent = quantise(embedding, (5, 3))
    torch.testing.assert_close(latent.detach(), torch.tensor([[-1.0, -0.5, 0.0, 1.0]]))
    latent.sum().backward()
    torch.testing.assert_close(embedding.grad, 1 - torch.tanh(embedding.detach()).square())


@given(st.sampled_from([(3,), (5, 3), (3, 5, 7)]), st.integers(1, 6), st.integers(0, 2**31))
def test_a_certain_prediction_of_a_code_is_that_code(levels: tuple[int, ...], groups: int, seed: int):
    g = torch.Generator().manual_seed(seed)
    latent = quantise(3 * torch.randn(4, len(levels) * groups, generator=g, dtype=torch.float64), levels)
    indices = code_indices(latent, levels)
    codes = math.prod(levels)
    logits = 80 * F.one_hot(indices, codes).to(torch.float64).transpose(-1, -2).flatten(1)
    torch.testing.assert_close(expected_code(logits, levels), latent)
    torch.testing.assert_close(code_loss(logits, latent, levels), torch.zeros(4, dtype=torch.float64))
    uniform = code_loss(torch.zeros_like(logits), latent, levels)
    torch.testing.assert_close(uniform, torch.full((4,), math.log(codes), dtype=torch.float64))


@pytest.mark.parametrize("levels", [(), (4, 3), (1,)])
def test_levels_without_a_middle_are_refused(levels: tuple[int, ...]):
    with pytest.raises(ValueError, match="each must be odd and at least 3"):
        codebook(levels, torch.float32, torch.device("cpu"))


@given(st.floats(-20_000, 20_000))
def test_symexp_undoes_symlog(value: float):
    tensor = torch.tensor(value, dtype=torch.float64)
    torch.testing.assert_close(symexp(symlog(tensor)), tensor, rtol=1e-9, atol=1e-9)


@given(st.floats(-20_000, 20_000), st.integers(3, 101))
def test_a_two_hot_target_has_the_value_as_its_mean(value: float, bins: int):
    support = torch.linspace(-10, 10, bins, dtype=torch.float64)
    target = two_hot(torch.tensor([value], dtype=torch.float64), support)
    assert (target >= 0).all()
    assert (target > 1e-12).sum() <= 2
    torch.testing.assert_close(target.sum(-1), torch.ones(1, dtype=torch.float64))
    decoded = two_hot_mean(torch.log(target), support)
    torch.testing.assert_close(decoded, torch.tensor([value], dtype=torch.float64), rtol=1e-6, atol=1e-6)


def test_values_beyond_the_support_are_clamped_to_its_ends():
    support = torch.linspace(-2, 2, 9)
    target = two_hot(torch.tensor([1e6, -1e6]), support)
    torch.testing.assert_close(target[0], F.one_hot(torch.tensor(8), 9).float())
    torch.testing.assert_close(target[1], F.one_hot(torch.tensor(0), 9).float())


def test_two_hot_loss_is_least_at_its_target():
    support = torch.linspace(-5, 5, 21, dtype=torch.float64)
    value = torch.tensor([3.3], dtype=torch.float64)
    best = torch.log(two_hot(value, support) + 1e-9)
    other = torch.log(two_hot(value + 2, support) + 1e-9)
    assert two_hot_loss(best, value, support) < two_hot_loss(other, value, support)
