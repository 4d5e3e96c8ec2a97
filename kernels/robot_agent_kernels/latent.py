"""What a latent is made of: how an embedding becomes one, how a prediction does, and how far a prediction is off."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Protocol

from torch import Tensor

from robot_agent_kernels.fsq.reference import code_loss, expected_code, quantise
from robot_agent_kernels.simnorm.reference import simnorm


class LatentSpace(Protocol):
    """A kind of latent; encoder, world model and rollout agree on one."""

    loss_name: ClassVar[str]
    """Under which the error of a prediction goes: kinds of latents have errors of different scales."""

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

    def error(self, prediction: Tensor, predicted: Tensor, target: Tensor) -> Tensor:
        """Mean error of predictions.

        Args:
            prediction: `(ensemble, rows, prediction_width)`.
            predicted: `(ensemble, rows, latent)`, the latents that it stands for.
            target: `(rows, latent)`, encoded.

        Returns:
            scalar.
        """


@dataclass(frozen=True)
class SimNormLatent:
    """`groups` simplices (see `simnorm`); predicted by regression."""

    width: int
    groups: int
    loss_name: ClassVar[str] = "consistency"

    @property
    def prediction_width(self) -> int:
        return self.width

    def from_embedding(self, embedding: Tensor) -> Tensor:
        return simnorm(embedding, self.groups)

    def from_prediction(self, prediction: Tensor) -> Tensor:
        return simnorm(prediction, self.groups)

    def error(self, prediction: Tensor, predicted: Tensor, target: Tensor) -> Tensor:
        return (predicted - target).square().mean()


@dataclass(frozen=True)
class QuantisedLatent:
    """Groups of discrete codes (see `fsq`); predicted by classification, and rolled out as the mean code."""

    width: int
    levels: tuple[int, ...]
    loss_name: ClassVar[str] = "code_prediction"

    @property
    def prediction_width(self) -> int:
        return self.width // len(self.levels) * math.prod(self.levels)

    def from_embedding(self, embedding: Tensor) -> Tensor:
        return quantise(embedding, self.levels)

    def from_prediction(self, prediction: Tensor) -> Tensor:
        return expected_code(prediction, self.levels)

    def error(self, prediction: Tensor, predicted: Tensor, target: Tensor) -> Tensor:
        return code_loss(prediction, target, self.levels).mean()
