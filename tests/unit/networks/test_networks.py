"""The building blocks of the learned modules."""

from __future__ import annotations

import pytest
import torch

from robot_agent.networks.camera_tower import CameraTower
from robot_agent.networks.mlp import MLP


@pytest.fixture(autouse=True)
def _the_same_weights_each_time() -> None:
    torch.manual_seed(0)


def test_members_of_an_ensemble_begin_apart_and_learn_apart():
    network = MLP(4, (8,), 3, ensemble=2)
    inputs = torch.randn(5, 4)
    first, second = network(inputs)
    assert not torch.allclose(first, second)
    first.sum().backward()
    assert all(weight.grad is not None and weight.grad[0].any() for weight in network.weights)
    assert all(weight.grad is not None and not weight.grad[1].any() for weight in network.weights)


def test_each_member_may_read_rows_of_its_own():
    network = MLP(4, (8,), 3, ensemble=2)
    inputs = torch.randn(2, 5, 4)
    outputs = network(inputs)
    for member in range(2):
        torch.testing.assert_close(outputs[member], network(inputs[member])[member])


def test_an_output_of_zero_still_learns():
    network = MLP(4, (8,), 3, zero_output=True)
    outputs = network(torch.randn(5, 4))
    assert not outputs.any()
    (outputs - 1).square().sum().backward()
    assert network.weights[-1].grad is not None
    assert network.weights[-1].grad.any()


def test_the_parameters_are_the_networks_own_tensors():
    network = MLP(4, (8, 8), 3)
    params = network.params()
    assert all(ours is theirs for ours, theirs in zip(params.weights, network.weights, strict=True))
    assert all(ours is theirs for ours, theirs in zip(params.biases, network.biases, strict=True))


def test_a_frame_is_described_alone_and_by_its_content():
    tower = CameraTower(16, 24, (4, 4, 4), features=6)
    frames = torch.rand(3, 3, 16, 24)
    features = tower(frames)
    assert features.shape == (3, 6)
    torch.testing.assert_close(tower(frames[1:2])[0], features[1])
    assert not torch.allclose(features[0], features[1])


def test_a_tower_learns_down_to_its_first_layer():
    tower = CameraTower(16, 16, (8, 8, 8), features=6)
    tower(torch.rand(8, 3, 16, 16))[:, 0].sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in tower.parameters())
