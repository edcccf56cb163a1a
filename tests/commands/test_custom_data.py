"""`dataset=custom` from the command line."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ltr.cli import main

QUICK = (
    "dataset=custom",
    "sparse=never",
    "dataset.validation=5",
    "batch_size=5",
    "arms=[ticket]",
    "replicates=1",
    "rounds=0",
)


def save(path: Path, images: np.ndarray) -> str:
    labels = np.arange(len(images)) % 2
    np.savez(path, train_images=images, train_labels=labels, test_images=images, test_labels=labels)
    return f"dataset.path={path}"


@pytest.mark.slow
def test_plan_and_run_agree_on_a_name_that_moves_with_the_content(
    ltr_run: Callable[..., int], root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (20, 6, 6), np.uint8)
    here, there = save(tmp_path / "here.npz", images), save(tmp_path / "there.npz", images)
    other = save(tmp_path / "other.npz", images[:, ::-1])
    names = []
    for word in (here, there, other):
        assert main(["plan", "--json", *QUICK, "steps=20", "eval_every=10", word]) == 0
        names.append(Path(json.loads(capsys.readouterr().out)["folder"]).name)
    assert names[0] == names[1] != names[2]
    assert ltr_run(*QUICK, here) == 0
    said = "data: 15 train, 5 validation (a share of each class), 20 test images of 6x6, 1 channel; 2 classes"
    assert capsys.readouterr().err.startswith(f"{said}\n")
    assert ltr_run(*QUICK, there) == 0
    assert "finished before, nothing to train" in capsys.readouterr().err
    assert [folder.name for folder in root.iterdir()] == names[:1]


def test_nothing_at_the_path_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "dataset=custom", f"dataset.path={tmp_path}/none.npz"]) == 3
    assert capsys.readouterr() == (
        "",
        f"ltr plan: dataset.path={tmp_path}/none.npz: no such file or folder\n",
    )


def test_no_path_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "dataset=custom"]) == 2
    assert capsys.readouterr().err.startswith("ltr plan: dataset.path=null: must name an .npz file or a ")
