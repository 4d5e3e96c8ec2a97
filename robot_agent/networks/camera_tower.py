"""A small convolutional tower for one camera frame."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class CameraTower(nn.Module):
    """One RGB frame to a feature vector.

    Each frame goes through alone and the stack is fused afterwards, so that the frames of a sub-sequence are each
    computed once although they appear in several stacks.

    Args:
        height: of the frame in pixels.
        width: of the frame in pixels.
        channels: of the three convolutions (kernel 8 stride 4, then twice kernel 3 stride 2).
        features: width of the result.
    """

    def __init__(self, height: int, width: int, channels: tuple[int, int, int], features: int) -> None:
        super().__init__()
        first, second, third = channels
        self.convolutions = nn.ModuleList(
            [
                nn.Conv2d(3, first, kernel_size=8, stride=4, padding=2),
                nn.Conv2d(first, second, kernel_size=3, stride=2, padding=1),
                nn.Conv2d(second, third, kernel_size=3, stride=2, padding=1),
            ]
        )
        for layer in self.convolutions:
            assert isinstance(layer, nn.Conv2d)
            nn.init.orthogonal_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        with torch.no_grad():
            cells = self.convolve(torch.zeros(1, 3, height, width)).shape[1]
        self.output = nn.Linear(cells, features)

    def convolve(self, frames: Tensor) -> Tensor:
        hidden = frames
        for layer in self.convolutions:
            hidden = F.relu_(layer(hidden))
        return hidden.flatten(1)

    def forward(self, frames: Tensor) -> Tensor:
        """`(frames, 3, height, width)` in [0, 1] to `(frames, features)`."""
        features = self.output(self.convolve(frames))
        return F.layer_norm(features, features.shape[-1:])
