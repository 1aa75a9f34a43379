"""The recipe's losses, each computed once over the frames of every process, and their mix."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from distill.losses import (
    bank_loss,
    clip_loss,
    feature_loss,
    interactive_loss,
    labelled_mean,
    mask_losses,
    plane_loss,
    relational_loss,
    repulsive_loss,
)
from distill.model import StudentOutput
from distill.recipe import LossesPart, Scheduled
from distill.train_frames import Batch

Gather = Callable[[Tensor], Tensor]
"""From (B, ...) of this process to (W * B, ...) of all of them, with gradients."""


class Objective:
    """Computes the loss of a batch.

    What is compared across a batch must see the whole of it, and a mean over labelled frames
    must count the labels of all processes. So the small outputs are gathered, and every process
    computes the loss of the whole batch; a mask's loss is gathered in place of the mask. The
    gather hands each process the sum of all processes' gradients, which the mean over processes
    of the gradients then divides back.

    Args:
        losses: what is mixed.
        bank: (N, D), L2-normalised embeddings of prompts, or None.
        gather: see `Gather`.
    """

    def __init__(self, losses: LossesPart, bank: Tensor | None, gather: Gather) -> None:
        self._losses, self._bank, self._gather = losses, bank, gather

    def __call__(
        self, out: StudentOutput, batch: Batch, target: Tensor, progress: float
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Returns the mixed loss, and each loss by name before it is weighted.

        Args:
            out: what the student said of this process's frames.
            batch: their labels and the teacher's embeddings.
            target: float (B, M, S, S) in [0, 1], the masks at the side of `out`.
            progress: share of the steps that are done, in [0, 1].
        """
        found: dict[str, tuple[Scheduled, Tensor]] = {}
        if (mask := self._losses.mask) is not None:
            values = self._gather(mask_losses(out.mask.float(), target, batch.labelled))
            found["mask"] = mask.weight, labelled_mean(values, self._gather(batch.labelled))
        if (plane := self._losses.plane) is not None:
            logits, classes = self._gather(out.plane.float()), self._gather(batch.plane)
            found["plane"] = plane.weight, plane_loss(logits, classes, plane.smoothing)
        if self._losses.need_teacher:
            student = self._gather(out.embedding.float())
            found.update(self._taught(student, self._gather(batch.teacher), progress))
        total = sum(weight.at(progress) * loss for weight, loss in found.values())
        if not isinstance(total, Tensor):
            raise TypeError("a recipe has at least one loss")
        return total, {name: loss for name, (_, loss) in found.items()}

    def _taught(
        self, student: Tensor, teacher: Tensor, progress: float
    ) -> dict[str, tuple[Scheduled, Tensor]]:
        """Returns the losses that compare (B, D) with (B, D).

        Frames have no text here: the anchors of the contrastive losses are the teacher's
        embeddings of the frames.
        """
        losses, found = self._losses, dict[str, tuple[Scheduled, Tensor]]()
        if (part := losses.feature) is not None:
            found["feature"] = part.weight, feature_loss(student, teacher)
        if (relational := losses.relational) is not None:
            loss = relational_loss(student, teacher, relational.temperature)
            found["relational"] = relational.weight, loss
        if (interactive := losses.interactive) is not None:
            loss = interactive_loss(student, teacher, interactive.temperature)
            found["interactive"] = interactive.weight, loss
        if (bank := losses.bank) is not None and self._bank is not None:
            loss = bank_loss(student, teacher, self._bank, bank.temperature)
            found["bank"] = bank.weight, loss
        if (clip := losses.clip) is not None:
            found["clip"] = clip.weight, clip_loss(student @ teacher.T / clip.temperature)
        if (repulsive := losses.repulsive) is not None:
            loss = repulsive_loss(
                student @ teacher.T / repulsive.temperature,
                teacher @ teacher.T / repulsive.temperature,
                repulsive.off_diagonal.at(progress),
                repulsive.tau,
            )
            found["repulsive"] = repulsive.weight, loss
        return found
