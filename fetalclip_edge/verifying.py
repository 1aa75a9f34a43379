"""Is a bundle whole, accounted for, and right on this machine? One list of checks, none skipped.

A check that cannot be made here, such as an engine without a GPU, says so; it is no failure and
no pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from fetalclip_edge.bundle.load import Bundle, load_bundle
from fetalclip_edge.bundle.manifest import Backend, FileEntry, Precision
from fetalclip_edge.choosing import Choice, has_gate_figures, obstacle_here, source
from fetalclip_edge.errors import CheckFailedError, EdgeError, UsageError
from fetalclip_edge.model import make_runner
from fetalclip_edge.selftest import check_self_test, run_self_test
from fetalclip_edge.session import Session

_NO_SHA256 = "0" * 64
_NON_COMMERCIAL = ("-nc", "non-commercial", "noncommercial", "research only", "research-only")


class Verdict(str, Enum):
    """What came of a check."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_RUN = "not run"


@dataclass(frozen=True, slots=True)
class Check:
    """One check.

    Attributes:
        what: what was looked at.
        verdict: what came of it.
        detail: what was found, in words.
    """

    what: str
    verdict: Verdict
    detail: str


@dataclass(frozen=True, slots=True)
class Verification:
    """Every check of one bundle.

    Attributes:
        folder: where it lies.
        digest: sha256 of its manifest; None where it cannot be loaded.
        checks: in the order in which they were made.
    """

    folder: Path
    digest: str | None
    checks: tuple[Check, ...]

    @property
    def failures(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if check.verdict is Verdict.FAILED)


def verify_bundle(folder: Path, *, expect_digest: str | None = None) -> Verification:
    """Makes every check; what is wrong with a bundle is a failed check, never an exception.

    Raises:
        UsageError: `expect_digest` is no sha256.
    """
    try:
        bundle = load_bundle(folder, expect_digest=expect_digest)
    except EdgeError as error:
        if isinstance(error, UsageError):
            raise
        return Verification(folder, None, (Check("hashes", Verdict.FAILED, str(error)),))
    files = len(bundle.manifest.digests())
    checks = [
        Check("hashes", Verdict.PASSED, f"{files} files are those that the manifest names"),
        _lineage(bundle),
        _licence(bundle),
    ]
    checks += [_gate(entry) for entry in bundle.manifest.files]
    golden = [_golden(bundle, backend, precision) for backend, precision in _to_run(bundle)]
    if all(check.verdict is Verdict.NOT_RUN for check in golden):
        golden.append(Check("golden frames", Verdict.FAILED, "nothing here can run them"))
    checks += golden
    return Verification(bundle.folder, bundle.digest, tuple(checks))


def check_verification(verification: Verification) -> None:
    """Raises `CheckFailedError` with the reasons if a check failed."""
    failures = verification.failures
    if failures:
        reasons = "; ".join(f"{check.what}: {check.detail}" for check in failures)
        raise CheckFailedError(
            f"bundle {verification.folder}, {len(failures)} of {len(verification.checks)} checks "
            f"failed: {reasons}",
            remedy="Do not use this bundle",
        )


def _lineage(bundle: Bundle) -> Check:
    """Teacher, student, data, recipe and INT8 calibration set: each named where there is one."""
    source_of = bundle.manifest.provenance
    int8 = any(entry.precision is Precision.INT8 for entry in bundle.manifest.files)
    missing = [
        name
        for name, there in (
            ("student", bool(source_of.student.strip())),
            ("parameters", source_of.parameters > 0),
            ("recipe_sha256", source_of.recipe_sha256 != _NO_SHA256),
            ("data", bool(source_of.data)),
            ("teacher_licence", source_of.teacher is None or bool(source_of.teacher_licence)),
            ("calibration_set_sha256", not int8 or source_of.calibration_set_sha256 is not None),
            *(
                (f"data {data.name}: {name}", bool(value))
                for data in source_of.data
                for name, value in (
                    ("licence", data.licence),
                    ("credit", data.credit),
                    ("split", data.split),
                    ("trained_on", data.trained_on),
                )
            ),
        )
        if not there
    ]
    if missing:
        return Check("lineage", Verdict.FAILED, f"missing: {', '.join(missing)}")
    chain = [
        f"teacher {source_of.teacher or 'none'}",
        f"student {source_of.student}",
        *(f"{data.name}, {data.frames} frames" for data in source_of.data),
        f"commit {source_of.commit or 'not recorded'}",
    ]
    return Check("lineage", Verdict.PASSED, "; ".join(chain))


def _licence(bundle: Bundle) -> Check:
    """Weights inherit the question of their teacher's licence and never the answer."""
    manifest = bundle.manifest
    weights, teacher = manifest.weights_licence, manifest.provenance.teacher_licence
    if not weights.strip():
        return Check("licence", Verdict.FAILED, "the weights have none")
    if teacher is not None and _non_commercial(teacher) and not _non_commercial(weights):
        detail = f"weights under {weights} descend from a teacher under {teacher}"
        return Check("licence", Verdict.FAILED, detail)
    note = "; not for commercial use" if _non_commercial(weights) else ""
    detail = f"weights {weights}, teacher {teacher or 'none'}{note}. {manifest.intended_use}"
    return Check("licence", Verdict.PASSED, detail)


def _non_commercial(licence: str) -> bool:
    return any(word in licence.lower() for word in _NON_COMMERCIAL)


def _gate(entry: FileEntry) -> Check:
    what = f"gate figures of {entry.backend.value} {entry.precision.value}"
    if entry.precision is Precision.FP32:
        return Check(what, Verdict.PASSED, "fp32 is the reference")
    if has_gate_figures(entry):
        return Check(what, Verdict.PASSED, "within the limits that stand in the manifest")
    if entry.precision is Precision.FP16:
        return Check(what, Verdict.NOT_RUN, "none; held to the golden frames alone")
    return Check(what, Verdict.FAILED, "none in the manifest")


def _to_run(bundle: Bundle) -> list[tuple[Backend, Precision]]:
    return [
        (backend, precision)
        for backend in Backend
        for precision in Precision
        if source(bundle.manifest, backend, precision) is not None
    ]


def _golden(bundle: Bundle, backend: Backend, precision: Precision) -> Check:
    what = f"golden frames, {backend.value} {precision.value}"
    reason = obstacle_here(bundle)(backend, precision)
    if reason is not None:
        return Check(what, Verdict.NOT_RUN, reason)
    try:
        with make_runner(bundle, Choice(backend, precision)) as runner:
            outcomes = run_self_test(bundle, Session(bundle, runner, gate=False))
        check_self_test(outcomes)
    except EdgeError as error:
        return Check(what, Verdict.FAILED, str(error))
    return Check(what, Verdict.PASSED, f"{len(outcomes)} within their tolerances")
