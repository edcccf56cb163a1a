"""More rounds, replicates, draws or arms of a run that is there."""

from pathlib import Path
from typing import Any

import pytest

from ltr.arms.lanes import lanes
from ltr.store import tables
from ltr.store.tables import LaneId
from tests.experiment.runs import Run, Watcher, ask, assert_same_run, contents
from tests.marks import slow


@pytest.mark.parametrize(
    "before",
    [
        pytest.param({"rounds": 1}, id="rounds"),
        slow({"replicates": 1}, id="replicates"),
        slow({"arms": ["ticket", "random_mask"]}, id="arms"),
        slow({"arms": ["ticket"], "rounds": 1, "replicates": 1}, id="everything"),
    ],
)
def test_an_extended_run_is_the_run_asked_for_at_once(
    before: dict[str, Any], run: Run, whole: Path, tmp_path: Path
) -> None:
    first, second = Watcher(), Watcher()
    run(tmp_path, first, **before)
    path = run(tmp_path, second)
    assert_same_run(path, whole)
    everything = [lane for round_number in range(3) for lane in lanes(ask(tmp_path), round_number)]
    assert first.lanes | second.lanes == set(everything)
    assert not first.lanes & second.lanes


@pytest.mark.slow
def test_more_draws_extend_a_run(run: Run, tmp_path: Path) -> None:
    more = {"arm": {"random_reinit": {"draws": 3}}, "rounds": 1, "replicates": 1}
    watch = Watcher()
    run(tmp_path / "extended", rounds=1, replicates=1)
    extended = run(tmp_path / "extended", watch, **more)
    assert watch.lanes == {LaneId(1, 0, "random_reinit", 1), LaneId(1, 0, "random_reinit", 2)}
    assert_same_run(extended, run(tmp_path / "at_once", **more), rounds=1, replicates=1)


def test_draws_differ(run: Run, tmp_path: Path) -> None:
    path = run(tmp_path, rounds=1, replicates=1, arm={"random_mask": {"draws": 2}})
    metrics = tables.read(path, "metrics").query("arm == 'random_mask'")
    one, other = (rows["val_loss"].to_numpy() for _, rows in metrics.groupby("draw"))
    assert (one != other).all()


def test_a_finished_run_trains_nothing(run: Run, copy: Path) -> None:
    before, watch = contents(copy), Watcher()
    run(copy.parent, watch)
    assert (watch.lanes, watch.committed) == (set(), [])
    assert contents(copy) == before


def test_asking_for_less_trains_nothing_and_loses_nothing(run: Run, copy: Path) -> None:
    before, watch = contents(copy), Watcher()
    run(copy.parent, watch, rounds=1, replicates=1, arms=["ticket"])
    assert watch.lanes == set()
    assert contents(copy) == before
