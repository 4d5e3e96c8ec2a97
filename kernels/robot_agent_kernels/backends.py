"""Where a rollout is computed: one class a back end, which holds the weights as it wants them."""

from __future__ import annotations

from typing import Literal, Protocol

import torch
from torch import Tensor

from robot_agent_kernels.params import RolloutParams
from robot_agent_kernels.rollout.cpu import CPURollout
from robot_agent_kernels.rollout.reference import ReferenceRollout

Backend = Literal["auto", "reference", "cpu"]


class PackedParams(Protocol):
    """Weights in the form of one back end."""

    @property
    def name(self) -> str:
        """Of the back end."""

    @property
    def value_ensemble(self) -> int:
        """How many Q functions there are to draw from."""

    def refresh(self, params: RolloutParams) -> None:
        """Takes the learner's weights as they are now; call it between two plans."""

    def rollout(
        self, z0: Tensor, actions: Tensor, goal: Tensor, context: Tensor, members: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """As `rollout.reference.ReferenceRollout.rollout`."""

    def policy_trajectories(self, z0: Tensor, goal: Tensor, context: Tensor, noise: Tensor) -> Tensor:
        """As `rollout.reference.ReferenceRollout.policy_trajectories`."""


def pack(params: RolloutParams, backend: Backend = "auto", dtype: torch.dtype | None = None) -> PackedParams:
    """Brings weights into the form of a back end.

    Args:
        params: the networks.
        backend: `reference` works everywhere and with any dtype; `cpu` is the fast one on a CPU; `auto` chooses by
            where the weights are.
        dtype: of products, where the back end offers a choice; None for the one of the weights.

    Raises:
        ValueError: there is no such back end, or it cannot work where the weights are.
    """
    weights = params.bins
    if backend == "auto":
        backend = "cpu" if weights.device.type == "cpu" else "reference"
    if backend == "cpu" and weights.device.type != "cpu":
        raise ValueError(f"back end cpu got weights on {weights.device}: move them to the CPU or choose auto")
    if backend == "cpu":
        return CPURollout(params, dtype or weights.dtype)
    if backend == "reference":
        return ReferenceRollout(params)
    raise ValueError(f"there is no back end {backend!r}: choose auto, reference or cpu")
