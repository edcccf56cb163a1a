"""Trackers: what they are told, where it goes, and that none of them can stop a run."""

import contextlib
import dataclasses
import logging
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ltr.cli import main
from ltr.config.parse import parse
from ltr.config.schema import Experiment, to_dict
from ltr.errors import StoppedError
from ltr.trackers.registry import TRACKERS
from ltr.trackers.scalars import scalars
from ltr.trackers.tracker import End, Scalar, Subject, subject
from ltr.trackers.tracking import SentRecord, Tracked, track

pytestmark = pytest.mark.usefixtures("compile_once", "rough_times")

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
        | {"final_accuracy": 0.8, "density": 0.8 ** lane["round"], "diverged_step": None}
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


class Recorder:
    """Remembers what it is told; `fails` says at how many-eth numbers it breaks."""

    def __init__(self, subject: Subject, fails: int | None = None) -> None:
        self.is_new, self.fails = True, fails
        self.added: list[list[Scalar]] = []
        self.ended: list[End] = []

    def add(self, scalars: list[Scalar]) -> None:
        self.added.append(scalars)
        if len(self.added) == self.fails:
            raise RuntimeError("the server\nis gone")

    def close(self, end: End) -> None:
        self.ended.append(end)


def asked(root: Path, **knobs: Any) -> Subject:
    """What there is to track of a run below a root, of three replicates."""
    folder = root / "digits-1"
    folder.mkdir(exist_ok=True)
    defined = {"arm": to_dict(Experiment().arm), "arms": ["ticket", "one_shot"]}
    defined |= {"rounds": 3, "replicates": 3}
    return subject(parse(defined | knobs), folder)


def test_a_tracker_that_fails_is_warned_of_once_and_asked_no_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    about = asked(tmp_path)
    broken = Recorder(about, fails=2)
    tracked = Tracked(broken, SentRecord(tmp_path / "shown.json", "key", is_new=True))
    for round_number in range(4):
        tracked.add(round_number, SCALARS)
    tracked.close("finished")
    assert len(broken.added) == 2
    assert broken.ended == ["failed"], "a server must not believe that it runs for ever"
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert said == ["tracker: the server is gone; the run continues without it"]


def test_a_round_is_shown_once_and_a_new_arm_is_added(tmp_path: Path) -> None:
    seen = Recorder(asked(tmp_path))
    for is_new, shown in ((True, SCALARS[:2]), (False, SCALARS)):
        Tracked(seen, SentRecord(tmp_path / "shown.json", "key", is_new)).add(1, shown)
    assert seen.added == [SCALARS[:2], SCALARS[2:]]
    Tracked(seen, SentRecord(tmp_path / "shown.json", "key", is_new=False)).add(2, SCALARS)
    Tracked(seen, SentRecord(tmp_path / "shown.json", "another", is_new=False)).add(1, SCALARS)
    assert seen.added[2:] == [SCALARS, SCALARS], "another round, another name"
    Tracked(seen, SentRecord(tmp_path / "shown.json", "key", is_new=True)).add(1, SCALARS)
    assert seen.added[4:] == [SCALARS], "where it was deleted everything is shown again"


def test_means_over_more_replicates_or_draws_have_a_name_of_their_own(tmp_path: Path) -> None:
    first, more_rounds = asked(tmp_path), asked(tmp_path, rounds=5, arms=["ticket", "random_mask"])
    arms = to_dict(Experiment().arm)
    drawn = {"arm": {**arms, "random_mask": {**arms["random_mask"], "draws": 2}}}
    assert first.name == more_rounds.name == "digits-1-3_replicates"
    assert asked(tmp_path, replicates=8).name == "digits-1-8_replicates"
    more_draws = asked(tmp_path, arms=["ticket", "random_mask"], **drawn)
    assert more_draws.name == "digits-1-3_replicates-random_mask_2_draws"


def test_knobs_that_are_told_never_change(tmp_path: Path) -> None:
    first = asked(tmp_path, seed=1, devices=1, tracker="mlflow")
    assert (
        first.knobs == asked(tmp_path, seed=1, rounds=9, replicates=8, arms=["ticket"]).knobs == {"seed": 1}
    )
    assert first.extent["rounds"] == 3


@pytest.mark.parametrize(
    ("error", "end"),
    [
        (None, "finished"),
        (StoppedError(2, ""), "stopped"),
        (SystemExit(143), "stopped"),
        (ValueError(), "failed"),
    ],
)
def test_a_tracker_is_told_how_a_run_ended(
    error: BaseException | None, end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[End] = []

    class Ending(Recorder):
        def close(self, end: End) -> None:
            ended.append(end)

    monkeypatch.setattr("ltr.trackers.tensorboard.TensorBoard", Ending)
    with contextlib.suppress(StoppedError, SystemExit, ValueError), track("tensorboard", asked(tmp_path)):
        if error is not None:
            raise error
    assert ended == [end]


def test_a_run_outlives_its_tracker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ltr.trackers.tensorboard.TensorBoard", partial(Recorder, fails=2))
    quick = ["steps=20", "eval_every=10", "rounds=2", "replicates=1", "arms=[ticket]", "sparse=never"]
    assert main(["run", f"output_root={tmp_path}", "tracker=tensorboard", *quick]) == 0
    assert "ltr: tracker: the server is gone; the run continues without it" in capsys.readouterr().err
    (run,) = tmp_path.glob("digits-*/results.parquet")
    assert set(pd.read_parquet(run)["round"]) == {0, 1, 2}


def test_a_tracker_that_cannot_begin_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: Any) -> None:
        raise OSError("no space")

    monkeypatch.setattr("ltr.trackers.tensorboard.TensorBoard", fails)
    with track("tensorboard", asked(tmp_path)) as tracked:
        tracked.add(1, SCALARS)
    assert "tracker=tensorboard: no space; the run continues without it" in caplog.text


def test_a_package_that_is_not_installed_is_said_at_once(
    tmp_path: Path, registered: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    registered(TRACKERS, dataclasses.replace(TRACKERS["wandb"], package="no_such_package"))
    assert main(["run", f"output_root={tmp_path}", "tracker=wandb"]) == 2
    said = capsys.readouterr().err
    assert "tracker=wandb: no_such_package cannot be imported (No module named 'no_such_package')" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_that_a_finished_run_is_not_tracked_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quick = ["steps=20", "eval_every=10", "rounds=1", "replicates=1", "arms=[ticket]", "sparse=never"]
    words = ["run", f"output_root={tmp_path}", *quick]
    assert main(words) == 0
    assert "tracker" not in capsys.readouterr().err
    assert main([*words, "tracker=tensorboard"]) == 0
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("ltr: tracker=tensorboard: nothing is sent, as nothing is left to train; ")
    assert not (tmp_path / "tensorboard").exists()
    assert main([*words, "tracker=tensorboard", "rounds=2"]) == 0
    assert "nothing is sent" not in capsys.readouterr().err
    (events,) = tmp_path.glob("tensorboard/*/ticket/events*")
    assert all(b"round_0%d/" % round_number in events.read_bytes() for round_number in range(3))


def test_without_a_tracker_nothing_is_written(tmp_path: Path) -> None:
    with track("none", asked(tmp_path)) as tracked:
        tracked.add(1, SCALARS)
    assert list((tmp_path / "digits-1").iterdir()) == []


@pytest.fixture
def followed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Callable[..., None]:
    """Tracks a run with a tracker, from its beginning to its end."""

    def follow(name: str, shown: tuple[int, ...] = (1,), **knobs: Any) -> None:
        pytest.importorskip(TRACKERS[name].package)
        caplog.clear()
        with track(name, asked(tmp_path, **knobs)) as tracked:
            for round_number in shown:
                named = [one._replace(name=one.name.replace("01", f"{round_number:02}")) for one in SCALARS]
                tracked.add(round_number, named)
        assert "continues without it" not in caplog.text

    return follow


def test_tensorboard_has_a_folder_an_arm(followed: Callable[..., None], tmp_path: Path) -> None:
    followed("tensorboard")
    followed("tensorboard", (1, 2), rounds=4)
    shown = tmp_path / "tensorboard" / "digits-1-3_replicates"
    tickets = b"".join(path.read_bytes() for path in (shown / "ticket").glob("events*"))
    (one_shot, _) = (shown / "one_shot").glob("events*")
    assert tickets.count(b"round_01/val_accuracy") == tickets.count(b"round_02/val_accuracy") == 2
    assert b"accuracy_at_early_stop" in one_shot.read_bytes()


@pytest.mark.filterwarnings("ignore")
def test_mlflow_has_an_extended_run_once_and_its_replicates_as_a_child(
    followed: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/runs.db")
    followed("mlflow", seed=1)
    followed("mlflow", (1, 2), seed=1, rounds=4)
    followed("mlflow", (1, 2), seed=1, rounds=4, replicates=8)
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{tmp_path}/runs.db")
    experiment = client.get_experiment_by_name("ltr")
    assert experiment is not None
    first, more = client.search_runs([experiment.experiment_id], order_by=["start_time ASC"])
    for run in (first, more):
        assert run.info.status == "FINISHED"
        assert run.data.params == {"seed": "1"}
        assert run.data.tags["ltr.rounds"] == "4"
        for round_number in ("01", "02"):
            history = client.get_metric_history(run.info.run_id, f"ticket/round_{round_number}/val_accuracy")
            assert [(one.step, one.value) for one in history] == [(0, 0.25), (10, 0.75)]
    assert "mlflow.parentRunId" not in first.data.tags
    assert more.data.tags["mlflow.parentRunId"] == first.info.run_id


@pytest.mark.filterwarnings("ignore")
def test_weights_and_biases_works_offline(
    followed: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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


def test_a_damaged_record_of_what_was_sent_is_named(tmp_path: Path) -> None:
    file = tmp_path / "shown.json"
    SentRecord(file, "key", is_new=True).add(1, SCALARS)
    file.write_bytes(file.read_bytes().replace(b"1,", b"0,"))
    with pytest.raises(ValueError, match=r"shown\.json: damaged; remove it"):
        SentRecord(file, "key", is_new=False)
