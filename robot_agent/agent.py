"""The agent: observations in, actions out. It holds weights and no state of an episode, so one serves many bodies."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from robot_agent_kernels import PlanState, PlanStatus, Seeds
from torch import Tensor

from robot_agent.errors import BodyError
from robot_agent.mind import Mind, MindConfig, with_reward_scale
from robot_agent.planning.planner import Planner, PlannerConfig
from robot_agent.planning.proposer import Proposer
from robot_agent.types import CAMERA_PREFIX, AgentId, BodySpec, Observation, Source

ONLY_AGENT: AgentId = "agent"


@dataclass(frozen=True)
class AgentConfig:
    """What the agent is made of.

    Attributes:
        mind: sizes of the learned modules.
        planner: how hard it searches at each decision.
    """

    mind: MindConfig = field(default_factory=MindConfig)
    planner: PlannerConfig = field(default_factory=PlannerConfig)


@dataclass(frozen=True)
class Decision:
    """How the last actions came about, for records and displays.

    Attributes:
        source: who chose, for each robot.
        milliseconds: that encoding and planning took, for all robots together.
        value: `(robots,)` expected return of the plan in the world's units; NaN where there was none.
        fallback: `(robots,)` bool, True where the last safe action had to stand in.
        elite_shares: by the name of a proposer, `policy` or `samples`, its share `(robots,)` of the elites' weight;
            empty where nothing was planned.
    """

    source: tuple[Source, ...]
    milliseconds: float
    value: NDArray[np.float32]
    fallback: NDArray[np.bool_]
    elite_shares: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)


@dataclass(frozen=True)
class AgentState:
    """What an agent carries from one decision to the next; every array has a leading robot axis.

    Attributes:
        agents: the robots, in the order of the leading axis.
        frames: camera name to uint8 `(robots, frame_stack, height, width, 3)`, oldest first.
        plan: what the last plan left.
        context: `(robots, context_dim)`.
        goal: float32 `(robots, goal_dim)`, what each robot is after: the world's `desired_goal` where it gives one,
            else what the caller set.
        action: float32 `(robots, action_dim)`, the last safe action.
        episode: int64 `(robots,)`, and `step` int64 `(robots,)` within it: with the agent's seed and the robot's name
            they determine all noise, so a decision can be repeated, whichever robots are decided for with it.
        decision: how the last actions came about, None before the first.
    """

    agents: tuple[AgentId, ...]
    frames: Mapping[str, NDArray[np.uint8]]
    plan: PlanState
    context: Tensor
    goal: NDArray[np.float32]
    action: NDArray[np.float32]
    episode: NDArray[np.int64]
    step: NDArray[np.int64]
    decision: Decision | None = None


class _Seen(NamedTuple):
    """What a decision starts from, a row a robot."""

    frames: Mapping[str, NDArray[np.uint8]]
    proprio: NDArray[np.float32]
    goal: NDArray[np.float32]
    finite: NDArray[np.bool_]


class _Choice(NamedTuple):
    """What was chosen, a row a robot, before the guard."""

    actions: NDArray[np.float32]
    source: Source
    plan: PlanState
    usable: NDArray[np.bool_]
    value: NDArray[np.float32]
    elite_shares: Mapping[str, NDArray[np.float32]]


class Agent:
    """Encodes, plans, acts.

    Args:
        spec: shapes of the body.
        config: sizes and search.
        seed: of initial weights and of every decision's noise.
        device: where the mind is.
        proposers: of further candidates for each plan.
    """

    def __init__(
        self,
        spec: BodySpec,
        config: AgentConfig | None = None,
        seed: int = 0,
        device: str | torch.device = "cpu",
        proposers: Sequence[Proposer] = (),
    ) -> None:
        self.spec = spec
        self.config = config or AgentConfig()
        self.seed = seed
        self.device = torch.device(device)
        self.mind = Mind(spec, self.config.mind, seed).to(self.device).requires_grad_(False)
        self.planner = Planner(self.config.planner, self.mind)
        self.proposers = tuple(proposers)
        self.weights_version = 0
        """0 until weights that have learned something were loaded: until then the agent acts at random."""

    def load_weights(self, weights: Mapping[str, Tensor], version: int) -> None:
        """Swaps the mind's weights; call it between two decisions.

        Raises:
            BodyError: the weights are of another body or other sizes.
        """
        own, weights = self.mind.state_dict(), with_reward_scale(weights)
        wrong = [name for name, tensor in weights.items() if name not in own or own[name].shape != tensor.shape]
        if wrong or len(weights) != len(own):
            raise BodyError(
                f"the weights do not fit this body ({wrong[0] if wrong else 'some are missing'}): "
                "use the world, streams and sizes they were trained with"
            )
        for name, tensor in weights.items():
            own[name].copy_(tensor)
        self.planner.refresh()
        self.weights_version = version

    def initial_state(self, agents: Sequence[AgentId] = (ONLY_AGENT,), episode: int = 0) -> AgentState:
        """The state in which an episode begins, for each agent."""
        robots = len(agents)
        stack = self.config.mind.encoder.frame_stack
        return AgentState(
            agents=tuple(agents),
            frames={name: np.zeros((robots, stack, *size, 3), np.uint8) for name, size in self.spec.cameras},
            plan=self.planner.initial_state(robots, self.spec.action_dim, self.device),
            context=self.mind.initial_context(robots),
            goal=np.zeros((robots, self.spec.goal_dim), np.float32),
            action=np.zeros((robots, self.spec.action_dim), np.float32),
            episode=np.full(robots, episode, np.int64),
            step=np.zeros(robots, np.int64),
        )

    def warm_up(self, decisions: int = 20) -> None:
        """Plans a few times for an observation of zeros, so that nothing is compiled or allocated during an episode.

        An agent that has learned nothing plans here, too: the first plan of its life comes in the midst of acting.
        """
        nothing: dict[str, Any] = {
            CAMERA_PREFIX + name: np.zeros((*size, 3), np.uint8) for name, size in self.spec.cameras
        }
        nothing["proprio"] = np.zeros(self.spec.proprio_dim, np.float32)
        nothing["desired_goal"] = np.zeros(self.spec.goal_dim, np.float32)
        state, version = self.initial_state(), self.weights_version
        self.weights_version = version or -1
        try:
            for _ in range(decisions):
                _, state = self.act({"agent": nothing}, state)
        finally:
            self.weights_version = version

    def begin_episode(self, state: AgentState, agent: AgentId, episode: int) -> AgentState:
        """The same state, but `agent` starts anew."""
        mine = np.array([name == agent for name in state.agents])
        rows = torch.from_numpy(mine).to(self.device)
        return replace(
            state,
            plan=replace(state.plan, fresh=state.plan.fresh | rows),
            context=torch.where(rows[:, None], self.mind.initial_context(len(mine)), state.context),
            action=np.where(mine[:, None], np.float32(0), state.action),
            episode=np.where(mine, episode, state.episode),
            step=np.where(mine, 0, state.step),
        )

    @torch.inference_mode()
    def act(
        self, observations: Mapping[AgentId, Observation], state: AgentState, explore: bool = True
    ) -> tuple[dict[AgentId, NDArray[np.float32]], AgentState]:
        """Decides for every robot.

        Args:
            observations: one for each agent of `state`.
            state: from the last decision or `initial_state`.
            explore: draw among the best plans rather than take their mean.

        Returns:
            an action `(action_dim,)` in [-1, 1] for each agent, and the next state. A robot whose observation or plan
            is not finite repeats its last safe action; what it did not see leaves its plan and its goal as they were.
        """
        start = time.perf_counter()
        seen = self._perceive(observations, state)
        if self.weights_version == 0:
            chosen = self._choose_at_random(state)
        else:
            latent = self._encode(seen)
            goal = self.mind.goal_encoder(torch.from_numpy(seen.goal).to(self.device))
            context = self._infer_context(latent, state)
            proposals = self._propose(latent, goal, context, state)
            chosen = self._plan(latent, goal, context, proposals, state, explore)
        actions, next_state = self._guard(chosen, seen, state, start)
        return {agent: actions[row] for row, agent in enumerate(state.agents)}, next_state

    # ---- the steps of a decision ----

    def _perceive(self, observations: Mapping[AgentId, Observation], state: AgentState) -> _Seen:
        """Observations as arrays; what is not finite is marked, and leaves the goal as it was."""
        rows = [observations[agent] for agent in state.agents]
        finite = np.array([is_finite(row) for row in rows])
        goal = self._vectors(rows, "desired_goal", self.spec.goal_dim, otherwise=state.goal)
        return _Seen(
            frames=self._stacked(rows, state),
            proprio=self._vectors(rows, "proprio", self.spec.proprio_dim),
            goal=np.where(finite[:, None], goal, state.goal),
            finite=finite,
        )

    def _encode(self, seen: _Seen) -> Tensor:
        return self.encode_stacked(seen.frames, seen.proprio)

    def _infer_context(self, latent: Tensor, state: AgentState) -> Tensor:
        """What past steps say of the world that one observation does not, `(robots, context_dim)`."""
        return state.context

    def _propose(self, latent: Tensor, goal: Tensor, context: Tensor, state: AgentState) -> Tensor | None:
        """The sequences of all proposers, `(robots, k, horizon, action_dim)`."""
        if not self.proposers:
            return None
        return torch.cat([one.propose(latent, goal, context, state.plan) for one in self.proposers], dim=1)

    def _plan(
        self, latent: Tensor, goal: Tensor, context: Tensor, proposals: Tensor | None, state: AgentState, explore: bool
    ) -> _Choice:
        # The Q functions are drawn anew with the weights: what is keyed by one robot would change the others.
        seeds = Seeds(
            tuple(int(self._generator(state, row).integers(2**62)) for row in range(len(state.agents))),
            members=self.weights_version % 2**63,
        )
        result = self.planner.plan(latent, goal, context, state.plan, seeds, proposals)
        return _Choice(
            actions=(result.action if explore else result.mean[:, 0]).cpu().numpy(),
            source=Source.PLAN,
            plan=result.state,
            usable=result.status.cpu().numpy() != PlanStatus.NON_FINITE,
            value=self.mind.reward_scale.value_in_world(result.value).to(torch.float32).cpu().numpy(),
            elite_shares=self._elite_shares(result.weights),
        )

    def _choose_at_random(self, state: AgentState) -> _Choice:
        robots = len(state.agents)
        drawn = [self._generator(state, row).uniform(-1, 1, self.spec.action_dim) for row in range(robots)]
        return _Choice(
            actions=np.stack(drawn).astype(np.float32),
            source=Source.RANDOM,
            plan=state.plan,
            usable=np.ones(robots, np.bool_),
            value=np.full(robots, np.nan, np.float32),
            elite_shares={},
        )

    def _guard(
        self, chosen: _Choice, seen: _Seen, state: AgentState, start: float
    ) -> tuple[NDArray[np.float32], AgentState]:
        """The last safe action where the observation or the plan is not finite, and the state after the decision."""
        usable = seen.finite & chosen.usable
        actions = np.where(usable[:, None], chosen.actions, state.action)
        rows = torch.from_numpy(seen.finite).to(self.device)
        plan = PlanState(
            mean=torch.where(rows[:, None, None], chosen.plan.mean, state.plan.mean),
            std=torch.where(rows[:, None, None], chosen.plan.std, state.plan.std),
            fresh=torch.where(rows, chosen.plan.fresh, state.plan.fresh),
        )
        decision = Decision(
            source=tuple(chosen.source if is_usable else Source.REPEATED for is_usable in usable),
            milliseconds=(time.perf_counter() - start) * 1e3,
            value=np.where(usable, chosen.value, np.float32(np.nan)),
            fallback=~usable,
            elite_shares=chosen.elite_shares,
        )
        return actions, replace(
            state,
            frames=seen.frames,
            plan=plan,
            goal=seen.goal,
            action=actions,
            step=state.step + 1,
            decision=decision,
        )

    def _elite_shares(self, weights: Tensor) -> dict[str, NDArray[np.float32]]:
        """Whose sequences the elites are: each origin's share of their weight, `(robots,)`."""
        search = self.config.planner.search
        origins = {one.name: one.count for one in self.proposers}
        origins |= {"policy": search.policy_samples, "samples": search.samples}
        parts = weights.split(list(origins.values()), dim=1)
        return {name: part.sum(1).cpu().numpy() for name, part in zip(origins, parts, strict=True)}

    def encode_stacked(self, frames: Mapping[str, NDArray[np.uint8]], proprio: NDArray[np.float32]) -> Tensor:
        """Stacks `(robots, frame_stack, height, width, 3)` and proprio `(robots, n)` to `(robots, latent_dim)`."""
        cameras = {name: torch.from_numpy(stack).to(self.device) for name, stack in frames.items()}
        return self.mind.encoder(cameras, torch.from_numpy(proprio).to(self.device).unsqueeze(1))[:, 0]

    def _generator(self, state: AgentState, row: int) -> np.random.Generator:
        key = _noise_key(state.agents[row])
        return np.random.default_rng((self.seed, key, int(state.episode[row]), int(state.step[row])))

    def _stacked(self, rows: Sequence[Observation], state: AgentState) -> dict[str, NDArray[np.uint8]]:
        """The frame stacks with the newest frames; an episode's first frame fills its whole stack."""
        stacks = {}
        for name, size in self.spec.cameras:
            newest = np.stack([row[CAMERA_PREFIX + name] for row in rows])
            if newest.shape[1:] != (*size, 3):
                raise BodyError(
                    f"camera {name} is {newest.shape[1:]}, expected {(*size, 3)}: resize it or start a new run"
                )
            stack = np.concatenate([state.frames[name][:, 1:], newest[:, None]], axis=1)
            stacks[name] = np.where((state.step == 0)[:, None, None, None, None], newest[:, None], stack)
        return stacks

    def _vectors(
        self, rows: Sequence[Observation], key: str, width: int, otherwise: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """One vector a robot, `(robots, width)`; `otherwise` stands in where an observation has none."""
        vectors = np.zeros((len(rows), width), np.float32)
        for index, row in enumerate(rows if width else ()):
            vector = row[key] if otherwise is None or key in row else otherwise[index]
            if np.shape(vector) != (width,):
                raise BodyError(f"{key} has shape {np.shape(vector)}, expected ({width},): start a new run")
            # A number that is not finite leads to the last safe action; the networks need not see it.
            vectors[index] = np.nan_to_num(vector, posinf=0.0, neginf=0.0)
        return vectors


def _noise_key(agent: AgentId) -> int:
    """Differs between robots, and is the same in whatever company; 0 for the name that a robot alone has."""
    return 0 if agent == ONLY_AGENT else int.from_bytes(hashlib.sha256(agent.encode()).digest()[:8], "little")


def is_finite(observation: Observation) -> bool:
    """Whether every number of an observation is finite; camera frames are integers and always are."""
    return all(np.all(np.isfinite(value)) for key, value in observation.items() if not key.startswith(CAMERA_PREFIX))
