"""An encoder alone as ONNX, to be timed beside others: a bundle's own, or one of timm's."""

from __future__ import annotations

import tempfile
from pathlib import Path

import onnx
import timm
import torch
from timm.utils.model import reparameterize_model

from export.onnx_file import MAX_IR_VERSION, OPSET, folded
from fetalclip_edge.errors import CheckFailedError, UsageError


def timm_encoder(name: str, size_px: int, channels: int = 3) -> bytes:
    """Returns one of timm's encoders with random weights, float (1, C, S, S) -> features.

    Weights do not change how long a dense network takes. `fastvit_mci0` is the encoder of
    MobileFetalCLIP.

    Raises:
        UsageError: timm has none of this name.
        CheckFailedError: it cannot be exported.
    """
    if not timm.is_model(name):
        raise UsageError("encoder", expected="a name that timm knows", arrived=repr(name))
    torch.manual_seed(0)
    encoder = timm.create_model(name, pretrained=False, num_classes=0, in_chans=channels).eval()
    encoder = reparameterize_model(encoder)
    program = torch.onnx.export(
        encoder,
        (torch.zeros(1, channels, size_px, size_px),),
        input_names=["image"],
        output_names=["features"],
        opset_version=OPSET,
        dynamo=True,
        external_data=False,
        verbose=False,
    )
    if program is None:
        raise CheckFailedError(f"encoder {name}", expected="an ONNX program", arrived="none")
    model = folded(program.model_proto)
    model.ir_version = min(model.ir_version, MAX_IR_VERSION)
    return bytes(model.SerializeToString(deterministic=True))


def bundle_encoder(model: bytes, output: str = "embedding") -> bytes:
    """Returns the part of a bundle's graph that leads to its embedding, without its other heads."""
    with tempfile.TemporaryDirectory() as folder:
        whole, part = Path(folder) / "whole.onnx", Path(folder) / "part.onnx"
        whole.write_bytes(model)
        onnx.utils.extract_model(str(whole), str(part), ["frame"], [output])
        return part.read_bytes()
