"""Trackers: what they are told, where it goes, and that none of them can stop a run."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ltr import trackers
from ltr.cli import main
from ltr.trackers import TRACKERS, Kind, Scalar, Tracked, scalars, track

SCALARS = [
    Scalar("ticket", "round_01/val_accuracy", 0, 0.25),
    Scalar("ticket", "round_01/val_accuracy", 10, 0.75),
    Scalar("one_shot", "accuracy_at_early_stop", 1, 0.5),
]


def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    lanes = [{"round": n, "arm": "ticket", "replicate": r, "draw": 0} for n in (0, 1) for r in (0, 1)]
    metrics = pd.DataFrame(
        {**lane, "step": step, "train_loss": None if step == 0 else 0.5, "val_loss": 1.0}
        | {"val_accuracy": 0.1 * lane["replicate"] + 0.01 * step}
        for lane in lanes
        for step in (0, 10)
    ).astype({"train_loss": float})
    results = pd.DataFrame(
        {**lane, "accuracy_at_early_stop": 0.9 + 0.02 * lane["replicate"], "early_stop_step": 10}
        | {"final_accuracy": 0.8, "density": 0.8 ** lane["round"]}
        for lane in lanes
    )
    return metrics, results


def test_a_round_adds_its_curves_and_its_ends_means_over_replicates() -> None:
    found = {(one.arm, one.name, one.step): one.value for one in scalars(*tables(), 1)}
    assert found["ticket", "round_01/val_accuracy", 10] == pytest.approx(0.15)
    assert found["ticket", "accuracy_at_early_stop", 1] == pytest.approx(0.91)
    assert found["ticket", "density", 1] == pytest.approx(0.8)
    assert ("ticket", "round_01/train_loss", 0) not in found
    assert len(found) == 2 * 3 - 1 + 4


class Broken:
    """Fails at the second thing that it is asked."""

    def __init__(self, *_: Any) -> None:
        self.asked = 0

    def add(self, scalars: list[Scalar]) -> None:
        self.asked += 1
        if self.asked > 1:
            raise RuntimeError("the server\nis gone")

    def close(self) -> None:
        raise AssertionError("asked after it failed")


def test_a_tracker_that_fails_is_warned_of_once_and_asked_no_more(caplog: pytest.LogCaptureFixture) -> None:
    broken = Broken()
    tracked = Tracked(broken)
    for _ in range(4):
        tracked.add(SCALARS)
    tracked.close()
    assert broken.asked == 2
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert said == ["tracker: the server is gone; the run goes on without it"]


def test_a_run_outlives_its_tracker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ltr.trackers.tensorboard.TensorBoard", Broken)
    quick = ["steps=20", "eval_every=10", "rounds=2", "replicates=1", "arms=[ticket]", "sparse=never"]
    assert main(["run", f"output_root={tmp_path}", "tracker=tensorboard", *quick]) == 0
    assert "ltr: tracker: the server is gone; the run goes on without it" in capsys.readouterr().err
    (run,) = tmp_path.glob("digits-*/results.parquet")
    assert set(pd.read_parquet(run)["round"]) == {0, 1, 2}


def test_a_tracker_that_cannot_begin_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: Any) -> None:
        raise OSError("no space")

    monkeypatch.setattr("ltr.trackers.tensorboard.TensorBoard", fails)
    track("tensorboard", "run", tmp_path, {}).add(SCALARS)
    assert "tracker=tensorboard: no space; the run goes on without it" in caplog.text


def test_a_package_that_is_not_installed_is_said_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(trackers.TRACKERS, "wandb", Kind("no_such_package", "None"))
    assert main(["run", f"output_root={tmp_path}", "tracker=wandb"]) == 2
    said = capsys.readouterr().err
    assert "tracker=wandb: no_such_package cannot be imported (No module named 'no_such_package')" in said
    assert list(tmp_path.iterdir()) == []


def test_that_a_finished_run_is_not_tracked_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quick = ["steps=20", "eval_every=10", "rounds=1", "replicates=1", "arms=[ticket]", "sparse=never"]
    words = ["run", f"output_root={tmp_path}", *quick]
    assert main(words) == 0
    assert "tracker" not in capsys.readouterr().err
    assert main([*words, "tracker=tensorboard"]) == 0
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("ltr: tracker=tensorboard: is shown nothing, as nothing is trained; ")
    assert not (tmp_path / "tensorboard").exists()
    assert main([*words, "tracker=tensorboard", "rounds=2"]) == 0
    assert "is shown nothing" not in capsys.readouterr().err
    (events,) = tmp_path.glob("tensorboard/*/ticket/events*")
    assert all(b"round_0%d/" % round in events.read_bytes() for round in range(3))


def test_without_a_tracker_nothing_is_written(tmp_path: Path) -> None:
    tracked = track("none", "run", tmp_path, {})
    tracked.add(SCALARS)
    tracked.close()
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def followed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Callable[[str], None]:
    """Tracks a run by that name, from its beginning to its end."""

    def follow(name: str) -> None:
        pytest.importorskip(TRACKERS[name].package)
        caplog.clear()
        tracked = track(name, "digits-1", tmp_path, {"rounds": 3, "arms": ["ticket"]})
        tracked.add(SCALARS)
        tracked.close()
        assert "goes on without it" not in caplog.text

    return follow


def test_tensorboard_has_a_folder_an_arm(followed: Callable[[str], None], tmp_path: Path) -> None:
    followed("tensorboard")
    (ticket,) = (tmp_path / "tensorboard" / "digits-1" / "ticket").glob("events*")
    (one_shot,) = (tmp_path / "tensorboard" / "digits-1" / "one_shot").glob("events*")
    assert ticket.read_bytes().count(b"round_01/val_accuracy") == 2
    assert b"accuracy_at_early_stop" in one_shot.read_bytes()


@pytest.mark.filterwarnings("ignore")
def test_mlflow_has_metrics_and_knobs(
    followed: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/runs.db")
    followed("mlflow")
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{tmp_path}/runs.db")
    experiment = client.get_experiment_by_name("ltr")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED"
    assert run.data.params == {"rounds": "3", "arms": "['ticket']"}
    history = client.get_metric_history(run.info.run_id, "ticket/round_01/val_accuracy")
    assert [(one.step, one.value) for one in history] == [(0, 0.25), (10, 0.75)]


@pytest.mark.filterwarnings("ignore")
def test_weights_and_biases_works_offline(
    followed: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    followed("wandb")
    (written,) = (tmp_path / "wandb").glob("offline-run-*/*.wandb")
    patience = time.monotonic() + 30  # another process writes
    while b"rounds/one_shot" not in written.read_bytes() and time.monotonic() < patience:
        time.sleep(0.1)
    assert written.read_bytes().count(b"round_01/ticket/val_accuracy") >= 2
    assert b"rounds/one_shot/accuracy_at_early_stop" in written.read_bytes()
