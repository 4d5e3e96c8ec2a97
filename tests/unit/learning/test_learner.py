"""The learner: what each loss is, and that it teaches."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from robot_agent.learning.batch import LearningBatch
from robot_agent.learning.checkpoint import flatten
from robot_agent.learning.learner import Learner, LearnerConfig, LossConfig
from robot_agent.learning.targets import Returns, multi_step_returns
from robot_agent.learning.terms import TERMS, evaluate_terms
from robot_agent.learning.terms.term import TermConfig
from robot_agent.learning.unroll import LatentRollout, unroll
from robot_agent.mind import Mind
from robot_agent.types import BodySpec
from tests.small import MIND

SPEC = BodySpec((), 4, 2)
CONFIG = LearnerConfig(batch_size=32)


FIELDS = (
    "proprio",
    "actions",
    "rewards",
    "reward_known",
    "terminated",
    "lived_ends",
    "steps_known",
    "observations_known",
    "goal",
)


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
        rewards=states[:, 1:, 0].double(),
        reward_known=torch.ones(windows, horizon),
        terminated=torch.zeros(windows, horizon),
        lived_ends=torch.zeros(windows, horizon),
        steps_known=torch.ones(windows, horizon),
        observations_known=torch.ones(windows, horizon + 1),
        goal=torch.zeros(windows, 0),
        ends=False,
    )


def shortened(batch: LearningBatch, steps: int, terminated: bool) -> LearningBatch:
    """The same sub-sequences, but the episode is over after so many steps; what follows is padding."""
    known = (torch.arange(batch.actions.shape[1]) < steps).float().expand(batch.rewards.shape)
    seen = (torch.arange(batch.proprio.shape[1]) <= steps).float().expand(batch.proprio.shape[:2])
    ends = torch.zeros_like(batch.terminated)
    ends[:, steps - 1] = float(terminated)
    return replace(
        batch,
        proprio=torch.where(seen[..., None] > 0, batch.proprio, batch.proprio[:, steps : steps + 1]),
        actions=batch.actions * known[..., None],
        rewards=batch.rewards * known,
        reward_known=batch.reward_known * known,
        terminated=ends,
        lived_ends=ends,
        steps_known=known,
        observations_known=seen,
        ends=terminated,
    )


def mind_with_values(seed: int = 0) -> Mind:
    """A mind whose Q functions differ from 0."""
    mind = Mind(SPEC, MIND, seed)
    torch.nn.init.normal_(mind.value.network.weights[-1], std=0.3)
    return mind


def latents_of(windows: int = 32, steps: int = 3) -> torch.Tensor:
    return torch.softmax(torch.randn(windows, steps, 4, 8), 2).flatten(2).transpose(1, 2).reshape(windows, steps, 32)


def returns_of(mind: Mind, batch: LearningBatch, latents: torch.Tensor, noise: torch.Tensor) -> Returns:
    rewards, goal = batch.rewards.float(), torch.ones(32, 8)
    return multi_step_returns(batch, rewards, latents, goal, mind, mind.value.network.params(), noise)


def least_q(mind: Mind, latent: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    goal = torch.ones(32, 8)
    action, _ = mind.policy.sample(latent, goal, noise)
    return mind.value.mean(mind.value(latent, action, goal)).amin(0)


def test_returns_are_multi_step_and_closed_by_the_least_q():
    mind, batch, latents, noise = mind_with_values(), make_batch(), latents_of(), torch.randn(32, 2)
    returns = returns_of(mind, batch, latents, noise)
    last = least_q(mind, latents[:, 2], noise)
    r, discount = batch.rewards.float(), MIND.discount
    torch.testing.assert_close(returns.value[:, 2], r[:, 2] + discount * last)
    expected = r[:, 0] + discount * r[:, 1] + discount**2 * r[:, 2] + discount**3 * last
    torch.testing.assert_close(returns.value[:, 0], expected)
    assert returns.known.all()


def test_a_terminal_step_has_no_value_after_it():
    mind, batch = mind_with_values(), shortened(make_batch(), 3, terminated=True)
    returns = returns_of(mind, batch, latents_of(), torch.randn(32, 2))
    torch.testing.assert_close(returns.value[:, 2], batch.rewards[:, 2].float())


@pytest.mark.parametrize("steps", [1, 2])
def test_the_return_of_a_short_episode_is_closed_where_it_ends(steps: int):
    mind, latents, noise = mind_with_values(), latents_of(), torch.randn(32, 2)
    discount = MIND.discount
    for terminated in (True, False):
        batch = shortened(make_batch(), steps, terminated)
        returns = returns_of(mind, batch, latents, noise)
        last = 0 if terminated else least_q(mind, latents[:, steps - 1], noise)
        r = batch.rewards.float()
        torch.testing.assert_close(returns.value[:, steps - 1], r[:, steps - 1] + discount * last)
        assert returns.known[:, :steps].all()
        assert not returns.known[:, steps:].any()


def test_a_return_is_unknown_where_what_closes_it_was_not_seen_unless_the_episode_was_terminated():
    mind, latents, noise = mind_with_values(), latents_of(), torch.randn(32, 2)
    for terminated in (True, False):
        batch = shortened(make_batch(), 2, terminated)
        seen = batch.observations_known.clone()
        seen[:, 2] = 0
        known = returns_of(mind, replace(batch, observations_known=seen), latents, noise).known
        assert known[:, :2].eq(float(terminated)).all()


def parts_of(mind: Mind, batch: LearningBatch, config: LossConfig | None = None) -> dict[str, torch.Tensor]:
    return loss_of(mind, batch, config or LossConfig())[1]


def loss_of(mind: Mind, batch: LearningBatch, config: LossConfig) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    with torch.no_grad():
        later = mind.encoder(batch.cameras, batch.proprio[:, 1:])
    goal = mind.goal_encoder(batch.goal)
    rewards = batch.rewards.float()
    returns = multi_step_returns(batch, rewards, later, goal, mind, mind.value.network.params(), torch.zeros(32, 2))
    returns = returns._replace(value=torch.ones(32, 3))
    rollout = unroll(mind, batch, later, goal, rewards, returns, batch.ends)
    return evaluate_terms(mind, rollout, config.weights, config.terms)


def test_gradients_of_reward_and_value_reach_the_encoder_only_where_asked():
    mind, batch = Mind(SPEC, MIND), make_batch()
    torch.nn.init.normal_(mind.value.network.weights[-1])
    only_value = {name: float(name == "value") for name in LossConfig().weights}
    for shape_encoder in (True, False):
        mind.zero_grad()
        loss_of(mind, batch, LossConfig(only_value, TermConfig(shape_encoder=shape_encoder)))[0].backward()
        gradient = sum(float(p.grad.abs().sum()) for p in mind.encoder.parameters() if p.grad is not None)
        assert (gradient > 0) == shape_encoder


def test_neither_the_encoder_nor_the_dynamics_depends_on_the_goal():
    mind = Mind(replace(SPEC, goal_dim=2), MIND)
    batch = replace(make_batch(), goal=torch.randn(32, 2))
    other = replace(batch, goal=torch.randn(32, 2))
    for name in ("consistency", "guard"):
        torch.testing.assert_close(parts_of(mind, batch)[name], parts_of(mind, other)[name])


def test_unknown_rewards_teach_neither_reward_nor_value():
    parts = parts_of(Mind(SPEC, MIND), replace(make_batch(), reward_known=torch.zeros(32, 3)))
    assert parts["reward"] == 0
    assert parts["value"] == 0
    assert parts["consistency"] > 0


def test_rewards_pull_as_hard_where_most_are_unknown():
    mind, batch = Mind(SPEC, MIND), make_batch()
    torch.nn.init.normal_(mind.reward.network.weights[-1])
    known = torch.zeros(32, 3)
    known[:6] = 1
    of_few = parts_of(mind, replace(batch, reward_known=known))
    alone = {name: getattr(batch, name)[:6].repeat(6, *[1] * (getattr(batch, name).dim() - 1))[:32] for name in FIELDS}
    of_all = parts_of(mind, replace(batch, **alone))
    torch.testing.assert_close(of_few["reward"], of_all["reward"], rtol=0.2, atol=0)


def test_a_return_is_known_only_where_all_later_rewards_are():
    known = torch.ones(32, 3)
    known[:, 1] = 0
    batch = replace(make_batch(), reward_known=known)
    returns = returns_of(mind_with_values(), batch, latents_of(), torch.randn(32, 2))
    assert returns.known[0].tolist() == [0, 0, 1]


@pytest.mark.parametrize("name", ["consistency", "termination", "reward", "value"])
def test_padding_teaches_nothing(name: str):
    mind = mind_with_values()
    torch.nn.init.normal_(mind.reward.network.weights[-1])
    torch.nn.init.normal_(mind.world_model.termination.weights[-1])
    batch = shortened(make_batch(), 1, terminated=True)
    other = replace(batch, actions=batch.actions.clone(), rewards=batch.rewards.clone())
    other.actions[:, 1:] = 1.0
    other.rewards[:, 1:] = 5.0
    torch.testing.assert_close(parts_of(mind, batch)[name], parts_of(mind, other)[name])
    assert parts_of(mind, batch)[name] > 0


def test_every_parameter_of_the_mind_learns():
    """A module that no optimiser knows would stay as it was made, in silence."""
    spec = BodySpec((("front", (32, 32)),), 4, 2, goal_dim=2)
    learner = Learner(Mind(spec, MIND), CONFIG)
    known = [parameter for group in learner.optimiser.param_groups for parameter in group["params"]]
    assert {id(parameter) for parameter in known} == {id(parameter) for parameter in learner.mind.parameters()}
    assert len(known) == len(set(known))


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
    """An update changes nothing but what is counted and drawn."""
    before, updates, skipped = state_of(learner), learner.updates, learner.skipped_updates
    assert learner.update(batch)["skipped"] == 1
    assert (learner.updates, learner.skipped_updates) == (updates, skipped + 1)
    after = state_of(learner)
    for name in before.keys() - {"/generator"}:
        assert torch.equal(after[name], before[name]), name
    for name in after.keys() - before.keys():  # the moments of Adam, made at its first step
        assert not after[name].any(), name


def final_batch() -> LearningBatch:
    """A batch in which the first episodes end, so that skipping it must also forget that."""
    return shortened(make_batch(seed=1), 3, terminated=True)


@pytest.mark.parametrize("where", ["rewards", "proprio", "actions"])
@pytest.mark.parametrize("poison", [torch.nan, torch.inf, -torch.inf])
def test_a_batch_that_is_not_finite_changes_nothing(poison: float, where: str):
    learner = Learner(Mind(SPEC, MIND), CONFIG)
    learner.update(make_batch())
    batch = final_batch()
    getattr(batch, where)[3, 0] = poison
    assert_skips(learner, batch)


@pytest.mark.parametrize("updates", [0, 1])
@pytest.mark.parametrize("term", ["consistency", "entropy"])  # of the world's loss, and of the policy's
def test_a_loss_that_is_not_finite_changes_nothing(term: str, updates: int):
    learner = Learner(Mind(SPEC, MIND), CONFIG)
    for seed in range(updates):
        learner.update(make_batch(seed=seed))
    losses = CONFIG.losses
    infinite = (
        replace(losses, entropy=torch.inf)
        if term == "entropy"
        else replace(losses, weights={**losses.weights, term: torch.inf})
    )
    learner.config = replace(CONFIG, losses=infinite)
    assert_skips(learner, final_batch())


@pytest.mark.parametrize("module", ["encoder", "policy"])
def test_a_gradient_that_is_not_finite_changes_nothing(module: str):
    learner = Learner(Mind(SPEC, MIND), CONFIG)
    learner.update(make_batch())
    parameter = next(getattr(learner.mind, module).parameters())
    hook = parameter.register_hook(lambda gradient: torch.full_like(gradient, torch.nan))
    assert_skips(learner, final_batch())
    hook.remove()
    assert learner.update(final_batch())["skipped"] == 0


class HostReads(TorchDispatchMode):
    """Counts what makes the host wait for a device: reads of single numbers, and shapes that depend on values."""

    WAITS = ("_local_scalar_dense", "nonzero", "is_nonzero", "equal", "masked_select", "unique", "bincount")

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        if name in self.WAITS or (name == "index" and any(i is not None and i.dtype == torch.bool for i in args[1])):
            self.seen.append(name)
        return func(*args, **(kwargs or {}))


def test_an_update_never_waits_for_the_device():
    learner = Learner(Mind(replace(SPEC, goal_dim=2), MIND), CONFIG)
    batch = replace(final_batch(), goal=torch.randn(32, 2))
    learner.update(batch)
    with HostReads() as reads:
        learner.update(batch)
        assert reads.seen == []
        assert learner.skipped_updates == 0
        assert reads.seen == ["_local_scalar_dense"]  # the control: this one waits


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
        metrics = learner.update(replace(batch, terminated=ends, lived_ends=ends, ends=True))
    assert learner.mind.world_model.terminations_seen
    batch = make_batch(seed=999)
    latents = learner.mind.encoder({}, batch.proprio)[:, 3]
    logits = learner.mind.world_model.termination_logit(latents)
    far = batch.proprio[:, 3, 0]
    assert logits[far > 0.7].mean() > logits[far < -0.7].mean() + 0.5
    assert "loss_termination" in metrics


def test_an_end_of_hindsight_closes_returns_but_is_no_end_to_the_termination_head():
    batch, ends = make_batch(), torch.ones(32, 3)
    lived, relabelled = (Learner(Mind(SPEC, MIND), CONFIG) for _ in range(2))
    for _ in range(20):
        lived.update(replace(batch, terminated=ends, lived_ends=ends, ends=True))
        metrics = relabelled.update(replace(batch, terminated=ends, ends=True))
    assert metrics["loss_termination"] < 0.5
    with torch.no_grad():
        latents = [learner.mind.encoder({}, batch.proprio)[:, 0] for learner in (lived, relabelled)]
        ended, went_on = (
            torch.sigmoid(learner.mind.world_model.termination_logit(latent)).mean()
            for learner, latent in zip((lived, relabelled), latents, strict=True)
        )
    assert ended > 0.5 > went_on


def test_a_new_term_is_a_line_in_the_table(monkeypatch: pytest.MonkeyPatch):
    def small_latents(mind: Mind, rollout: LatentRollout, config: TermConfig) -> torch.Tensor:
        return rollout.embedding.square().mean()

    monkeypatch.setitem(TERMS, "small_latents", (small_latents, 100.0))
    learner = Learner(Mind(SPEC, MIND), LearnerConfig(batch_size=32))
    first = learner.update(make_batch(seed=0))["loss_small_latents"]
    for seed in range(1, 30):
        last = learner.update(make_batch(seed=seed))["loss_small_latents"]
    assert last < 0.5 * first
