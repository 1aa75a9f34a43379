"""A bundle over labelled frames to its evaluation, read from top to bottom."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from distill.data.sample import Sample, Split
from distill.evaluation.ages import age_scores
from distill.evaluation.bank import stand_in_banks
from distill.evaluation.bootstrap import group_of
from distill.evaluation.evaluation import SCHEMA_ID, BundleFacts, DataPart, Evaluation, Version
from distill.evaluation.heads import by_trimester, gate_scores, head_outcomes, head_scores
from distill.evaluation.outcome import Outcome, Verdict, evaluate
from distill.evaluation.planes import PlaneScores, plane_scores
from distill.evaluation.probe import Probe, ProbeData, fit_probe
from distill.evaluation.retention import Retention, f1_ratio
from distill.evaluation.shortcut import shortcut_scores
from distill.evaluation.teacher import TeacherEmbeddings, zero_shot_verdicts
from fetalclip_edge.bundle.load import Bundle
from fetalclip_edge.bundle.manifest import Manifest
from fetalclip_edge.errors import CheckFailedError
from fetalclip_edge.model import Model
from fetalclip_edge.sinks.summary import versions

Watch = Callable[[Sequence[Sample], str], Iterable[Sample]]
"""Hands samples on, and shows how far it is."""

AskTeacher = Callable[[Sequence[Sample]], TeacherEmbeddings]


@dataclass(frozen=True, slots=True)
class Evaluated:
    """An evaluation, and the test outcomes that it was made from."""

    evaluation: Evaluation
    test: tuple[Outcome, ...]


def has_plane(sample: Sample) -> bool:
    """Tells whether a frame counts for planes: HC18 shows one plane alone, so it does not."""
    return sample.plane is not None and sample.outline is None


def check_unseen(manifest: Manifest, samples: Sequence[Sample]) -> None:
    """Raises `CheckFailedError` if a bundle was trained on one of these frames."""
    seen = {(d.name, name) for d in manifest.provenance.data for name in d.trained_on}
    known = [s.image.name for s in samples if (s.data_set, s.image.name) in seen]
    if known:
        raise CheckFailedError(
            "test frames",
            expected="frames that the bundle was not trained on",
            arrived=f"{len(known)} that it was, the first {known[0]}",
            remedy="Split the data as they were split for its training",
        )


def run_evaluation(
    model: Model, samples: Sequence[Sample], watch: Watch, ask: AskTeacher | None = None
) -> Evaluated:
    """Measures a bundle on test frames.

    Training frames with a plane fit the probe and the forest of the shortcut, validation frames
    choose the probe's one knob, and the true circumferences of training frames choose the
    constant guess of the age.

    Args:
        model: an entered model.
        samples: labelled frames of all splits.
        watch: shows progress.
        ask: gives the teacher's embeddings of the frames with a plane; None without a teacher.

    Raises:
        CheckFailedError: the bundle was trained on a test frame.
        InputError: an image or the teacher's store cannot be used.
    """
    manifest = model.bundle.manifest
    test = [sample for sample in samples if sample.split is Split.TEST]
    check_unseen(manifest, test)
    planes = [sample for sample in samples if has_plane(sample)]
    teacher = None if ask is None else ask(planes)

    session = model.session(gate=False)
    outcomes = evaluate(session, watch(test, "test frames"))
    others = [sample for sample in planes if sample.split is not Split.TEST]
    fitted_on = evaluate(session, watch(others, "frames of the probe"))
    gated = evaluate(model.session(), watch(test, "test frames, gate on"))

    stand_ins = stand_in_banks(manifest)
    said = [outcome for outcome in outcomes if has_plane(outcome.sample)]
    heads = head_outcomes(outcomes)
    training_hc_mm = [s.hc_mm for s in samples if s.split is Split.TRAIN and s.hc_mm is not None]
    by_image = {o.sample.image: o.embedding for o in (*fitted_on, *said)}
    probe = None
    if planes:
        embeddings = np.stack([by_image[sample.image] for sample in planes])
        probe = fit_probe(ProbeData(tuple(planes), embeddings), "linear probe")
    return Evaluated(
        Evaluation(
            schema_id=SCHEMA_ID,
            bundle=_facts(model.bundle, session.info.precision),
            data=_parts([*test, *others]),
            versions=_versions(),
            heads=head_scores(heads),
            trimesters=by_trimester(heads),
            gate=gate_scores(gated),
            planes=_verdicts(said, stand_ins),
            shortcut=shortcut_scores(planes),
            probe=None if probe is None else probe.scores,
            retention=_retention(model.bundle, probe, planes, teacher),
            ages=age_scores(heads, training_hc_mm, stand_in=bool(stand_ins)),
        ),
        tuple(outcomes),
    )


def _verdicts(outcomes: Sequence[Outcome], stand_ins: frozenset[str]) -> tuple[PlaneScores, ...]:
    """Returns the scores of each classification over planes, in the bundle's order."""
    if not outcomes:
        return ()
    truth = [-1 if o.sample.plane is None else o.sample.plane for o in outcomes]
    groups = [group_of(outcome.sample) for outcome in outcomes]
    said = zip(*(outcome.verdicts for outcome in outcomes), strict=True)
    scores = (
        _scores(one[0].head, one, truth, groups, stand_in=one[0].head in stand_ins) for one in said
    )
    return tuple(item for item in scores if item is not None)


def _scores(
    name: str,
    said: Sequence[Verdict],
    truth: Sequence[int],
    groups: Sequence[str],
    *,
    stand_in: bool,
) -> PlaneScores | None:
    """Returns the scores of one classification by what it said of each frame."""
    return plane_scores(
        name,
        truth,
        [verdict.plane for verdict in said],
        groups,
        known=said[0].known,
        zero_shot=said[0].zero_shot,
        stand_in=stand_in,
    )


def _retention(
    bundle: Bundle,
    student: Probe | None,
    samples: Sequence[Sample],
    teacher: TeacherEmbeddings | None,
) -> Retention | None:
    if student is None or teacher is None:
        return None
    data = ProbeData(tuple(samples), teacher.rows)
    other = fit_probe(data, f"linear probe of {teacher.name}", stand_in=teacher.stand_in)
    if other is None:
        return None
    truth = data.part(Split.TEST)[1].tolist()
    return Retention(
        teacher=teacher.name,
        licence=teacher.licence,
        stand_in=teacher.stand_in,
        probe=other.scores,
        zero_shot=_zero_shot(bundle, data, teacher),
        f1_ratio=f1_ratio(truth, student.guess, other.guess, data.test_groups),
    )


def _zero_shot(
    bundle: Bundle, data: ProbeData, teacher: TeacherEmbeddings
) -> tuple[PlaneScores, ...]:
    """Returns how well the teacher itself tells planes by the bundle's banks."""
    if bundle.manifest.embedding_space.name != teacher.space:
        return ()
    rows, truth = data.part(Split.TEST)
    scores = (
        _scores(
            f"{teacher.name} by {said[0].head}",
            said,
            truth.tolist(),
            data.test_groups,
            stand_in=teacher.stand_in,
        )
        for said in zero_shot_verdicts(bundle, rows)
    )
    return tuple(item for item in scores if item is not None)


def _facts(bundle: Bundle, precision: str) -> BundleFacts:
    manifest = bundle.manifest
    return BundleFacts(
        name=manifest.name,
        version=manifest.version,
        digest=bundle.digest,
        precision=precision,
        parameters=manifest.provenance.parameters,
        weights_licence=manifest.weights_licence,
        teacher=manifest.provenance.teacher,
        teacher_licence=manifest.provenance.teacher_licence,
    )


def _parts(samples: Sequence[Sample]) -> tuple[DataPart, ...]:
    keys = sorted({(s.data_set, list(Split).index(s.split)) for s in samples})
    parts = []
    for data_set, place in keys:
        split = list(Split)[place]
        held = [s for s in samples if s.data_set == data_set and s.split is split]
        parts.append(DataPart(data_set, split.value, len(held), len({group_of(s) for s in held})))
    return tuple(parts)


def _versions() -> tuple[Version, ...]:
    found = {**versions(), "scikit-learn": importlib.metadata.version("scikit-learn")}
    return tuple(Version(name, version) for name, version in sorted(found.items()))
