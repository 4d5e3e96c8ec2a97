"""MPPI on the device: kernels in order, and as one CUDA graph that is replayed for each plan."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
import triton
from torch import Tensor

from robot_agent_kernels.mppi.noise import PlanNoise, Seeds
from robot_agent_kernels.mppi.refit import Refit
from robot_agent_kernels.mppi.search import beginning
from robot_agent_kernels.mppi.triton import members_kernel, refit_kernel, sample_kernel
from robot_agent_kernels.mppi.types import PlanConfig, PlanResult, PlanState, PlanStatus
from robot_agent_kernels.params import RolloutParams
from robot_agent_kernels.rollout.launch import TritonRollout


def launch_refit(
    actions: Tensor,
    returns: Tensor,
    uncertainty: Tensor,
    config: PlanConfig,
    fitted: Refit,
    action: Tensor,
    seed: Tensor,
    stream: int = 0,
    noise: tuple[Tensor, Tensor] | None = None,
) -> None:
    """Writes `fitted` and the action `(robots, action_dim)` of a drawn elite; see `mppi.refit.refit`.

    Args:
        actions: `(robots, candidates, horizon, action_dim)`, contiguous like all tensors here.
        returns: `(robots, candidates)`.
        uncertainty: `(robots, candidates)`.
        config: of the search.
        fitted: written.
        action: written.
        seed: int64 `(robots,)`, from whose counter `stream` on the draws come where `noise` is None.
        stream: see seed.
        noise: `PlanNoise.elite` and `PlanNoise.action`.
    """
    robots, candidates, horizon, action_dim = actions.shape
    refit_kernel[(robots,)](
        actions,
        returns,
        uncertainty,
        returns if noise is None else noise[0],
        returns if noise is None else noise[1],
        seed,
        fitted.mean,
        fitted.std,
        fitted.weights,
        fitted.value,
        fitted.uncertainty,
        action,
        candidates,
        horizon * action_dim,
        action_dim,
        config.elites,
        config.temperature,
        config.uncertainty_coefficient,
        config.min_std,
        config.max_std,
        stream,
        HAS_NOISE=noise is not None,
        BLOCK_S=triton.next_power_of_2(candidates),
        BLOCK_J=16,
        BLOCK_U=16,
        num_warps=8,
    )


@dataclass(frozen=True)
class Buffers:
    """The memory of plans of one shape; what a graph reads and writes stays where it is.

    Attributes:
        z0, goal, context, proposals, state: the plan's inputs.
        seed: int64 `(robots,)`, and members_seed `(1,)`.
        actions: `(robots, candidates, horizon, action_dim)`: proposals, the policy's, sampled.
        returns: `(robots, candidates)`, and uncertainty and weights alike.
        mean: `(robots, horizon, action_dim)`, and std alike.
        value: `(robots,)`, and disagreement alike.
        action: `(robots, action_dim)`.
        members: int32 `(k,)`.
        noise: all draws, or None where the kernels draw.
    """

    z0: Tensor
    goal: Tensor
    context: Tensor
    proposals: Tensor
    state: PlanState
    seed: Tensor
    members_seed: Tensor
    actions: Tensor
    returns: Tensor
    uncertainty: Tensor
    weights: Tensor
    mean: Tensor
    std: Tensor
    value: Tensor
    disagreement: Tensor
    action: Tensor
    members: Tensor
    noise: PlanNoise | None


class DevicePlan:
    """Plans of one shape and configuration.

    Args:
        core: the networks.
        config: of the search.
        buffers: for these shapes.
    """

    def __init__(self, core: TritonRollout, config: PlanConfig, buffers: Buffers) -> None:
        self.core = core
        self.config = config
        self.buffers = buffers
        self.version = core.version
        self.whole: torch.cuda.CUDAGraph | None = None
        self.parts: list[torch.cuda.CUDAGraph] = []

    # ---- launches ----

    def begin(self) -> None:
        """Draws Q functions, places the proposals and the policy's trajectories, and shifts the last plan."""
        b, config = self.buffers, self.config
        count = b.proposals.shape[1]
        if b.noise is None and self.core.value_ensemble > b.members.shape[0]:
            ensemble = self.core.value_ensemble
            block = triton.next_power_of_2(ensemble)
            members_kernel[(1,)](b.members_seed, b.members, ensemble, b.members.shape[0], self._stream(0), BLOCK=block)
        if count:
            b.actions[:, :count] = b.proposals
        if config.policy_samples:
            noise = None if b.noise is None else b.noise.policy
            self.core.propose_into(
                *(b.actions, count, config.policy_samples, b.z0, b.goal, b.context, noise, b.seed, self._stream(1))
            )
        mean, std = beginning(b.state, config)
        b.mean.copy_(mean)
        b.std.copy_(std)

    def iterate(self, iteration: int) -> None:
        """Samples, rolls out what is new, and refits."""
        b, config = self.buffers, self.config
        robots, candidates, horizon, action_dim = b.actions.shape
        fixed = candidates - config.samples
        block = 32
        own_noise = b.noise is not None
        sample_kernel[(robots, triton.cdiv(config.samples, block))](
            b.mean,
            b.std,
            b.noise.samples[iteration] if b.noise is not None else b.mean,
            b.seed,
            b.actions[:, fixed:],
            b.actions.stride(0),
            config.samples,
            horizon,
            action_dim,
            self._stream(2 + iteration),
            config.noise_correlation,
            math.sqrt(1 - config.noise_correlation**2),
            HAS_NOISE=own_noise,
            BLOCK_S=block,
            BLOCK_A=triton.next_power_of_2(action_dim),
        )
        start = fixed if iteration else 0
        self.core.rollout_into(b.returns, b.uncertainty, start, b.z0, b.actions, b.goal, b.context, b.members)
        noise = (b.noise.elite, b.noise.action) if b.noise is not None else None
        fitted = Refit(b.mean, b.std, b.weights, b.value, b.disagreement)
        stream = self._stream(2 + config.iterations)
        launch_refit(b.actions, b.returns, b.uncertainty, config, fitted, b.action, b.seed, stream, noise)

    def _stream(self, use: int) -> int:
        """Where a use's counters begin: no two uses of a plan's seed share a random number."""
        _, candidates, horizon, action_dim = self.buffers.actions.shape
        return use * candidates * horizon * action_dim

    # ---- plans ----

    def capture(self) -> None:
        """Records the graphs: the whole plan, and its parts for plans that watch the clock."""
        steps: list[Callable[[], None]] = [self.begin]
        steps += [lambda i=i: self.iterate(i) for i in range(self.config.iterations)]  # type: ignore[misc]
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):  # compiles all kernels before anything is recorded
            for step in steps:
                step()
        torch.cuda.current_stream().wait_stream(side)
        self.whole = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.whole):
            for step in steps:
                step()
        for step in steps:
            part = torch.cuda.CUDAGraph()
            with torch.cuda.graph(part, pool=self.whole.pool()):
                step()
            self.parts.append(part)
        self.version = self.core.version

    def run(self, deadline_ms: float | None) -> PlanResult:
        """Plans from what the buffers hold."""
        start = time.perf_counter()
        b, config = self.buffers, self.config
        on_gpu = b.z0.device.type == "cuda"
        if on_gpu and (self.whole is None or self.version != self.core.version):
            self.parts.clear()
            self.capture()
        done, late = config.iterations, False
        if on_gpu and deadline_ms is None and not config.settled_std:
            assert self.whole is not None
            self.whole.replay()
        else:
            self._step(0)
            for done in range(1, config.iterations + 1):
                self._step(done)
                if config.settled_std and float(b.std[:, 0].max()) <= config.settled_std:
                    break
                if deadline_ms is not None:
                    if on_gpu:
                        torch.cuda.current_stream().synchronize()
                    late = (time.perf_counter() - start) * 1e3 > deadline_ms
                    if late:
                        break
        usable = b.weights.sum(1) > 0
        ended = PlanStatus.DEADLINE if late and done < config.iterations else PlanStatus.OK
        mean, std = b.mean.clone(), b.std.clone()
        return PlanResult(
            action=b.action.clone(),
            mean=mean,
            std=std,
            value=b.value.clone(),
            uncertainty=b.disagreement.clone(),
            weights=b.weights.clone(),
            status=torch.where(usable, int(ended), int(PlanStatus.NON_FINITE)),
            state=PlanState(mean, std, ~usable),
            iterations=done,
        )

    def _step(self, step: int) -> None:
        if self.parts:
            self.parts[step].replay()
        elif step == 0:
            self.begin()
        else:
            self.iterate(step - 1)


class TritonPlanner(TritonRollout):
    """The back end `triton`: rollouts and whole plans; a plan of a shape that was seen before is one graph launch."""

    def __init__(self, params: RolloutParams, dtype: torch.dtype = torch.bfloat16) -> None:
        super().__init__(params, dtype)
        self._plans: dict[tuple[object, ...], DevicePlan] = {}

    def refit(self, actions: Tensor, returns: Tensor, uncertainty: Tensor, config: PlanConfig) -> Refit:
        """As `mppi.refit.refit`; float32."""
        robots, _, horizon, action_dim = actions.shape
        mean, std = torch.empty(2, robots, horizon, action_dim, device=self.device).unbind()
        value, disagreement = torch.empty(2, robots, device=self.device).unbind()
        fitted = Refit(mean, std, torch.empty_like(returns), value, disagreement)
        seed = torch.zeros(robots, dtype=torch.int64, device=self.device)
        tried, gains, doubts = (tensor.float().contiguous() for tensor in (actions, returns, uncertainty))
        launch_refit(tried, gains, doubts, config, fitted, torch.empty_like(mean[:, 0]), seed)
        return fitted

    def plan(
        self,
        z0: Tensor,
        goal: Tensor,
        context: Tensor,
        proposals: Tensor | None,
        state: PlanState,
        config: PlanConfig,
        seed: int | Seeds,
        deadline_ms: float | None = None,
        noise: PlanNoise | None = None,
    ) -> PlanResult:
        """As `mppi.plan.plan`."""
        robots, horizon, action_dim = state.mean.shape
        given = z0.new_zeros(robots, 0, horizon, action_dim) if proposals is None else proposals
        key = (robots, given.shape[1], goal.shape[1], context.shape[1], config, noise is not None)
        planned = self._plans.get(key)
        if planned is None:
            buffers = self._buffers(z0, goal, context, given, state, config, noise)
            planned = self._plans[key] = DevicePlan(self, config, buffers)
        b = planned.buffers
        pairs = [(b.z0, z0), (b.goal, goal), (b.context, context), (b.proposals, given)]
        pairs += [(b.state.mean, state.mean), (b.state.std, state.std), (b.state.fresh, state.fresh)]
        if b.noise is not None and noise is not None:
            pairs += [
                (getattr(b.noise, name), getattr(noise, name)) for name in ("samples", "policy", "elite", "action")
            ]
            pairs.append((b.members, noise.members))
        for mine, theirs in pairs:
            mine.copy_(theirs)
        seeds = Seeds.of(seed, robots)
        b.seed.copy_(torch.tensor(seeds.robots))
        b.members_seed.fill_(seeds.robots[0] if seeds.members is None else seeds.members)
        return planned.run(deadline_ms)

    def _buffers(
        self,
        z0: Tensor,
        goal: Tensor,
        context: Tensor,
        proposals: Tensor,
        state: PlanState,
        config: PlanConfig,
        noise: PlanNoise | None,
    ) -> Buffers:
        """Memory of its own for all that a plan reads and writes."""
        robots, horizon, action_dim = state.mean.shape
        candidates = proposals.shape[1] + config.policy_samples + config.samples

        def own(tensor: Tensor) -> Tensor:
            return tensor.to(self.device, torch.float32, copy=True).contiguous()

        def empty(*shape: int) -> Tensor:
            return torch.empty(shape, device=self.device)

        if noise is not None:
            white = (noise.samples, noise.policy, noise.elite, noise.action)
            samples, policy, elite, action = (own(tensor) for tensor in white)
            noise = PlanNoise(samples, policy, elite, action, noise.members.clone())
        count = min(self.value_ensemble, config.value_members)
        return Buffers(
            z0=own(z0),
            goal=own(goal),
            context=own(context),
            proposals=own(proposals),
            state=PlanState(own(state.mean), own(state.std), state.fresh.clone()),
            seed=torch.zeros(robots, dtype=torch.int64, device=self.device),
            members_seed=torch.zeros(1, dtype=torch.int64, device=self.device),
            actions=empty(robots, candidates, horizon, action_dim),
            returns=empty(robots, candidates),
            uncertainty=empty(robots, candidates),
            weights=empty(robots, candidates),
            mean=empty(robots, horizon, action_dim),
            std=empty(robots, horizon, action_dim),
            value=empty(robots),
            disagreement=empty(robots),
            action=empty(robots, action_dim),
            members=torch.arange(count, dtype=torch.int32, device=self.device),
            noise=noise,
        )
