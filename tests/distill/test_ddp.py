"""Two processes over gloo give the loss and the gradients of one, and make one run together."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric

from tests.distill import ddp_child
from tests.distill.phantom_data import draw_data
from tests.distill.tiny import TAUGHT, write_recipe

EVERY_LOSS = TAUGHT.replace("epochs = 3", 'epochs = 1\nprecision = "32-true"')


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_two_processes_are_one(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, EVERY_LOSS)
    data = draw_data(tmp_path / "data")
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port()), "WORLD_SIZE": "2"}
    children = [
        subprocess.Popen(
            [sys.executable, "-m", ddp_child.__name__, str(data), str(recipe), str(tmp_path)],
            env={
                **os.environ,
                **common,
                "LOCAL_WORLD_SIZE": "2",
                "RANK": str(rank),
                "LOCAL_RANK": str(rank),
                "GROUP_RANK": "0",
                "TORCHELASTIC_RUN_ID": "test",
            },
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]
    try:
        for child in children:
            _, errors = child.communicate(timeout=180)
            assert child.returncode == 0, errors
    finally:
        for child in children:
            child.kill()
    fabric = Fabric(accelerator="cpu", devices=1, precision="32-true")
    one = ddp_child.step(fabric, recipe)
    both = [torch.load(tmp_path / f"step{rank}.pt", weights_only=True) for rank in (0, 1)]
    largest = max(float(g.abs().max()) for name, g in one.items() if name != "loss")
    for two in both:
        assert two.keys() == one.keys()
        assert float(two["loss"]) == pytest.approx(float(one["loss"]), rel=1e-5)
        for name, gradient in one.items():
            assert torch.allclose(two[name], gradient, atol=1e-5 * largest, rtol=1e-4), name
    first, second = (
        torch.load(tmp_path / f"weights{rank}.pt", weights_only=True) for rank in (0, 1)
    )
    assert all(torch.equal(first[name], second[name]) for name in first)
    lines = (tmp_path / "run" / "steps.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["step", "1", "2", "3"]
    assert len((tmp_path / "run" / "log.jsonl").read_text().splitlines()) == 1
