"""A run, set up and checked: what `train` trains and what `plan` describes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import Tensor

from distill.checkpoint import load_weights
from distill.data.cache import CachedFrames
from distill.data.label_share import visible_labels
from distill.data.sample import Sample, Split, check_no_leak
from distill.data.split_file import SPLIT_NAME, SplitTable
from distill.devices import gather_from
from distill.draws import Draws, draw_weights
from distill.model import Student
from distill.objective import Objective
from distill.recipe import Recipe, Trained
from distill.record_file import write_bytes
from distill.run_record import CHECKPOINT_NAME, RunRecord
from distill.score import ScoredFrames
from distill.store.teacher_store import TeacherStore
from distill.teacher.manifest import TeacherRecord
from distill.text_bank import TextBank
from distill.train_frames import TrainFrames
from fetalclip_edge.errors import InputError, UsageError

DEFAULT_EMBEDDING_DIM = 256


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What a run is asked to be.

    Attributes:
        folder: of the run.
        recipe: how it is trained.
        samples: every frame, with its split.
        store: what the teacher said of the training and validation frames, or None.
        bank: prompts in the teacher's space, or None.
        start_from: folder of a run whose weights are the first, or None.
    """

    folder: Path
    recipe: Recipe
    samples: list[Sample]
    store: TeacherStore | None = None
    bank: TextBank | None = None
    start_from: Path | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """A run that is ready to begin or to go on.

    Attributes:
        folder: of the run.
        record: its recipe and lineage.
        split: its frames.
        frames: training frames, augmented.
        validation: frames that the weights are chosen on.
        draws: which training frame comes when.
        student: the network, with its first weights; frozen where it is not trained.
        objective: the loss.
    """

    folder: Path
    record: RunRecord
    split: SplitTable
    frames: TrainFrames
    validation: ScoredFrames
    draws: Draws
    student: Student
    objective: Objective

    @property
    def recipe(self) -> Recipe:
        """How it is trained."""
        return self.record.recipe


def prepare_run(fabric: Fabric, request: RunRequest) -> Run:
    """Checks that all belongs together, and loads it; writes nothing.

    Raises:
        InputError: frames, store, bank or the run to start from cannot be used.
        UsageError: they do not belong together.
        CheckFailedError: a group stands in two splits.
    """
    recipe, store = request.recipe, request.store
    check_no_leak(request.samples)
    _check_teacher(recipe, request)
    parts = {s: [x for x in request.samples if x.split is s] for s in Split}
    if not parts[Split.VALIDATION]:
        raise InputError("data", expected="validation frames to choose on", arrived="none")
    if store is not None:
        store.check_images([*parts[Split.TRAIN], *parts[Split.VALIDATION]])
    visible = visible_labels(parts[Split.TRAIN], recipe.labels.share, recipe.labels.seed)
    split = SplitTable(request.samples, visible)
    record = _record(request, split)
    torch.manual_seed(recipe.training.seed)
    student = _student(record, request.start_from)
    size_px = recipe.student.size_px
    draws = Draws(
        draw_weights(parts[Split.TRAIN], visible, taught=recipe.losses.need_teacher),
        seed=recipe.training.seed,
        batch=recipe.training.batch,
        accumulation=recipe.training.accumulation,
        rank=fabric.global_rank,
        world=fabric.world_size,
    )
    structures = recipe.student.structures
    cached = CachedFrames(parts[Split.VALIDATION], size_px, structures)
    validation = ScoredFrames(
        cached,
        mask=recipe.losses.mask is not None,
        plane=recipe.losses.plane is not None,
        teacher=None if store is None else _embeddings(store, cached.samples),
    )
    bank = None if request.bank is None else request.bank.embeddings.to(fabric.device)
    return Run(
        request.folder,
        record,
        split,
        TrainFrames(CachedFrames(parts[Split.TRAIN], size_px, structures), visible, store),
        validation,
        draws,
        student,
        Objective(recipe.losses, bank, gather_from(fabric)),
    )


def begin_run(run: Run) -> None:
    """Writes the run's record and its split, or checks that they are those it was begun with.

    Raises:
        UsageError: the folder holds a run of something else.
        SinkError: they cannot be written.
    """
    run.record.save(run.folder)
    write_bytes(run.folder / SPLIT_NAME, run.split.csv_bytes())


def _check_teacher(recipe: Recipe, request: RunRequest) -> None:
    store, bank = request.store, request.bank
    if recipe.losses.need_teacher != (store is not None):
        raise UsageError(
            "recipe and teacher",
            expected="a teacher store exactly where a loss of the recipe compares with a teacher",
            arrived="no store" if store is None else "a store that no loss uses",
            remedy="Give --store or --teacher, or another --recipe",
        )
    if (recipe.losses.bank is not None) != (bank is not None):
        raise UsageError(
            "recipe and text bank",
            expected="--bank exactly where the recipe has a section losses.bank",
            arrived="no --bank" if bank is None else "a bank that no loss uses",
        )
    if store is None:
        return
    if recipe.student.embedding_dim not in (None, store.dim):
        raise UsageError(
            "student.embedding_dim",
            expected=f"the teacher's {store.dim}",
            arrived=str(recipe.student.embedding_dim),
            remedy="Leave it out: the student lives in the teacher's space",
        )


def _record(request: RunRequest, split: SplitTable) -> RunRecord:
    recipe, store = request.recipe, request.store
    teacher: TeacherRecord | None = None if store is None else store.teacher
    dim = recipe.student.embedding_dim or (DEFAULT_EMBEDDING_DIM if store is None else store.dim)
    in_space, start_sha256 = store is not None, None
    if request.start_from is not None:
        before = RunRecord.load(request.start_from)
        start_sha256 = _sha256(request.start_from / CHECKPOINT_NAME)
        dim = before.embedding_dim if recipe.student.embedding_dim is None else dim
        if teacher is not None and before.teacher not in (None, teacher):
            raise UsageError(
                "--start-from", expected="a run with the same teacher", arrived="another teacher"
            )
        if teacher is None:  # what it learnt from its teacher it still holds
            teacher = before.teacher
            in_space = before.in_teacher_space and recipe.student.trained is Trained.HEADS
    elif recipe.student.trained is Trained.HEADS:
        raise UsageError(
            'student.trained = "heads"', expected="--start-from a trained run", arrived="nothing"
        )
    return RunRecord(
        recipe=recipe,
        recipe_sha256=recipe.sha256,
        embedding_dim=dim,
        teacher=teacher,
        in_teacher_space=in_space,
        split_sha256=hashlib.sha256(split.csv_bytes()).hexdigest(),
        bank_sha256=None if request.bank is None else request.bank.sha256,
        start_sha256=start_sha256,
    )


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        arrived = error.strerror or "an error"
        raise InputError(f"{path}", expected="trained weights", arrived=arrived) from None


def _student(record: RunRecord, start_from: Path | None) -> Student:
    """Returns the student; what no loss reaches, or is kept as it is, does not move."""
    student, losses = Student(record.spec), record.recipe.losses
    if start_from is not None:
        try:
            student.load_state_dict(load_weights(start_from / CHECKPOINT_NAME))
        except RuntimeError as error:
            raise UsageError(
                f"--start-from {start_from}",
                expected="a run of the same student",
                arrived=str(error).splitlines()[-1].strip(),
            ) from None
    frozen: list[torch.nn.Module] = []
    if losses.mask is None:
        frozen += [student.lateral, student.smooth, student.mask]
    if losses.plane is None:
        frozen.append(student.plane)
    if record.recipe.student.trained is Trained.HEADS:
        frozen += [student.encoder, student.embed]
    elif losses.plane is None and not losses.need_teacher:
        frozen.append(student.embed)
    for module in frozen:
        module.requires_grad_(False)
    return student.to(memory_format=torch.channels_last)


def _embeddings(store: TeacherStore, samples: list[Sample]) -> Tensor:
    rows = [torch.from_numpy(store.embedding(store.index(s), 0).astype("float32")) for s in samples]
    return torch.stack(rows)
