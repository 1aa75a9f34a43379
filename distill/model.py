"""The student: one compact encoder, an embedding, a plane head and a stride-4 mask decoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import timm
import torch
from timm.models.byobnet import ByoBlockCfg, ByobNet, ByoModelCfg
from timm.models.resnet import BasicBlock, ResNet
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (the name that torch itself uses)

from fetalclip_edge.errors import UsageError

PRESETS: tuple[str, ...] = (
    "resnet18_half_strided",
    "resnet18_half",
    "repvgg_a0_half",
    "mobileone_s0",
    "mobilenetv4_conv_small",
)
"""Encoders by name; all but the last are plain convolutions once they are reparameterized."""


class StudentOutput(NamedTuple):
    """What one forward pass gives.

    embedding: (B, D) float, L2-normalised. plane: (B, P) logits. mask: (B, M, S, S) logits.
    """

    embedding: Tensor
    plane: Tensor
    mask: Tensor


@dataclass(frozen=True, slots=True)
class StudentSpec:
    """Everything needed to build a student anew.

    Attributes:
        preset: one of `PRESETS`.
        planes: number of plane classes.
        structures: number of mask channels.
        embedding_dim: width of the embedding.
        decoder_width: channels of the decoder.
    """

    preset: str
    planes: int = 6
    structures: int = 1
    embedding_dim: int = 256
    decoder_width: int = 32

    def __post_init__(self) -> None:
        if self.preset not in PRESETS:
            raise UsageError("preset", expected=" or ".join(PRESETS), arrived=repr(self.preset))


def build_encoder(preset: str) -> nn.Module:
    """Returns a timm encoder for (B, 1, S, S) without its classifier."""
    if preset == "resnet18_half_strided":
        return _resnet18_half_strided()
    if preset == "resnet18_half":
        return _resnet18_half(stem_width=8)
    if preset == "repvgg_a0_half":
        blocks = tuple(
            ByoBlockCfg(type="rep", d=depth, c=width, s=2, gs=0)
            for depth, width in ((2, 32), (4, 64), (14, 128), (1, 320))
        )
        config = ByoModelCfg(blocks=blocks, stem_type="rep", stem_chs=24)
        return ByobNet(config, num_classes=0, in_chans=1)
    encoder: nn.Module = timm.create_model(preset, pretrained=False, in_chans=1, num_classes=0)
    return encoder


def _resnet18_half(stem_width: int) -> ResNet:
    return ResNet(
        BasicBlock,  # type: ignore[arg-type]  # timm annotates an instance
        (2, 2, 2, 2),
        in_chans=1,
        num_classes=0,
        stem_type="deep",
        stem_width=stem_width,
        channels=(32, 64, 128, 256),
    )


def _resnet18_half_strided() -> ResNet:
    """Two strided convolutions to stride 4 in place of three at stride 2 and a max-pooling.

    A stem is a small share of the multiplications and a large one of the bytes: in INT8 that of
    `resnet18_half` takes 0.68 of 2.2 ms, this one 0.30 of 1.8.
    """
    encoder = _resnet18_half(stem_width=16)
    first = nn.Conv2d(1, 16, 4, stride=2, padding=1, bias=False)
    second = nn.Conv2d(16, 32, 3, stride=2, padding=1, bias=False)
    encoder.conv1 = nn.Sequential(first, nn.BatchNorm2d(16), nn.ReLU(inplace=True), second)
    for convolution in (first, second):
        nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
    encoder.maxpool = nn.Sequential()  # nothing
    return encoder


def _conv(channels_in: int, channels_out: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(inplace=True),
    )


def upsample(maps: Tensor, factor: int) -> Tensor:
    """Returns (B, M, S, S) maps, resized bilinearly to (B, M, factor * S, factor * S).

    Half-pixel centres, as `F.interpolate` has them; but as two products with a constant matrix.
    Runtimes multiply matrices faster than they resize: 0.05 against 0.43 ms for one 256-pixel
    mask in ONNX Runtime on two cores.
    """
    side = maps.shape[-1]
    source = (torch.arange(factor * side, dtype=maps.dtype, device=maps.device) + 0.5) / factor
    source = (source - 0.5).clamp(0, side - 1)
    rows = torch.arange(side, dtype=maps.dtype, device=maps.device)[:, None]
    weights = (1.0 - (source - rows).abs()).clamp(min=0)  # (S, factor * S), the hat function
    return weights.T @ (maps @ weights)


class Student(nn.Module):
    """uint8 (B, 1, S, S) in [0, 255] to embedding, plane logits and mask logits in one pass.

    The first node is a cast and the normalisation is part of the graph, so that training,
    calibration and every cart see the same numbers. The decoder adds features from stride 32
    down to stride 4 (Lin et al., Feature Pyramid Networks, CVPR 2017) and upsamples its logits
    once.
    """

    def __init__(self, spec: StudentSpec) -> None:
        super().__init__()
        self.spec = spec
        self.encoder = build_encoder(spec.preset)
        with torch.no_grad():
            self.encoder.eval()
            channels = [f.shape[1] for f in self._features(torch.zeros(1, 1, 64, 64))]
            self.encoder.train()
        self.lateral = nn.ModuleList(_conv(c, spec.decoder_width, 1) for c in channels)
        self.smooth = _conv(spec.decoder_width, spec.decoder_width, 3)
        self.mask = nn.Conv2d(spec.decoder_width, spec.structures, 1)
        self.embed = nn.Linear(channels[-1], spec.embedding_dim)
        self.plane = nn.Linear(spec.embedding_dim, spec.planes)

    def _features(self, x: Tensor) -> list[Tensor]:
        """Returns features at strides 4, 8, 16 and 32."""
        features: list[Tensor] = self.encoder.forward_intermediates(  # type: ignore[operator]
            x, indices=4, intermediates_only=True
        )
        return features

    def forward(self, frame: Tensor) -> StudentOutput:
        """Runs the network; see the class for shapes."""
        x = (frame.float() - 127.5) / 64.0
        features = self._features(x)
        laterals = [conv(f) for conv, f in zip(self.lateral, features, strict=True)]
        top = laterals[-1]
        for lateral in reversed(laterals[:-1]):
            top = lateral + F.interpolate(top, scale_factor=2.0, mode="nearest")
        logits = self.mask(self.smooth(top))  # (B, M, S/4, S/4)
        mask = upsample(logits, 4)
        raw = self.embed(features[-1].mean(dim=(2, 3)))  # (B, D)
        return StudentOutput(F.normalize(raw.float(), dim=-1), self.plane(raw), mask)
