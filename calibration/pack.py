"""Puts INT8 files that hold, and what the gate said of fp16, into a copy of their bundle."""

from __future__ import annotations

from pathlib import Path

from calibration.calibrating import COMMAND, Calibrated
from fetalclip_edge.bundle.load import Bundle
from fetalclip_edge.bundle.manifest import Manifest
from fetalclip_edge.bundle.write import write_bundle
from fetalclip_edge.errors import CheckFailedError

SPLIT = "test: seen by no training step, no range and no search"


def pack(calibrated: Calibrated, folder: Path) -> Bundle:
    """Writes the bundle with its INT8 files, or nothing at all.

    Args:
        calibrated: what `calibrate` made.
        folder: where the bundle goes; it may be where it came from.

    Raises:
        CheckFailedError: a file does not hold; the message says what to try.
        BundleError: the bundle cannot be written.
    """
    failed = [c for c in calibrated.candidates if not c.passed]
    if failed:
        reasons = []
        for candidate in failed:
            verdict = candidate.verdict or candidate.found.trial.verdict
            split = "validation" if candidate.verdict is None else "test"
            why = "; ".join(verdict.reasons)
            reasons.append(f"{candidate.found.target.value} on {split} frames: {why}")
        raise CheckFailedError(
            "INT8 gate",
            expected="every file within its limits of fp32; nothing was written",
            arrived=". ".join(reasons),
            remedy="Give calibration frames that close the gaps the report names, ask for one "
            "--target alone, or train a student that is easier to quantize; else use fp32 or fp16",
        )
    old = calibrated.bundle.manifest
    entries = [c.entry(calibrated.ranges, SPLIT) for c in calibrated.candidates]
    judged = {(entry.backend, entry.precision) for entry in entries}
    if calibrated.half is not None:
        entries.insert(0, calibrated.half.accepted(SPLIT, COMMAND))
    new = {(entry.backend, entry.precision) for entry in entries}
    files = [f for f in old.files if (f.backend, f.precision) not in new]
    tolerances = [t for t in old.golden.tolerances if (t.backend, t.precision) not in judged]
    tolerances += [c.tolerance for c in calibrated.candidates if c.tolerance is not None]
    manifest = old.model_copy(
        update={
            "files": (*files, *entries),
            "golden": old.golden.model_copy(update={"tolerances": tuple(tolerances)}),
            "provenance": old.provenance.model_copy(
                update={"calibration_set_sha256": calibrated.ranges.set_sha256}
            ),
        }
    )
    manifest = Manifest.model_validate(manifest.model_dump())
    made = {c.found.target.path: c.found.model for c in calibrated.candidates}
    data: dict[str, bytes | Path] = {
        path: made.get(path, calibrated.bundle.folder / path) for path in manifest.digests()
    }
    return write_bundle(folder, manifest, data)
