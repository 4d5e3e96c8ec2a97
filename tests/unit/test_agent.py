"""The agent: decisions from observations, and what it does when something is not finite."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from robot_agent_kernels import PlanState, PlanStatus

from robot_agent.agent import Agent, AgentConfig
from robot_agent.errors import BodyError
from robot_agent.planning.planner import PlannerConfig
from robot_agent.types import BodySpec, Source
from tests.small import AGENT

SPEC = BodySpec(cameras=(("main", (16, 16)),), proprio_dim=3, action_dim=2)


def observation(value: float = 0.5, pixel: int = 100) -> dict[str, np.ndarray]:
    return {"camera/main": np.full((16, 16, 3), pixel, np.uint8), "proprio": np.full(3, value, np.float32)}


def learned_agent(seed: int = 0, spec: BodySpec = SPEC, config: AgentConfig = AGENT) -> Agent:
    agent = Agent(spec, config, seed)
    generator = torch.Generator().manual_seed(seed)
    weights = {name: tensor.clone() for name, tensor in agent.mind.state_dict().items()}
    for name, _ in agent.mind.named_parameters():
        weights[name] += 0.1 * torch.randn(weights[name].shape, generator=generator)
    agent.load_weights(weights, version=1)
    return agent


def test_it_acts_at_random_until_it_has_learned_and_plans_then():
    agent = Agent(SPEC, AGENT)
    _, state = agent.act({"agent": observation()}, agent.initial_state())
    assert state.decision is not None
    assert state.decision.source == (Source.RANDOM,)
    _, state = learned_agent().act({"agent": observation()}, agent.initial_state())
    assert state.decision is not None
    assert state.decision.source == (Source.PLAN,)


@pytest.mark.parametrize("spec", [SPEC, BodySpec(cameras=(), proprio_dim=3, action_dim=2, goal_dim=2)])
def test_warming_up_plans_also_before_anything_was_learned_and_leaves_no_trace(
    spec: BodySpec, monkeypatch: pytest.MonkeyPatch
):
    agent, plans = Agent(spec, AGENT), []
    plan = agent.planner.plan
    monkeypatch.setattr(agent.planner, "plan", lambda *args, **named: plans.append(1) or plan(*args, **named))
    agent.warm_up(decisions=3)
    assert len(plans) == 3
    assert agent.weights_version == 0
    learned = learned_agent()
    learned.warm_up(decisions=1)
    assert learned.weights_version == 1


def test_a_decision_can_be_repeated():
    agent = learned_agent()
    state = agent.initial_state(episode=5)
    first, _ = agent.act({"agent": observation()}, state)
    again, _ = agent.act({"agent": observation()}, state)
    other, _ = agent.act({"agent": observation()}, agent.initial_state(episode=6))
    np.testing.assert_array_equal(first["agent"], again["agent"])
    assert not np.array_equal(first["agent"], other["agent"])


@pytest.mark.parametrize("learned", [False, True])
def test_a_decision_is_the_same_whichever_robots_are_decided_for_with_it(learned: bool):
    agent = learned_agent() if learned else Agent(SPEC, AGENT)
    seen = {name: observation(0.1 * place, pixel=20 * place) for place, name in enumerate("abc")}

    def two_decisions(company: str) -> dict[str, np.ndarray]:
        state = agent.initial_state(tuple(company))
        observations = {name: seen[name] for name in company}
        for name in company:  # the episodes are not the same ones
            state = agent.begin_episode(state, name, ord(name))
        first, state = agent.act(observations, state)
        second, _ = agent.act(observations, state)
        return {name: np.stack([first[name], second[name]]) for name in company}

    alone = {name: two_decisions(name)[name] for name in "abc"}
    for company in ("ab", "ba", "cab"):
        for name, actions in two_decisions(company).items():
            np.testing.assert_allclose(actions, alone[name], atol=1e-4)  # sums of other shapes are rounded otherwise
    assert len({actions.tobytes() for actions in alone.values()}) == 3


def test_robots_that_see_the_same_draw_noise_of_their_own():
    agent = learned_agent()
    actions, _ = agent.act(dict.fromkeys("ab", observation()), agent.initial_state(("a", "b")))
    assert not np.array_equal(actions["a"], actions["b"])


class Constant:
    """Proposes one action for all steps, and one as far from it as can be."""

    name, count = "constant", 2

    def propose(
        self, latent: torch.Tensor, goal: torch.Tensor, context: torch.Tensor, state: PlanState
    ) -> torch.Tensor:
        robots, horizon, action_dim = state.mean.shape
        assert latent.shape == (robots, AGENT.mind.encoder.latent_dim)
        one = torch.full((robots, 1, horizon, action_dim), 0.4)
        return torch.cat([one, -one], dim=1)


def test_proposals_are_candidates_of_each_plan_and_whose_the_elites_are_is_known():
    search = replace(AGENT.planner.search, samples=0, policy_samples=0, elites=1, iterations=1, min_std=1e-6)
    config = replace(AGENT, planner=replace(AGENT.planner, search=search))
    agent = Agent(SPEC, config, proposers=[Constant()])
    agent.load_weights(learned_agent().mind.state_dict(), version=1)
    actions, state = agent.act({"agent": observation()}, agent.initial_state(), explore=False)
    np.testing.assert_allclose(np.abs(actions["agent"]), 0.4, rtol=1e-5)
    assert state.decision is not None
    assert {name: share.tolist() for name, share in state.decision.elite_shares.items()} == {
        "constant": [1.0],
        "policy": [0.0],
        "samples": [0.0],
    }


def test_without_proposers_the_elites_are_the_policys_and_sampled_ones():
    agent = learned_agent()
    _, state = agent.act({"agent": observation()}, agent.initial_state())
    assert state.decision is not None
    shares = state.decision.elite_shares
    assert set(shares) == {"policy", "samples"}
    np.testing.assert_allclose(sum(shares.values()), 1.0, rtol=1e-5)


def test_acting_leaves_the_state_it_was_given_alone():
    agent = learned_agent()
    state = agent.initial_state()
    _, later = agent.act({"agent": observation()}, state)
    assert state.step.tolist() == [0]
    assert later.step.tolist() == [1]
    assert state.plan.fresh.all()
    assert (state.frames["main"] == 0).all()


def test_frames_are_stacked_and_an_episode_begins_with_its_first_frame():
    agent = learned_agent()
    _, state = agent.act({"agent": observation(pixel=10)}, agent.initial_state())
    assert state.frames["main"][0, :, 0, 0, 0].tolist() == [10, 10, 10]
    _, state = agent.act({"agent": observation(pixel=20)}, state)
    assert state.frames["main"][0, :, 0, 0, 0].tolist() == [10, 10, 20]
    _, state = agent.act({"agent": observation(pixel=30)}, agent.begin_episode(state, "agent", 1))
    assert state.frames["main"][0, :, 0, 0, 0].tolist() == [30, 30, 30]


@pytest.mark.parametrize("poison", [np.nan, np.inf])
def test_an_observation_that_is_not_finite_repeats_the_last_safe_action(poison: float):
    agent = learned_agent()
    safe, state = agent.act({"agent": observation()}, agent.initial_state())
    acted, state = agent.act({"agent": observation(poison)}, state)
    np.testing.assert_array_equal(acted["agent"], safe["agent"])
    assert state.decision is not None
    assert state.decision.fallback.tolist() == [True]
    assert state.decision.source == (Source.REPEATED,)
    _, state = agent.act({"agent": observation()}, state)
    assert state.decision is not None
    assert state.decision.fallback.tolist() == [False]
    assert state.decision.source == (Source.PLAN,)


def test_what_was_not_seen_leaves_the_plan_and_the_goal_as_they_were():
    agent = learned_agent(spec=replace(SPEC, goal_dim=2))
    goal = np.array([0.3, -0.7], np.float32)
    sees, blind, lost = (
        {**observation(value), "desired_goal": wanted}
        for value, wanted in ((0.5, goal), (np.nan, goal + 1), (0.5, np.array([np.nan, 1], np.float32)))
    )
    _, before = agent.act(dict.fromkeys("abc", sees), agent.initial_state(("a", "b", "c")))
    _, after = agent.act({"a": sees, "b": blind, "c": lost}, before)
    assert after.decision is not None
    assert after.decision.fallback.tolist() == [False, True, True]
    assert np.isfinite(after.decision.value).tolist() == [True, False, False]
    assert not torch.equal(after.plan.mean[0], before.plan.mean[0])
    assert torch.equal(after.plan.mean[1:], before.plan.mean[1:])
    assert torch.equal(after.plan.std[1:], before.plan.std[1:])
    assert after.goal.tolist() == [goal.tolist()] * 3


def test_a_first_observation_that_is_not_finite_leaves_no_plan():
    agent = learned_agent()
    _, state = agent.act({"agent": observation(np.nan)}, agent.initial_state())
    assert state.plan.fresh.tolist() == [True]


def test_a_deadline_ends_the_search_early_and_its_plan_is_still_acted_on(monkeypatch: pytest.MonkeyPatch):
    search = replace(AGENT.planner.search, iterations=40)
    results = []
    for deadline_ms in (None, 1e-6):
        agent = learned_agent(config=replace(AGENT, planner=PlannerConfig(search=search, deadline_ms=deadline_ms)))
        plan = agent.planner.plan
        monkeypatch.setattr(
            agent.planner, "plan", lambda *a, plan=plan, **k: results.append(plan(*a, **k)) or results[-1]
        )
        actions, state = agent.act({"agent": observation()}, agent.initial_state())
        assert state.decision is not None
        assert state.decision.fallback.tolist() == [False]
        np.testing.assert_array_equal(actions["agent"], results[-1].action[0].numpy())
    assert [result.iterations for result in results] == [40, 1]
    assert [result.status.item() for result in results] == [PlanStatus.OK, PlanStatus.DEADLINE]


def test_weights_that_are_not_finite_repeat_the_last_safe_action():
    agent = learned_agent()
    safe, state = agent.act({"agent": observation()}, agent.initial_state())
    agent.mind.world_model.dynamics.weights[0].fill_(torch.nan)
    agent.planner.refresh()
    acted, state = agent.act({"agent": observation()}, state)
    np.testing.assert_array_equal(acted["agent"], safe["agent"])
    assert state.decision is not None
    assert state.decision.source == (Source.REPEATED,)


def test_several_robots_are_decided_for_at_once_and_one_may_fail():
    agent = learned_agent()
    state = agent.initial_state(("a", "b"))
    actions, state = agent.act({"a": observation(np.nan), "b": observation()}, state)
    assert set(actions) == {"a", "b"}
    assert (actions["a"] == 0).all()
    assert np.isfinite(actions["b"]).all()
    assert state.decision is not None
    assert state.decision.fallback.tolist() == [True, False]
    assert state.decision.source == (Source.REPEATED, Source.PLAN)


def test_without_exploration_the_action_is_the_mean_of_the_best_plans():
    agent = learned_agent()
    _, state = agent.act({"agent": observation()}, agent.initial_state(), explore=False)
    torch.testing.assert_close(torch.from_numpy(state.action), state.plan.mean[:, 0])


def test_the_goal_is_the_worlds_where_it_gives_one_and_stays_where_it_does_not():
    agent = Agent(replace(SPEC, goal_dim=2), AGENT)
    state = replace(agent.initial_state(("a", "b")), goal=np.array([[1, 1], [2, 2]], np.float32))
    given = {**observation(), "desired_goal": np.array([5, 6], np.float32)}
    _, state = agent.act({"a": given, "b": observation()}, state)
    assert state.goal.tolist() == [[5, 6], [2, 2]]


def test_shapes_that_do_not_fit_are_one_sentence():
    agent = learned_agent()
    with pytest.raises(BodyError, match="proprio has shape"):
        agent.act({"agent": {**observation(), "proprio": np.zeros(9, np.float32)}}, agent.initial_state())
    with pytest.raises(BodyError, match="camera main"):
        agent.act({"agent": {**observation(), "camera/main": np.zeros((8, 8, 3), np.uint8)}}, agent.initial_state())
    with pytest.raises(BodyError, match="do not fit this body"):
        agent.load_weights(Agent(replace(SPEC, proprio_dim=5), AGENT).mind.state_dict(), 1)
