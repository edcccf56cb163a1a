"""Runs that differ only in what comes after the dense network share it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ltr.cli import main
from ltr.config.schema import Experiment, Optimizer
from ltr.store import dense_rounds, tables
from ltr.store.catalog import CHECKPOINTS
from tests.commands.conftest import QUICK
from tests.marks import slow

Run = Callable[..., int]
Captured = pytest.CaptureFixture[str]

TAKEN = "ltr: {} dense networks taken from "


def contents(root: Path, *words: str) -> dict[str, bytes]:
    """The tables of the run of these words, in an output root where it is alone."""
    assert main(["run", f"output_root={root}", *QUICK, *words]) == 0
    (folder,) = root.glob("digits-*")
    return {name: (folder / f"{name}.parquet").read_bytes() for name in ("metrics", "results")}


def folder_of(root: Path, rate: str) -> Path:
    (found,) = (
        path.parent for path in root.glob("*/config.yaml") if f"prune_rate: {rate}" in path.read_text()
    )
    return found


def test_a_run_takes_the_dense_network_of_another_and_is_as_if_it_had_not(
    ltr_run: Run, root: Path, tmp_path: Path, capsys: Captured
) -> None:
    assert ltr_run("prune_rate=0.2") == 0
    assert "taken from" not in capsys.readouterr().err
    assert ltr_run("prune_rate=0.4", "replicates=3") == 0
    assert TAKEN.format(2) + folder_of(root, "0.2").name in capsys.readouterr().err
    alone = contents(tmp_path / "alone", "prune_rate=0.4", "replicates=3")
    shared = folder_of(root, "0.4")
    assert {name: (shared / f"{name}.parquet").read_bytes() for name in alone} == alone
    timings = tables.read(shared, "timings").merge(
        tables.read(folder_of(root, "0.2"), "timings"), on=["round", "replicate", "arm", "draw", "seconds"]
    )
    assert timings[["round", "replicate"]].values.tolist() == [[0, 0], [0, 1]], "its own trainings are others"


@pytest.mark.parametrize(
    "word", [slow("share_dense=false"), slow("seed=1"), slow("optimizer.learning_rate=0.01")]
)
def test_a_run_trains_its_own_dense_network_if_it_must(ltr_run: Run, capsys: Captured, word: str) -> None:
    assert ltr_run("rounds=0", "replicates=1", "arms=[ticket]") == 0
    assert ltr_run("prune_rate=0.4", "replicates=1", word) == 0
    assert "taken from" not in capsys.readouterr().err
    assert ltr_run("prune_rate=0.3", "replicates=1") == 0
    assert "1 dense network taken from" in capsys.readouterr().err


@pytest.mark.slow
def test_an_older_run_gives_what_a_newer_one_lost_and_none_what_is_there(
    ltr_run: Run, root: Path, capsys: Captured
) -> None:
    """A run that lost its initial weights has rows of its own, which must not double."""
    assert ltr_run("rounds=0", "replicates=1") == 0
    assert ltr_run("prune_rate=0.4", "rounds=0", "replicates=2") == 0
    shutil.rmtree(folder_of(root, "0.4") / CHECKPOINTS / "round_00")
    capsys.readouterr()
    assert ltr_run("prune_rate=0.3", "rounds=0", "replicates=2") == 0
    assert f"1 dense network taken from {folder_of(root, '0.2').name}" in capsys.readouterr().err
    lost = folder_of(root, "0.3")
    shutil.rmtree(lost / CHECKPOINTS / "initial")
    assert ltr_run("prune_rate=0.3", "rounds=1", "replicates=2") == 0
    assert not tables.read(lost, "results").duplicated(["round", "replicate", "arm", "draw"]).any()


@pytest.mark.parametrize("lost", [slow(f"{CHECKPOINTS}/round_00"), slow("results.parquet"), slow("")])
def test_what_is_lost_is_not_taken(ltr_run: Run, root: Path, capsys: Captured, lost: str) -> None:
    assert ltr_run("rounds=0", "replicates=1") == 0
    (first,) = root.glob("digits-*")
    if (first / lost).is_dir():
        shutil.rmtree(first / lost)
    else:
        (first / lost).write_bytes(b"damaged")
    assert ltr_run("prune_rate=0.4", "replicates=1", "arms=[ticket]") == 0
    assert "taken from" not in capsys.readouterr().err


def test_the_key_is_of_what_decides_the_dense_network_and_of_nothing_else() -> None:
    key = dense_rounds.key(Experiment(), {"versions": 1})
    assert key is not None
    for same in (Experiment(rounds=3), Experiment(prune_rate=0.4), Experiment(control_rounds=(1,))):
        assert dense_rounds.key(same, {"versions": 1}) == key
    others = (Experiment(seed=1), Experiment(batch_size=3), Experiment(optimizer=Optimizer(name="sgd")))
    assert len({key, *(dense_rounds.key(other, {"versions": 1}) for other in others)}) == 4
    assert dense_rounds.key(Experiment(), {"versions": 2}) != key
    assert dense_rounds.key(Experiment(early_bird=True), {}) is None
    assert dense_rounds.key(Experiment(ticket="last"), {}) is None
