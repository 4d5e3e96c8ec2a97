"""The world model: what it reads, what it never reads, how sure it is, and where it says that an episode ends."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from robot_agent_kernels import rollout

from robot_agent.encoder.encoder import EncoderConfig
from robot_agent.mind import Mind
from robot_agent.types import BodySpec
from robot_agent.world_model.world_model import WorldModel, WorldModelConfig
from tests.small import MIND

SPEC = BodySpec((), proprio_dim=3, action_dim=2, goal_dim=2)
LATENT = MIND.encoder.latent_dim


@pytest.fixture(autouse=True)
def _the_same_weights_each_time() -> None:
    torch.manual_seed(0)


def world_model(config: WorldModelConfig = MIND.world_model, encoder: EncoderConfig = MIND.encoder) -> WorldModel:
    return WorldModel(LATENT, encoder.space(), 2, config)


def learned_mind(seed: int = 0) -> Mind:
    """A mind whose every head has an opinion."""
    mind = Mind(SPEC, MIND, seed).requires_grad_(False)
    generator = torch.Generator().manual_seed(seed)
    for parameter in mind.parameters():
        parameter += 0.1 * torch.randn(parameter.shape, generator=generator)
    return mind


def inputs(rows: int = 4, context: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    latent = MIND.encoder.space().from_embedding(torch.randn(rows, LATENT, generator=generator))
    return latent, torch.rand(rows, 2, generator=generator) * 2 - 1, torch.randn(rows, context, generator=generator)


def imagined(mind: Mind, goal: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    latent, _, context = inputs()
    actions = torch.rand(4, 6, 3, 2, generator=torch.Generator().manual_seed(2)) * 2 - 1
    return rollout(mind.rollout_params(), latent, actions, mind.goal_encoder(goal), context, backend="reference")


@pytest.mark.parametrize("terminates", [False, True])
def test_a_goal_changes_what_is_worth_doing_but_not_what_happens(terminates: bool):
    mind = learned_mind()
    mind.world_model.terminations_seen.fill_(terminates)
    one, other = (imagined(mind, torch.full((4, 2), value)) for value in (-1.0, 1.0))
    assert not torch.allclose(one[0], other[0])
    assert torch.equal(one[1], other[1])
    assert torch.equal(one[2], other[2])


@pytest.mark.parametrize("latent", ["simnorm", "fsq"])
def test_each_head_predicts_a_latent_from_latent_and_action(latent: str):
    encoder = replace(MIND.encoder, latent=latent)
    model = world_model(encoder=encoder)
    torch.nn.init.normal_(model.dynamics.weights[-1])
    before, action, context = inputs()
    heads = model.heads(before, action, context)
    assert heads.shape == (2, 4, LATENT)
    assert not torch.allclose(heads, model.heads(before.flip(0), action, context))
    assert not torch.allclose(heads, model.heads(before, -action, context))
    if latent == "simnorm":
        torch.testing.assert_close(heads.unflatten(-1, (encoder.simplex_dim, -1)).sum(-2), torch.ones(2, 4, 8))
    else:
        assert heads.abs().max() <= 1


def test_a_context_is_read_where_there_is_one():
    model = world_model(replace(MIND.world_model, context_dim=3))
    latent, action, context = inputs(context=3)
    assert not torch.allclose(model.heads(latent, action, context), model.heads(latent, action, context + 1))


def test_heads_that_agree_are_sure_and_heads_that_differ_are_not():
    mind = learned_mind()
    goal = torch.zeros(4, 2)
    assert (imagined(mind, goal)[1] > 1e-4).all()
    for parameter in mind.world_model.dynamics.parameters():
        parameter[1] = parameter[0]
    torch.testing.assert_close(imagined(mind, goal)[1], torch.zeros(4, 6), atol=1e-9, rtol=0)


def test_an_end_that_is_certain_leaves_only_the_first_reward():
    mind = learned_mind()
    goal = torch.zeros(4, 2)
    mind.world_model.termination.biases[-1].fill_(50.0)
    endless = imagined(mind, goal)[0]
    mind.world_model.terminations_seen.fill_(True)
    ended = imagined(mind, goal)[0]
    latent, _, _ = inputs()
    actions = torch.rand(4, 6, 3, 2, generator=torch.Generator().manual_seed(2)) * 2 - 1
    goals = mind.goal_encoder(goal).repeat_interleave(6, 0)
    logits = mind.reward(latent.repeat_interleave(6, 0), actions[:, :, 0].flatten(0, 1), goals)
    torch.testing.assert_close(ended.flatten(), mind.reward.mean(logits)[0])
    assert not torch.allclose(ended, endless)


def test_the_termination_head_has_no_opinion_before_evidence_and_can_form_one():
    model = world_model()
    latent, _, _ = inputs(rows=64)
    assert not model.termination_logit(latent).any()
    ends = latent[:, 0] > latent[:, 0].median()
    optimiser = torch.optim.Adam(model.termination.parameters(), lr=0.01)
    for _ in range(200):
        optimiser.zero_grad()
        torch.nn.functional.binary_cross_entropy_with_logits(model.termination_logit(latent), ends.float()).backward()
        optimiser.step()
    assert torch.equal(model.termination_logit(latent) > 0, ends)
