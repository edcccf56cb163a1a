"""Runs stopped, or damaged, and begun again."""

import shutil
from pathlib import Path

import pytest

from ltr.errors import StoppedError
from ltr.store import checkpoints, tables
from ltr.store.tables import LaneId
from tests.experiment.runs import Run, Watcher, assert_same_run
from tests.marks import slow


@pytest.mark.parametrize("visits", [1, slow(6)])
def test_a_stopped_run_goes_on_as_if_it_had_not_been(
    visits: int, run: Run, whole: Path, tmp_path: Path
) -> None:
    with pytest.raises(StoppedError):
        run(tmp_path, Watcher(end=visits))
    path = tmp_path / whole.name
    assert checkpoints.is_whole(path / "checkpoints" / "under_way.zip")
    assert_same_run(run(tmp_path), whole)
    assert not (path / "checkpoints" / "under_way.zip").exists()


@pytest.mark.slow
def test_a_run_may_be_extended_where_it_was_stopped(run: Run, whole: Path, tmp_path: Path) -> None:
    with pytest.raises(StoppedError):
        run(tmp_path, Watcher(end=4), replicates=1, arms=["ticket", "random_mask"])
    assert_same_run(run(tmp_path), whole)


def test_a_run_stopped_before_the_rewind_step_goes_on(run: Run, tmp_path: Path) -> None:
    knobs = {"rewind_step": 10, "replicates": 1, "rounds": 1}
    with pytest.raises(StoppedError):
        run(tmp_path / "stopped", Watcher(end=0), **knobs)
    path = run(tmp_path / "stopped", **knobs)
    assert_same_run(path, run(tmp_path / "alone", **knobs), rounds=1, replicates=1)


@pytest.mark.parametrize("name", ["initial", slow("round_00"), "round_01", slow("round_02")])
def test_a_damaged_checkpoint_is_made_again(
    name: str, run: Run, whole: Path, copy: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (file,) = (copy / "checkpoints" / name).iterdir()
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    watch = Watcher()
    assert_same_run(run(copy.parent, watch), whole)
    round_number = int(name[-2:]) if name != "initial" else None
    assert watch.lanes == {
        LaneId(round_number, replicate, "ticket", 0) for replicate in (0, 1) if round_number is not None
    }
    assert [": damaged; lost: the " in record.getMessage() for record in caplog.records] == [True]


@pytest.mark.parametrize("name", [slow("initial"), "round_01"])
def test_a_lost_checkpoint_is_made_again(name: str, run: Run, whole: Path, copy: Path) -> None:
    shutil.rmtree(copy / "checkpoints" / name)
    assert_same_run(run(copy.parent), whole)


def test_lost_results_are_made_again(run: Run, whole: Path, copy: Path) -> None:
    tables.write(copy, "results", tables.read(copy, "results").query("round == 0 or arm == 'ticket'"))
    watch = Watcher()
    assert_same_run(run(copy.parent, watch), whole)
    assert {lane.arm for lane in watch.lanes} == {"random_reinit", "random_mask", "one_shot"}
