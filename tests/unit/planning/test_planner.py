"""The planner: what it hands to the rollout core, through an agent as it lives."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from robot_agent_kernels import BuildError, PlanConfig, PlanResult, PlanStatus, Seeds

from robot_agent.agent import Agent
from robot_agent.errors import RobotAgentError
from robot_agent.planning.planner import PlannerConfig
from robot_agent.types import BodySpec
from tests.small import AGENT

SPEC = BodySpec((), proprio_dim=3, action_dim=2, goal_dim=2)
SEARCH = PlanConfig(samples=16, policy_samples=4, iterations=2, elites=4, value_members=3)
ROBOTS = 2


def learned_agent(search: PlanConfig = SEARCH, deadline_ms: float | None = None) -> Agent:
    agent = Agent(SPEC, replace(AGENT, planner=PlannerConfig(search=search, deadline_ms=deadline_ms)))
    change_weights(agent)
    agent.planner.refresh()
    return agent


def change_weights(agent: Agent) -> None:
    generator = torch.Generator().manual_seed(0)
    for parameter in agent.mind.parameters():
        parameter += 0.1 * torch.randn(parameter.shape, generator=generator)


def seen() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Latent, goal and context of two robots."""
    latent = torch.randn(ROBOTS, AGENT.mind.encoder.latent_dim, generator=torch.Generator().manual_seed(1))
    return AGENT.mind.encoder.space().from_embedding(latent), torch.ones(ROBOTS, 2), torch.zeros(ROBOTS, 0)


def plan(agent: Agent, seed: int = 3, **changes: torch.Tensor) -> PlanResult:
    latent, goal, context = seen()
    arguments = {"latent": latent, "goal": goal, "context": context} | changes
    arguments["goal"] = agent.mind.goal_encoder(arguments["goal"])
    return agent.planner.plan(**arguments, state=agent.initial_state("ab").plan, seeds=Seeds((seed, seed + 100)))


def test_the_best_proposal_becomes_the_plan():
    """Offered what a long search found, a search of few samples takes it; without the offer it finds less."""
    best = plan(learned_agent(replace(SEARCH, samples=2048, iterations=8))).mean[:, None]
    agent = learned_agent(replace(SEARCH, iterations=1, elites=1))
    alone = plan(agent)
    offered = plan(agent, proposals=torch.cat([-best, best], dim=1))
    torch.testing.assert_close(offered.mean, best[:, 0])
    assert (offered.value > alone.value).all()


def test_a_plan_is_for_the_goal_that_it_was_given():
    agent = learned_agent()
    assert torch.equal(plan(agent).mean, plan(agent).mean)
    assert not torch.equal(plan(agent).mean, plan(agent, goal=-torch.ones(ROBOTS, 2)).mean)
    assert not torch.equal(plan(agent).mean, plan(agent, seed=4).mean)


@pytest.mark.parametrize(("deadline_ms", "iterations"), [(None, 30), (1e9, 30), (0.0, 1)])
def test_a_deadline_is_read_between_two_iterations(deadline_ms: float | None, iterations: int):
    result = plan(learned_agent(replace(SEARCH, iterations=30), deadline_ms))
    assert result.iterations == iterations
    assert set(result.status.tolist()) == {PlanStatus.OK if iterations == 30 else PlanStatus.DEADLINE}
    assert torch.isfinite(result.action).all()


def test_new_weights_count_from_the_refresh_on():
    agent = learned_agent()
    change_weights(agent)
    agent.planner.refresh()
    fresh = Agent(SPEC, agent.config)
    fresh.load_weights(agent.mind.state_dict(), version=1)
    assert torch.equal(plan(agent).mean, plan(fresh).mean)
    assert not torch.equal(plan(agent).mean, plan(learned_agent()).mean)


@pytest.fixture
def no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise BuildError("no C compiler for the fast rollout: install one")

    monkeypatch.setattr("robot_agent_kernels.backends.NativeRollout", refuse)


def test_a_machine_without_the_fast_back_end_says_so_and_why(no_compiler: None):
    with pytest.warns(UserWarning, match="plain torch, which is several times slower: no C compiler"):
        planner = Agent(SPEC, AGENT).planner
    assert planner.backend == "reference"


def test_a_back_end_that_was_asked_for_and_cannot_be_had_is_one_sentence(no_compiler: None):
    config = replace(AGENT, planner=PlannerConfig(search=SEARCH, backend="cpu"))
    with pytest.raises(RobotAgentError, match="cannot search with back end cpu: no C compiler"):
        Agent(SPEC, config)
