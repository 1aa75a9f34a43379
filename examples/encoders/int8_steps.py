"""What each step before Q/DQ does to a network that is wholly in INT8, on validation frames.

python examples/encoders/int8_steps.py BUNDLE FRAMES_CSV
"""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

import typer

from calibration.form import Form, choose_form
from calibration.frames import choose_frames
from calibration.gate import judge
from calibration.graph import prepared
from calibration.held_out import HeldOut
from calibration.quantize import Target, quantize
from calibration.ranges import Method, compute_ranges
from calibration.splits import unseen
from fetalclip_edge.bundle.load import load_bundle
from fetalclip_edge.bundle.manifest import Backend, Precision
from fetalclip_edge.labelled_frames import read_labelled_frames
from fetalclip_edge.runners.onnxruntime import OnnxRuntimeRunner
from fetalclip_edge.session import Session

METHODS = (Method.MIN_MAX, Method.PERCENTILE)


def main(bundle_folder: Path, frames: Path) -> None:
    """Print a table: mean change of HC, its 95th percentile and the loss of plane F1."""
    warnings.simplefilter("ignore")  # of onnxruntime's tools
    bundle = load_bundle(bundle_folder)
    fp32 = bundle.model_path(Backend.ONNXRUNTIME, Precision.FP32)
    with OnnxRuntimeRunner(fp32, precision="fp32") as runner:
        chosen = choose_frames((str(frames),), Session(bundle, runner, gate=False), bundle.manifest)
    labelled = read_labelled_frames(frames)
    held_out = HeldOut(unseen(labelled, "validation", bundle.manifest, chosen).frames)
    reference = held_out.outcomes(bundle, fp32)
    plain = prepared(fp32.read_bytes())
    form = choose_form(plain, chosen.squares)
    steps = (
        ("none", Form(None, ()), False),
        ("biases", Form(None, ()), True),
        ("biases, gray levels", Form(form.levels, ()), True),
        ("biases, gray levels, like ranges", form, True),
    )
    typer.echo(f"| steps | {' | '.join(method.value for method in METHODS)} |")
    typer.echo("|---" * (1 + len(METHODS)) + "|")
    for words, tried, biases in steps:
        model = tried.apply(plain)
        ranges = tried.known(compute_ranges(model, "0" * 64, chosen))
        if not biases:
            ranges = ranges.model_copy(update={"means": ()})
        cells = []
        for method in METHODS:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "int8.onnx"
                path.write_bytes(
                    quantize(model, ranges, method, Target.ONNXRUNTIME).SerializeToString()
                )
                mean, high, _, f1 = judge(reference, held_out.outcomes(bundle, path)).figures
            cells.append(f"{mean.value:.2f} mm, {high.value:.2f} mm, {f1.value:+.3f}")
        typer.echo(f"| {words} | {' | '.join(cells)} |")


if __name__ == "__main__":
    typer.run(main)
