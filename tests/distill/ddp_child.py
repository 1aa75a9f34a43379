"""One process of two: the gradients of its share of a batch, then a whole run. See test_ddp.py."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from lightning_fabric import Fabric

from distill.data.standard import load_standard
from distill.devices import gather_from, make_fabric
from distill.model import Student, StudentSpec
from distill.objective import Objective
from distill.recipe import BankLoss, Schedule, load_recipe
from distill.run import RunRequest, begin_run, prepare_run
from distill.train import forward, train
from distill.train_frames import Batch
from tests.distill.tiny import DrawnStore

FRAMES, SIDE_PX, DIM = 8, 64, 16


def whole_batch() -> Batch:
    """Labels lie unevenly: three masks and one plane in one half, one and three in the other."""
    g = torch.Generator().manual_seed(5)
    teacher = torch.nn.functional.normalize(torch.randn(FRAMES, DIM, generator=g), dim=1)
    return Batch(
        torch.randint(0, 256, (FRAMES, 1, SIDE_PX, SIDE_PX), dtype=torch.uint8, generator=g),
        torch.randint(0, 256, (FRAMES, 1, SIDE_PX, SIDE_PX), dtype=torch.uint8, generator=g),
        torch.tensor([2, -1, -1, -1, 0, 1, 3, -1]),
        torch.tensor([True, True, True, False, False, False, False, True]),
        teacher,
        torch.arange(FRAMES),
    )


def step(fabric: Fabric, recipe_path: Path) -> dict[str, torch.Tensor]:
    """Returns the loss and every gradient, with this process's share of the batch."""
    recipe = load_recipe(recipe_path)
    torch.manual_seed(0)
    student = Student(StudentSpec("resnet18_half", embedding_dim=DIM, decoder_width=8))
    student.eval()  # statistics of a batch would differ between one process and two
    bank = torch.nn.functional.normalize(
        torch.randn(5, DIM, generator=torch.Generator().manual_seed(6)), dim=1
    )
    with_bank = BankLoss(weight=Schedule(start=1.0, end=1.0))
    losses = recipe.losses.model_copy(update={"bank": with_bank})
    objective = Objective(losses, bank, gather_from(fabric))
    model, _ = fabric.setup(student, torch.optim.SGD(student.parameters(), lr=0.1))
    model.eval()
    share = FRAMES // fabric.world_size
    mine = slice(fabric.global_rank * share, (fabric.global_rank + 1) * share)
    batch = Batch(*(part[mine] for part in whole_batch()))
    loss, _ = forward(fabric, model, objective, batch, SIDE_PX, 0.25)
    fabric.backward(loss)
    found = {name: p.grad for name, p in student.named_parameters() if p.grad is not None}
    return {"loss": loss.detach(), **found}


def main(data: Path, recipe: Path, out: Path) -> None:
    torch.set_num_threads(1)
    fabric = make_fabric("32-true")
    torch.save(step(fabric, recipe), out / f"step{fabric.global_rank}.pt")
    samples = load_standard(data)
    run = prepare_run(
        fabric, RunRequest(out / "run", load_recipe(recipe), samples, DrawnStore(samples))
    )
    if fabric.is_global_zero:
        begin_run(run)
    fabric.barrier()
    train(fabric, run)
    torch.save(dict(run.student.named_parameters()), out / f"weights{fabric.global_rank}.pt")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
