"""The encoder and its parts."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from robot_agent.encoder.augmentation import random_shift
from robot_agent.encoder.collapse_guard import collapse_guard, effective_rank
from robot_agent.encoder.encoder import Encoder
from robot_agent.encoder.normaliser import RunningNormaliser
from robot_agent.errors import RobotAgentError
from robot_agent.types import BodySpec
from tests.small import MIND

CONFIG = MIND.encoder
BOTH = BodySpec(cameras=(("main", (16, 16)),), proprio_dim=4, action_dim=2)


def streams(steps: int = 5, windows: int = 2):
    g = torch.Generator().manual_seed(0)
    frames = torch.randint(0, 256, (windows, CONFIG.frame_stack - 1 + steps, 16, 16, 3), generator=g, dtype=torch.uint8)
    return {"main": frames}, torch.randn(windows, steps, 4, generator=g)


@pytest.mark.parametrize("spec", [BOTH, replace(BOTH, cameras=()), replace(BOTH, proprio_dim=0)])
def test_either_stream_may_be_absent(spec: BodySpec):
    cameras, proprio = streams()
    latent = Encoder(spec, CONFIG)(cameras, proprio[..., : spec.proprio_dim])
    assert latent.shape == (2, 5, CONFIG.latent_dim)
    torch.testing.assert_close(latent.sum(-1), torch.full((2, 5), CONFIG.latent_dim / CONFIG.simplex_dim))


def test_a_quantised_latent_is_made_of_levels_and_lets_gradients_through():
    encoder = Encoder(BOTH, replace(CONFIG, latent="fsq"))
    latent = encoder(*streams())
    five, three = latent.unflatten(-1, (2, -1)).unbind(-2)
    assert set((2 * five).unique().tolist()) <= {-2, -1, 0, 1, 2}
    assert set(three.unique().tolist()) <= {-1, 0, 1}
    latent.square().sum().backward()
    assert all(float(parameter.grad.abs().sum()) > 0 for parameter in encoder.fusion.weights)


@pytest.mark.parametrize("latent", ["simnorm", "fsq"])
def test_a_latent_that_its_groups_do_not_divide_is_refused(latent: str):
    with pytest.raises(RobotAgentError, match="cannot be cut into groups"):
        Encoder(BOTH, replace(CONFIG, latent=latent, latent_dim=31))


def test_a_sequence_encodes_as_its_stacks_do_one_by_one():
    encoder = Encoder(BOTH, CONFIG)
    cameras, proprio = streams()
    together = encoder(cameras, proprio)
    for step in range(5):
        stack = {"main": cameras["main"][:, step : step + CONFIG.frame_stack]}
        torch.testing.assert_close(encoder(stack, proprio[:, step : step + 1])[:, 0], together[:, step])


def test_both_streams_matter():
    encoder = Encoder(BOTH, CONFIG)
    cameras, proprio = streams()
    latent = encoder(cameras, proprio)
    assert not torch.allclose(latent, encoder(cameras, proprio + 1))
    assert not torch.allclose(latent, encoder({"main": 255 - cameras["main"]}, proprio))


def test_normaliser_agrees_with_the_statistics_of_all_rows_whatever_their_cut():
    rows = 3 + 2 * torch.randn(1000, 3, generator=torch.Generator().manual_seed(0))
    normaliser = RunningNormaliser(3)
    for part in rows.split([1, 99, 500, 400]):
        normaliser.update(part)
    torch.testing.assert_close(normaliser.mean.float(), rows.mean(0))
    normed = normaliser(rows)
    torch.testing.assert_close(normed.mean(0), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(normed.std(0), torch.ones(3), atol=1e-3, rtol=0)


def test_normaliser_leaves_values_alone_before_it_has_seen_any_and_clips_jumps():
    normaliser = RunningNormaliser(2)
    torch.testing.assert_close(normaliser(torch.ones(1, 2)), torch.ones(1, 2))
    normaliser.update(torch.randn(100, 2))
    assert normaliser(torch.full((1, 2), 1e9)).abs().max() == 10


def test_a_dimension_that_never_varies_is_not_blown_up():
    normaliser = RunningNormaliser(1)
    normaliser.update(torch.full((100, 1), 5.0))
    assert normaliser(torch.full((1, 1), 5.00001)).abs().item() < 0.05


@pytest.mark.parametrize("unit", [1e-6, 1e-3, 1e3, 1e6])
def test_the_unit_of_a_reading_does_not_matter(unit: float):
    readings = 3 + torch.randn(200, 4, generator=torch.Generator().manual_seed(0))
    normaliser, other = RunningNormaliser(4), RunningNormaliser(4)
    normaliser.update(readings)
    other.update(unit * readings)
    torch.testing.assert_close(other(unit * readings), normaliser(readings), atol=1e-4, rtol=1e-4)


def test_rows_that_are_not_known_do_not_count():
    readings = torch.randn(100, 4, generator=torch.Generator().manual_seed(0))
    known = (torch.arange(100) % 3 > 0).float()
    normaliser, other = RunningNormaliser(4), RunningNormaliser(4)
    normaliser.update(readings[known > 0])
    other.update(readings, known)
    other.update(readings, torch.zeros(100))
    for name, statistic in normaliser.state_dict().items():
        torch.testing.assert_close(other.state_dict()[name], statistic)


def test_random_shift_moves_every_frame_of_a_window_alike_and_repeats_the_border():
    frames = torch.arange(2 * 3 * 8 * 8 * 3).reshape(2, 3, 8, 8, 3)
    shifted = random_shift(frames, 2, torch.Generator().manual_seed(1))
    seen = set()
    for window in range(2):
        matches = [
            (down, right)
            for down in range(-2, 3)
            for right in range(-2, 3)
            if torch.equal(shifted[window], moved(frames[window], down, right))
        ]
        assert len(matches) == 1
        seen.add(matches[0])
    assert seen != {(0, 0)}


def moved(frames: torch.Tensor, down: int, right: int) -> torch.Tensor:
    rows = (torch.arange(8) - down).clamp(0, 7)
    columns = (torch.arange(8) - right).clamp(0, 7)
    return frames[:, rows][:, :, columns]


def test_the_guard_is_high_for_a_collapsed_and_for_a_redundant_embedding():
    g = torch.Generator().manual_seed(0)
    rich = 2 * torch.randn(500, 16, generator=g)
    collapsed = 1e-3 * rich
    redundant = rich[:, :1].expand(-1, 16)
    assert collapse_guard(rich) < 0.05
    assert collapse_guard(collapsed) > 0.5
    assert collapse_guard(redundant) > 0.5


def test_the_guard_pushes_a_collapsed_embedding_apart():
    weight = torch.nn.Parameter(1e-2 * torch.randn(8, 8, generator=torch.Generator().manual_seed(0)))
    inputs = torch.randn(200, 8, generator=torch.Generator().manual_seed(1))
    optimiser = torch.optim.Adam([weight], lr=0.05)
    for _ in range(100):
        optimiser.zero_grad()
        collapse_guard(inputs @ weight).backward()
        optimiser.step()
    assert (inputs @ weight).std(0).min() > 0.8


def test_effective_rank_counts_the_directions_that_are_used():
    g = torch.Generator().manual_seed(0)
    rows = torch.randn(400, 3, generator=g) @ torch.linalg.qr(torch.randn(10, 10, generator=g))[0][:3]
    assert effective_rank(rows) == pytest.approx(3, abs=0.2)
    assert effective_rank(torch.zeros(10, 4)) == pytest.approx(1, abs=0.1)
