"""What a latent is made of: how an embedding becomes one, and how a prediction does."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from robot_agent_kernels.fsq.reference import expected_code, quantise
from robot_agent_kernels.simnorm.reference import simnorm


class LatentSpace(Protocol):
    """A kind of latent; encoder, world model and rollout agree on one."""

    @property
    def width(self) -> int:
        """Units of a latent."""

    @property
    def prediction_width(self) -> int:
        """Outputs of a dynamics head."""

    def from_embedding(self, embedding: Tensor) -> Tensor:
        """What the encoder puts out, `(..., latent)`, to a latent of the same shape."""

    def from_prediction(self, prediction: Tensor) -> Tensor:
        """What a dynamics head puts out, `(..., prediction_width)`, to a latent `(..., latent)`."""


@dataclass(frozen=True)
class SimNormLatent:
    """`groups` simplices (see `simnorm`); predicted by regression."""

    width: int
    groups: int

    @property
    def prediction_width(self) -> int:
        return self.width

    def from_embedding(self, embedding: Tensor) -> Tensor:
        return simnorm(embedding, self.groups)

    def from_prediction(self, prediction: Tensor) -> Tensor:
        return simnorm(prediction, self.groups)


@dataclass(frozen=True)
class QuantisedLatent:
    """Groups of discrete codes (see `fsq`); predicted by classification, and rolled out as the mean code."""

    width: int
    levels: tuple[int, ...]

    @property
    def prediction_width(self) -> int:
        return self.width // len(self.levels) * math.prod(self.levels)

    def from_embedding(self, embedding: Tensor) -> Tensor:
        return quantise(embedding, self.levels)

    def from_prediction(self, prediction: Tensor) -> Tensor:
        return expected_code(prediction, self.levels)
