"""The encoder: camera frames and proprioception fused into one latent. It never stops learning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from robot_agent_kernels.latent import LatentSpace, QuantisedLatent, SimNormLatent
from torch import Tensor, nn

from robot_agent.encoder.normaliser import RunningNormaliser
from robot_agent.errors import RobotAgentError
from robot_agent.networks.camera_tower import CameraTower
from robot_agent.networks.mlp import MLP
from robot_agent.types import BodySpec


@dataclass(frozen=True)
class EncoderConfig:
    """Size of the latent and of the towers.

    Attributes:
        latent_dim: width of the latent.
        latent: `simnorm`, simplices predicted by regression, or `fsq`, discrete codes predicted by classification.
        simplex_dim: members of a SimNorm simplex; divides `latent_dim`.
        fsq_levels: values of each channel of a code; their number divides `latent_dim`.
        hidden: widths of the hidden layers of the perceptron that fuses all streams.
        frame_stack: camera frames that the encoder sees at once; 3 show velocity and acceleration.
        camera_channels: of the camera tower's convolutions.
        camera_features: of one frame.
        shift_pixels: random-shift augmentation of the camera while learning.
    """

    latent_dim: int = 64
    latent: Literal["simnorm", "fsq"] = "simnorm"
    simplex_dim: int = 8
    fsq_levels: tuple[int, ...] = (5, 3)
    hidden: tuple[int, ...] = (192,)
    frame_stack: int = 3
    camera_channels: tuple[int, int, int] = (16, 32, 64)
    camera_features: int = 64
    shift_pixels: int = 3

    def space(self) -> LatentSpace:
        """What the latent is made of.

        Raises:
            RobotAgentError: its width is not a multiple of a simplex or a code.
        """
        members = len(self.fsq_levels) if self.latent == "fsq" else self.simplex_dim
        if members < 1 or self.latent_dim % members:
            raise RobotAgentError(
                f"a latent of {self.latent_dim} cannot be cut into groups of {members}: make latent_dim a multiple"
            )
        if self.latent == "fsq":
            return QuantisedLatent(self.latent_dim, self.fsq_levels)
        return SimNormLatent(self.latent_dim, self.latent_dim // self.simplex_dim)


class Encoder(nn.Module):
    """`z = enc(camera frames, proprio)`; either stream may be absent, and it never sees a goal."""

    def __init__(self, spec: BodySpec, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.space = config.space()
        self.normaliser = RunningNormaliser(spec.proprio_dim)
        self.towers = nn.ModuleDict(
            {
                name: CameraTower(height, width, config.camera_channels, config.camera_features)
                for name, (height, width) in spec.cameras
            }
        )
        camera_width = config.camera_features * config.frame_stack
        # Beside a camera, proprioception gets as many features of the same size, or the camera would drown it.
        fused = bool(spec.cameras) and spec.proprio_dim > 0
        self.proprio_tower = nn.Linear(spec.proprio_dim, camera_width) if fused else None
        proprio_width = camera_width if fused else spec.proprio_dim
        self.fusion = MLP(len(spec.cameras) * camera_width + proprio_width, config.hidden, config.latent_dim)

    def embed(self, cameras: Mapping[str, Tensor], proprio: Tensor) -> Tensor:
        """What becomes the latent, where the collapse guard looks; shapes as in `forward`."""
        windows, steps, _ = proprio.shape
        features = [self.normaliser(proprio)]
        if self.proprio_tower is not None:
            wide = self.proprio_tower(features[0])
            features = [F.layer_norm(wide, wide.shape[-1:])]
        for name, tower in self.towers.items():
            frames = cameras[name]
            flat = frames.flatten(0, 1).permute(0, 3, 1, 2).to(torch.float32).div_(255.0)
            single = tower(flat).view(windows, frames.shape[1], -1)
            # (windows, steps, features, stack): the stack of each step, each frame computed once
            features.append(single.unfold(1, self.config.frame_stack, 1).flatten(2))
        rows = torch.cat(features, dim=-1).flatten(0, 1)
        return self.fusion(rows)[0].view(windows, steps, -1)

    def forward(self, cameras: Mapping[str, Tensor], proprio: Tensor) -> Tensor:
        """Encodes sub-sequences.

        Args:
            cameras: name to uint8 `(windows, frame_stack - 1 + steps, height, width, 3)`.
            proprio: float32 `(windows, steps, proprio_dim)`, raw; width 0 where the body has none.

        Returns:
            `(windows, steps, latent_dim)`, made of simplices or codes.
        """
        return self.space.from_embedding(self.embed(cameras, proprio))
