"""`rollout` by Triton kernels: weights packed for them, and the order of their launches."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
import triton
from torch import Tensor

from robot_agent_kernels.activation.triton import KINDS
from robot_agent_kernels.fsq.reference import codebook
from robot_agent_kernels.latent import QuantisedLatent, SimNormLatent
from robot_agent_kernels.mlp.triton import ENDINGS, layer_kernel
from robot_agent_kernels.params import MLPParams, RolloutParams
from robot_agent_kernels.rollout.triton import latent_kernel, propose_kernel, total_kernel

Ending = Literal["plain", "hidden", "simplex", "two_hot", "squashed"]
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
"""Kernels run on the CPU, slowly, to be tested; with float32 operands, as the interpreter gets bfloat16 wrong."""


@dataclass(frozen=True)
class Tile:
    """How a layer is divided.

    Attributes:
        rows: of a program.
        inputs: that are multiplied at a time.
        warps: of a program.
        stages: of the pipeline that loads operands.
    """

    rows: int
    inputs: int
    warps: int
    stages: int


def tile_for(rows: int, outputs: int, inputs: int) -> Tile:
    """Small tiles while there are fewer than two for each multiprocessor of a large GPU, large ones beyond.

    A program owns all outputs of its rows, so wide layers leave room for few rows: the sums must fit the registers.
    """
    block_k = min(64, max(16, triton.next_power_of_2(inputs)))
    width = max(16, triton.next_power_of_2(outputs))
    if rows <= 4096 or width > 512:
        return Tile(16, block_k if width <= 512 else min(block_k, 32), 4 if width <= 256 else 8, 3)
    return Tile(64, block_k if width <= 256 else min(block_k, 32), 8 if width > 128 else 4, 3)


@dataclass(frozen=True)
class DeviceMLP:
    """An ensemble on the device; the first layer is split by the parts of its input.

    Attributes:
        latent: `(members, latent, outputs)`, action `(members, action_dim, outputs)`, shared `(members, n, outputs)`.
        weights: of the other layers, `(members, inputs, outputs)`.
        biases: of all layers, float32 `(members, outputs)`.
        kind: of activation, as `activation.triton.KINDS` has it.
        every: `(members,)` int32, all of them.
    """

    latent: Tensor
    action: Tensor
    shared: Tensor
    weights: tuple[Tensor, ...]
    biases: tuple[Tensor, ...]
    kind: int
    every: Tensor

    @classmethod
    def pack(cls, params: MLPParams, latent: int, action: int, dtype: torch.dtype) -> DeviceMLP:
        first = params.weights[0].to(dtype)
        parts = first.split([latent, action, first.shape[1] - latent - action], dim=1)
        of_latent, of_action, of_shared = (part.clone(memory_format=torch.contiguous_format) for part in parts)
        return cls(
            of_latent,
            of_action,
            of_shared,
            tuple(weight.to(dtype, copy=True).contiguous() for weight in params.weights[1:]),
            tuple(bias[:, 0].float().clone() for bias in params.biases),
            KINDS[params.activation],
            torch.arange(params.ensemble, dtype=torch.int32, device=first.device),
        )

    def tensors(self) -> list[Tensor]:
        """All that a refresh copies."""
        return [self.latent, self.action, self.shared, *self.weights, *self.biases]


@dataclass(frozen=True)
class Actions:
    """Where each row's action of one step lies: `tensor[start + robot * robot_stride + sample * stride]`."""

    tensor: Tensor
    start: int
    robot_stride: int
    stride: int
    width: int


class TritonRollout:
    """Weights packed for the kernels, on one device.

    Args:
        params: the networks, on a GPU (on the CPU under the interpreter).
        dtype: of the operands, bfloat16 or float32; sums are float32.
    """

    name = "triton"

    def __init__(self, params: RolloutParams, dtype: torch.dtype = torch.bfloat16) -> None:
        self.dtype = torch.float32 if INTERPRETED else dtype
        self.device = params.bins.device
        self.space = params.latent
        self.discount = params.discount
        self.log_std_bounds = params.log_std_bounds
        self.action_dim = params.policy.weights[-1].shape[-1] // 2
        self.version = 0
        """Counts up when what a captured graph has read is no longer what holds."""
        self._pack(params)

    def _pack(self, params: RolloutParams) -> None:
        latent, action = self.space.width, self.action_dim
        sizes = {"dynamics": action, "reward": action, "value": action, "policy": 0, "termination": 0}
        networks = {name: getattr(params, name) for name in sizes}
        self.networks = {
            name: DeviceMLP.pack(network, latent, sizes[name], self.dtype)
            for name, network in networks.items()
            if network is not None
        }
        self._join_first_layers()
        self.bins = params.bins.float().clone()
        space = self.space
        self.codebook = (
            codebook(space.levels, torch.float32, self.device) if isinstance(space, QuantisedLatent) else self.bins
        )

    def _join_first_layers(self) -> None:
        """One launch for what reads a latent and an action: the heads of the dynamics, then the reward.

        The networks keep views of the joined weights, so that nothing lies in memory twice.
        """
        dynamics, reward = self.networks["dynamics"], self.networks["reward"]
        self.joined: DeviceMLP | None = None
        alike = dynamics.latent.shape[2] == reward.latent.shape[2] and dynamics.kind == reward.kind
        if not (alike and dynamics.weights and reward.weights):
            return
        heads = dynamics.every.shape[0]
        latent = torch.cat([dynamics.latent, reward.latent])
        action = torch.cat([dynamics.action, reward.action])
        every = torch.arange(heads + 1, dtype=torch.int32, device=self.device)
        self.joined = DeviceMLP(latent, action, latent[:, :0], (), (), dynamics.kind, every)
        self.networks["dynamics"] = replace(dynamics, latent=latent[:heads], action=action[:heads])
        self.networks["reward"] = replace(reward, latent=latent[heads:], action=action[heads:])

    def refresh(self, params: RolloutParams) -> None:
        """Takes the learner's weights as they are now, into the memory that captured graphs read."""
        if (params.termination is not None) != ("termination" in self.networks):
            self._pack(params)
            self.version += 1
            return
        old = [tensor for network in self.networks.values() for tensor in network.tensors()]
        fresh = TritonRollout.__new__(TritonRollout)
        fresh.__dict__.update(self.__dict__)
        fresh._pack(params)
        new = [tensor for network in fresh.networks.values() for tensor in network.tensors()]
        torch._foreach_copy_([*old, self.bins], [*new, fresh.bins])

    @property
    def value_ensemble(self) -> int:
        """How many Q functions there are to draw from."""
        return self.networks["value"].every.shape[0]

    # ---- layers ----

    def layer(
        self,
        network: DeviceMLP,
        index: int,
        first: Tensor,
        rows: int,
        samples: int,
        ending: Ending,
        x: Tensor | None = None,
        actions: Actions | None = None,
        members: Tensor | None = None,
        groups: int = 1,
    ) -> Tensor:
        """Launches one layer of some members for all rows.

        Args:
            network: whose.
            index: of the layer; the first takes a latent and an action.
            first: float32 `(robots, members, outputs)`, what the sums of a robot's rows start from; or a bias.
            rows: how many.
            samples: rows of a robot.
            ending: what happens to the sums.
            x: `(1 or members, rows, inputs)`, the latent or the hidden layer; None where `first` has it already.
            actions: of this step.
            members: int32, which run; None for all.
            groups: simplices, for ending `simplex`.

        Returns:
            `(members, rows, outputs)` in the operands' type where another layer reads it, else float32; for a two-hot
            ending float32 `(members, rows)`.
        """
        weight = network.latent if index == 0 else network.weights[index - 1]
        drawn = network.every if members is None else members
        count, inputs, outputs = drawn.shape[0], weight.shape[1], weight.shape[2]
        dtype = self.dtype if ending in ("hidden", "squashed", "simplex") else torch.float32
        shape = (count, rows) if ending == "two_hot" else (count, rows, outputs)
        out = torch.empty(shape, dtype=dtype, device=self.device)
        tile = tile_for(rows * count, outputs, inputs)
        per_robot = first.ndim == 3
        layer_kernel[(triton.cdiv(rows, tile.rows), count)](
            x if x is not None else out,
            0 if x is None or x.shape[0] == 1 else x.stride(0),
            0 if x is None else x.stride(1),
            inputs,
            weight,
            actions.tensor[actions.start :] if actions is not None else self.bins,
            actions.robot_stride if actions is not None else 0,
            actions.stride if actions is not None else 0,
            actions.width if actions is not None else 0,
            network.action if actions is not None else weight,
            first,
            first.stride(0) if per_robot else 0,
            drawn,
            out,
            self.bins,
            rows,
            samples,
            outputs,
            ENDING=ENDINGS[ending],
            ACTIVATION=network.kind,
            HAS_X=x is not None,
            HAS_ACTION=actions is not None,
            GROUPS=groups,
            PRECISION="ieee" if self.dtype == torch.float32 else "tf32",
            BLOCK_M=tile.rows,
            BLOCK_N=max(16, triton.next_power_of_2(outputs)),
            BLOCK_K=tile.inputs,
            BLOCK_A=max(16, triton.next_power_of_2(actions.width if actions is not None else 1)),
            num_warps=tile.warps,
            num_stages=tile.stages,
        )
        return out

    def run(
        self,
        network: DeviceMLP,
        first: Tensor,
        rows: int,
        samples: int,
        ending: Ending,
        x: Tensor | None = None,
        actions: Actions | None = None,
        members: Tensor | None = None,
        groups: int = 1,
        hidden: Tensor | None = None,
    ) -> Tensor:
        """All layers of some members, without the first if `hidden` is its result; else as `layer`."""
        last = len(network.weights)
        if hidden is None:
            begin: Ending = "hidden" if last else ending
            hidden = self.layer(network, 0, first, rows, samples, begin, x, actions, members, 1 if last else groups)
        for index in range(1, last + 1):
            end: Ending = "hidden" if index < last else ending
            hidden = self.layer(
                network, index, network.biases[index], rows, samples, end, hidden, None, members, groups
            )
        return hidden

    def first_from_robots(self, network: DeviceMLP, shared: Tensor, latent: Tensor | None = None) -> Tensor:
        """What is the same for all trajectories of a robot: float32 `(robots, members, outputs)`."""
        first = network.biases[0].unsqueeze(0)
        robots = shared.shape[0]
        sums = first.expand(robots, -1, -1)
        if shared.shape[1]:
            sums = sums + torch.einsum("rn,mno->rmo", shared.float(), network.shared.float())
        if latent is not None:
            sums = sums + torch.einsum("rn,mno->rmo", latent.float(), network.latent.float())
        return sums.contiguous()

    # ---- rollouts ----

    def next_latents(
        self, first: Tensor, x: Tensor | None, actions: Actions, rows: int, samples: int, horizon: int, spread: Tensor,
        is_first: bool, hidden: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        """One step of all heads: latents `(1, rows, latent)`; what the heads disagree by is added to `spread`."""
        network, space = self.networks["dynamics"], self.space
        heads = network.every.shape[0]
        simplices = isinstance(space, SimNormLatent)
        if heads == 1 and isinstance(space, SimNormLatent) and space.width == triton.next_power_of_2(space.width) >= 16:
            if is_first:
                spread.zero_()
            return self.run(network, first, rows, samples, "simplex", x, actions, groups=space.groups, hidden=hidden)
        prediction = self.run(network, first, rows, samples, "plain", x, actions, hidden=hidden)
        latent = torch.empty(1, rows, space.width, dtype=self.dtype, device=self.device)
        groups = space.groups if isinstance(space, SimNormLatent) else space.width // self.codebook.shape[1]
        codes = space.prediction_width // groups
        block_c, block_g = triton.next_power_of_2(codes), triton.next_power_of_2(groups)
        block = max(1, min(4, 4096 // (block_c * block_g)))
        latent_kernel[(triton.cdiv(rows, block),)](
            prediction,
            latent,
            spread,
            self.codebook,
            rows,
            1.0 / (heads * horizon),
            groups,
            codes,
            HEADS=heads,
            CHANNELS=0 if simplices else self.codebook.shape[1],
            FIRST=is_first,
            BLOCK_M=block,
            BLOCK_C=block_c,
            BLOCK_G=block_g,
            num_warps=4,
        )
        return latent

    def rollout_into(
        self,
        returns: Tensor,
        uncertainty: Tensor,
        start: int,
        z0: Tensor,
        actions: Tensor,
        goal: Tensor,
        context: Tensor,
        members: Tensor,
    ) -> Tensor:
        """Rolls `actions[:, start:]` out into `returns[:, start:]` and `uncertainty[:, start:]`.

        Args:
            returns: `(robots, candidates)`, and uncertainty alike.
            start: the first candidate.
            z0: `(robots, latent)`.
            actions: float32 `(robots, candidates, horizon, action_dim)`, contiguous.
            goal: `(robots, goal)`.
            context: `(robots, context)`.
            members: int32 `(k,)`, the Q functions.

        Returns:
            the last latents `(robots, candidates - start, latent)`.
        """
        robots, candidates, horizon, width = actions.shape
        samples = candidates - start
        rows = robots * samples
        flat = actions.view(-1)
        reward, value = self.networks["reward"], self.networks["value"]
        firsts = {
            (name, is_first): self.first_from_robots(self.networks[name], shared, z0 if is_first else None)
            for name, shared in (("dynamics", context), ("reward", goal))
            for is_first in (True, False)
        }
        joined_firsts = {
            is_first: torch.cat([firsts["dynamics", is_first], firsts["reward", is_first]], dim=1)
            for is_first in (True, False)
            if self.joined is not None
        }
        rewards = torch.empty(horizon, rows, device=self.device)
        terminations = torch.empty(horizon, rows, device=self.device) if "termination" in self.networks else rewards
        spread = torch.empty(rows, device=self.device)
        latent: Tensor | None = None
        for step in range(horizon):
            at = Actions(flat, (start * horizon + step) * width, candidates * horizon * width, horizon * width, width)
            is_first = step == 0
            of_dynamics, of_reward = firsts["dynamics", is_first], firsts["reward", is_first]
            of_heads: Tensor | None = None
            of_gain: Tensor | None = None
            if self.joined is not None:
                hidden = self.layer(self.joined, 0, joined_firsts[is_first], rows, samples, "hidden", latent, at)
                of_heads, of_gain = hidden[:-1], hidden[-1:]
            gains = self.run(reward, of_reward, rows, samples, "two_hot", latent, at, hidden=of_gain)
            rewards[step] = gains[0]
            latent = self.next_latents(
                of_dynamics, latent, at, rows, samples, horizon, spread, is_first, hidden=of_heads
            )
            if "termination" in self.networks:
                network = self.networks["termination"]
                logits = self.run(network, network.biases[0], rows, samples, "plain", latent)
                terminations[step] = logits[0, :, 0]
        policy = self.networks["policy"]
        raw = self.run(policy, self.first_from_robots(policy, goal), rows, samples, "squashed", latent)[0]
        best = Actions(raw.reshape(-1), 0, samples * 2 * width, 2 * width, width)
        end = self.first_from_robots(value, goal)
        values = self.run(value, end, rows, samples, "two_hot", latent, best, members)
        total_kernel[(triton.cdiv(rows, 128),)](
            rewards,
            values,
            terminations,
            spread,
            returns[:, start:],
            uncertainty[:, start:],
            rows,
            samples,
            candidates,
            horizon,
            members.shape[0],
            self.discount,
            HAS_TERMINATION="termination" in self.networks,
            BLOCK=128,
        )
        assert latent is not None
        return latent.view(robots, samples, -1)

    def rollout(
        self, z0: Tensor, actions: Tensor, goal: Tensor, context: Tensor, members: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """As `rollout.reference.ReferenceRollout.rollout`; float32."""
        drawn = self.networks["value"].every if members is None else members.to(torch.int32)
        returns, uncertainty = torch.empty(2, *actions.shape[:2], device=self.device).unbind()
        inputs = (z0, actions.float().contiguous(), goal, context)
        final = self.rollout_into(returns, uncertainty, 0, *inputs, drawn)
        return returns, uncertainty, final.float()

    def propose_into(
        self,
        actions: Tensor,
        start: int,
        count: int,
        z0: Tensor,
        goal: Tensor,
        context: Tensor,
        noise: Tensor | None,
        seed: Tensor,
        stream: int,
    ) -> None:
        """The policy rolls itself out `count` times into `actions[:, start : start + count]`.

        Args:
            actions: float32 `(robots, candidates, horizon, action_dim)`, contiguous.
            start: the first candidate that is written.
            count: how many are.
            z0: `(robots, latent)`.
            goal: `(robots, goal)`.
            context: `(robots, context)`.
            noise: white `(robots, count, horizon, action_dim)`, or None to draw from `seed` at counter `stream`.
            seed: int64 `(robots,)`.
            stream: see noise.
        """
        robots, candidates, horizon, width = actions.shape
        rows, flat = robots * count, actions.view(-1)
        policy, dynamics = self.networks["policy"], self.networks["dynamics"]
        latent = z0.repeat_interleave(count, 0).to(self.dtype).unsqueeze(0)
        of_policy = self.first_from_robots(policy, goal)
        of_dynamics = self.first_from_robots(dynamics, context)
        spread = torch.empty(rows, device=self.device)
        low, high = self.log_std_bounds
        for step in range(horizon):
            raw = self.run(policy, of_policy, rows, count, "plain", latent)[0]
            at = Actions(flat, (start * horizon + step) * width, candidates * horizon * width, horizon * width, width)
            propose_kernel[(triton.cdiv(rows, 16),)](
                raw,
                noise if noise is not None else raw,
                seed,
                flat[at.start :],
                at.robot_stride,
                at.stride,
                rows,
                count,
                step,
                horizon,
                width,
                stream,
                low,
                high,
                HAS_NOISE=noise is not None,
                BLOCK_M=16,
                BLOCK_A=triton.next_power_of_2(width),
            )
            if step + 1 < horizon:
                latent = self.next_latents(of_dynamics, latent, at, rows, count, horizon, spread, True)

    def policy_trajectories(self, z0: Tensor, goal: Tensor, context: Tensor, noise: Tensor) -> Tensor:
        """As `rollout.reference.ReferenceRollout.policy_trajectories`; float32."""
        actions = torch.empty(noise.shape, device=self.device)
        seed: Any = torch.zeros(len(z0), dtype=torch.int64, device=self.device)
        self.propose_into(actions, 0, noise.shape[1], z0, goal, context, noise.float().contiguous(), seed, 0)
        return actions
