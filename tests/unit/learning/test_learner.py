"""The learner: what each loss is, and that it teaches."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch

from robot_agent.learning.checkpoint import flatten
from robot_agent.learning.learner import Learner, LearnerConfig
from robot_agent.learning.losses import LearningBatch, LossConfig, multi_step_targets, world_losses
from robot_agent.mind import Mind
from robot_agent.types import BodySpec
from tests.small import MIND

SPEC = BodySpec((), 4, 2)
CONFIG = LearnerConfig(batch_size=32)


def make_batch(windows: int = 32, horizon: int = 3, seed: int = 0) -> LearningBatch:
    """A linear world: proprio adds half of the action; the reward is the first number."""
    g = torch.Generator().manual_seed(seed)
    proprio = [torch.randn(windows, 4, generator=g)]
    actions = 2 * torch.rand(windows, horizon, 2, generator=g) - 1
    for step in range(horizon):
        proprio.append(proprio[-1] + 0.5 * torch.cat([actions[:, step], actions[:, step]], 1))
    states = torch.stack(proprio, 1)
    return LearningBatch(
        cameras={},
        proprio=states,
        actions=actions,
        rewards=states[:, 1:, 0],
        reward_known=torch.ones(windows, horizon),
        terminated=torch.zeros(windows, horizon),
        goal=torch.zeros(windows, 0),
    )


def test_targets_are_multi_step_returns_closed_by_the_least_q():
    mind = Mind(SPEC, MIND)
    torch.nn.init.normal_(mind.value.network.weights[-1], std=0.3)
    batch = make_batch()
    latent = torch.softmax(torch.randn(32, 4, 8), 1).flatten(1)
    goal, noise = torch.ones(32, 8), torch.randn(32, 2)
    targets = multi_step_targets(batch, latent, goal, mind, mind.value.network.params(), noise)
    action, _ = mind.policy.sample(latent, goal, noise)
    last = mind.value.mean(mind.value(latent, action, goal)).amin(0)
    r, discount = batch.rewards, MIND.discount
    torch.testing.assert_close(targets[:, 2], r[:, 2] + discount * last)
    torch.testing.assert_close(targets[:, 0], r[:, 0] + discount * r[:, 1] + discount**2 * r[:, 2] + discount**3 * last)


def test_a_terminal_step_has_no_value_after_it():
    mind = Mind(SPEC, MIND)
    torch.nn.init.normal_(mind.value.network.weights[-1], std=0.3)
    terminated = torch.zeros(32, 3)
    terminated[:, -1] = 1
    batch = replace(make_batch(), terminated=terminated)
    latent = torch.softmax(torch.randn(32, 4, 8), 1).flatten(1)
    targets = multi_step_targets(
        batch, latent, torch.ones(32, 8), mind, mind.value.network.params(), torch.randn(32, 2)
    )
    torch.testing.assert_close(targets[:, 2], batch.rewards[:, 2])


def losses_of(mind: Mind, batch: LearningBatch, config: LossConfig):
    with torch.no_grad():
        target = mind.encoder(batch.cameras, batch.proprio[:, 1:])
    goal = mind.goal_encoder(batch.goal)
    return world_losses(mind, target, torch.ones(32, 3), goal, batch, config)


def test_gradients_of_reward_and_value_reach_the_encoder_only_if_they_shall():
    mind = Mind(SPEC, MIND)
    torch.nn.init.normal_(mind.value.network.weights[-1])
    batch = make_batch()
    only_value = LossConfig(consistency=0, reward=0, value=1, guard=0)
    for shape_encoder in (True, False):
        mind.zero_grad()
        losses_of(mind, batch, replace(only_value, shape_encoder=shape_encoder)).total.backward()
        gradient = sum(float(p.grad.abs().sum()) for p in mind.encoder.parameters() if p.grad is not None)
        assert (gradient > 0) == shape_encoder


def test_neither_the_encoder_nor_the_dynamics_depends_on_the_goal():
    spec = replace(SPEC, goal_dim=2)
    mind = Mind(spec, MIND)
    batch = replace(make_batch(), goal=torch.randn(32, 2))
    other = replace(batch, goal=torch.randn(32, 2))
    for name in ("consistency", "guard"):
        torch.testing.assert_close(
            losses_of(mind, batch, LossConfig()).parts[name], losses_of(mind, other, LossConfig()).parts[name]
        )


def test_unknown_rewards_teach_neither_reward_nor_value():
    mind = Mind(SPEC, MIND)
    batch = replace(make_batch(), reward_known=torch.zeros(32, 3))
    parts = losses_of(mind, batch, LossConfig()).parts
    assert parts["reward"] == 0
    assert parts["value"] == 0
    assert parts["consistency"] > 0


def test_a_return_is_known_only_where_all_later_rewards_are():
    mind = Mind(SPEC, MIND)
    known = torch.ones(32, 3)
    known[:, 1] = 0
    decay = LossConfig().temporal_decay
    whole = losses_of(mind, make_batch(), LossConfig()).parts
    part = losses_of(mind, replace(make_batch(), reward_known=known), LossConfig()).parts
    # All Qs are equal at the start, so each step's loss is the same but for its weight.
    share = decay**2 / (1 + decay + decay**2)
    torch.testing.assert_close(part["value"] / whole["value"], torch.tensor(share))


@pytest.mark.parametrize(
    ("latent", "updates", "of_standing_still", "of_the_opposite"),
    [("simnorm", 250, 0.8, 0.3), ("fsq", 500, 0.9, 0.5)],  # a step of this world is about a level of a code
)
def test_learning_predicts_the_next_latent_and_the_reward(
    latent: str, updates: int, of_standing_still: float, of_the_opposite: float
):
    learner = Learner(Mind(SPEC, replace(MIND, encoder=replace(MIND.encoder, latent=latent))), CONFIG)
    first = learner.update(make_batch(seed=0))
    for seed in range(1, updates):
        last = learner.update(make_batch(seed=seed))
    assert last["loss_reward"] < 0.7 * first["loss_reward"]
    mind, batch = learner.mind, make_batch(seed=999)
    latents = mind.encoder({}, batch.proprio)
    predicted = mind.world_model.heads(latents[:, 0], batch.actions[:, 0], torch.zeros(32, 0)).mean(0)
    error = (predicted - latents[:, 1]).square().sum()
    assert error < of_standing_still * (latents[:, 0] - latents[:, 1]).square().sum()
    backwards = mind.world_model.heads(latents[:, 0], -batch.actions[:, 0], torch.zeros(32, 0)).mean(0)
    assert error < of_the_opposite * (backwards - latents[:, 1]).square().sum()


def test_targets_follow_slowly():
    learner = Learner(Mind(SPEC, MIND), replace(CONFIG, target_rate=0.25))
    before = [p.clone() for p in learner.target_value.parameters()]
    learner.update(make_batch())
    for old, target, source in zip(
        before, learner.target_value.parameters(), learner.mind.value.parameters(), strict=True
    ):
        torch.testing.assert_close(target, old + 0.25 * (source - old))


def state_of(learner: Learner) -> dict[str, torch.Tensor]:
    """Every tensor that the next update depends on, copied."""
    return {name: tensor.clone() for name, tensor in flatten(learner.state_dict())[0].items()}


def assert_skips(learner: Learner, batch: LearningBatch) -> None:
    before, updates, skipped = state_of(learner), learner.updates, learner.skipped_updates
    assert learner.update(batch) == {"skipped": torch.ones(())}
    assert (learner.updates, learner.skipped_updates) == (updates, skipped + 1)
    after = state_of(learner)
    assert after.keys() == before.keys()
    for name, tensor in after.items():
        assert torch.equal(tensor, before[name]), name


def final_batch() -> LearningBatch:
    """A batch in which the first episodes end, so that skipping it must also forget that."""
    terminated = torch.zeros(32, 3)
    terminated[:, -1] = 1
    return replace(make_batch(seed=1), terminated=terminated)


@pytest.mark.parametrize("where", ["rewards", "proprio", "actions"])
@pytest.mark.parametrize("poison", [torch.nan, torch.inf])
def test_a_batch_that_is_not_finite_changes_nothing(poison: float, where: str):
    learner = Learner(Mind(SPEC, MIND), CONFIG)
    learner.update(make_batch())
    batch = final_batch()
    getattr(batch, where)[3, 0] = poison
    assert_skips(learner, batch)


@pytest.mark.parametrize("updates", [0, 1])
@pytest.mark.parametrize("weight", ["consistency", "entropy"])  # of the world's loss, and of the policy's
def test_a_loss_that_is_not_finite_changes_nothing(weight: str, updates: int):
    learner = Learner(Mind(SPEC, MIND), CONFIG)
    for seed in range(updates):
        learner.update(make_batch(seed=seed))
    learner.config = replace(CONFIG, losses=replace(CONFIG.losses, **{weight: torch.inf}))
    assert_skips(learner, final_batch())


@pytest.mark.parametrize("module", ["encoder", "policy"])
def test_a_gradient_that_is_not_finite_changes_nothing(module: str):
    learner = Learner(Mind(SPEC, MIND), CONFIG)
    learner.update(make_batch())
    parameter = next(getattr(learner.mind, module).parameters())
    hook = parameter.register_hook(lambda gradient: torch.full_like(gradient, torch.nan))
    assert_skips(learner, final_batch())
    hook.remove()
    assert "skipped" not in learner.update(final_batch())


def test_a_skipped_update_leaves_no_trace_in_those_after_it():
    learner, other = (Learner(Mind(SPEC, MIND), CONFIG) for _ in range(2))
    hook = next(other.mind.policy.parameters()).register_hook(lambda gradient: gradient * torch.nan)
    assert_skips(other, final_batch())
    hook.remove()
    for each in (learner, other):
        each.update(make_batch())
        each.update(final_batch())
    expected = state_of(other)
    for name, tensor in state_of(learner).items():
        assert torch.equal(tensor, expected[name]), name


def test_a_restored_learner_goes_on_exactly():
    learner, other = (Learner(Mind(SPEC, MIND, seed=s), CONFIG, seed=s) for s in (0, 1))
    for seed in range(3):
        learner.update(make_batch(seed=seed))
    other.load_state_dict(copy.deepcopy(learner.state_dict()))
    for each in (learner, other):
        each.update(make_batch(seed=9))
    for name, tensor in learner.mind.state_dict().items():
        assert torch.equal(tensor, other.mind.state_dict()[name]), name


def test_the_termination_head_learns_once_an_episode_was_terminated():
    learner = Learner(Mind(SPEC, MIND), CONFIG)
    learner.update(make_batch())
    assert not learner.mind.world_model.terminations_seen
    for seed in range(300):
        batch = make_batch(seed=seed)
        ends = torch.zeros(32, 3)
        ends[:, 2] = (batch.proprio[:, 3, 0] > 0).float()
        gauges = learner.update(replace(batch, terminated=ends))
    assert learner.mind.world_model.terminations_seen
    batch = make_batch(seed=999)
    latents = learner.mind.encoder({}, batch.proprio)[:, 3]
    logits = learner.mind.world_model.termination_logit(latents)
    far = batch.proprio[:, 3, 0]
    assert logits[far > 0.7].mean() > logits[far < -0.7].mean() + 0.5
    assert "loss_termination" in gauges
