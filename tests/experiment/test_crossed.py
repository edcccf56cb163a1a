"""Arms that cross initial weights, data orders and masks: what they train from, and what becomes of them."""

import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ltr.core import masks
from ltr.errors import StoppedError
from ltr.experiment.session import Session
from ltr.store import tables
from ltr.store.opening import open_run
from ltr.store.tables import LANE, LaneId
from tests.experiment.runs import Ready, Run, Watcher, ask, assert_same, contents, saved
from tests.marks import slow
from tests.poisoned import Poison, poisoning

KNOBS: dict[str, Any] = {
    "arms": ["ticket", "crossed_0", "crossed_1"],
    "arm": {
        f"crossed_{replicate}": {"mask_replicate": replicate, "order": "draw", "draws": 2}
        for replicate in (0, 1)
    },
    "control_rounds": [2],
    "replicates": 3,
}
CROSSED = {
    LaneId(2, replicate, arm, draw)
    for arm in ("crossed_0", "crossed_1")
    for replicate in range(3)
    for draw in range(2)
}


@pytest.fixture
def poison(monkeypatch: pytest.MonkeyPatch) -> Poison:
    return poisoning(monkeypatch)


@pytest.fixture(scope="module")
def crossed(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(tmp_path_factory.mktemp("crossed"), **KNOBS)


def rows(path: Path) -> pd.DataFrame:
    return tables.read(path, "results").set_index(list(LANE)).sort_index()


def test_every_cell_has_its_own_weights_mask_and_order(crossed: Path, ready: Ready, tmp_path: Path) -> None:
    """In a folder that has the tickets of the round already, as when draws are added."""
    shutil.copytree(crossed, tmp_path / crossed.name)
    experiment = ask(tmp_path, **KNOBS)
    with open_run(experiment) as folder:
        session = Session(ready(experiment), folder)
        tickets = session.find_tickets(2, [LaneId(2, 2, "crossed_0", 0), LaneId(2, 2, "crossed_1", 0)])
        assert tickets.keys() == {0, 1, 2}
        starts = {lane: session.initial_state(lane, tickets) for lane in CROSSED if lane.replicate in tickets}
    for lane, start in starts.items():
        mask = saved(crossed, "round_02", int(lane.arm[-1]))["mask"]
        assert_same(start.mask, mask)
        assert_same(start.params, masks.apply(mask, saved(crossed, "initial", lane.replicate)["initial"]))
    assert len({start.key.tobytes() for start in starts.values()}) == 2
    assert {lane for lane in map(LaneId._make, rows(crossed).index) if lane.arm != "ticket"} == CROSSED
    assert rows(crossed).loc[sorted(CROSSED), "accuracy_at_early_stop"].nunique() > 2


def test_the_cost_of_the_mask_of_another_replicate(crossed: Path) -> None:
    """It is that of the ticket which has it, of whatever replicate the weights are."""
    results = rows(crossed)
    for lane in CROSSED:
        ticket = LaneId(2, int(lane.arm[-1]), "ticket", 0)
        assert results.loc[lane, "search_flops"] == results.loc[ticket, "search_flops"] > 0


@pytest.mark.slow
def test_weights_of_a_rewind_step_cost_the_training_of_their_own_replicate(run: Run, tmp_path: Path) -> None:
    """Here 10 of the 40 steps of the dense network, which the tickets of the mask do not contain."""
    results = rows(run(tmp_path, **KNOBS | {"rewind_step": 10, "steps": 40}))
    dense = results.loc[LaneId(0, 0, "ticket", 0), "flops"]
    own, other = (results.loc[LaneId(2, replicate, "crossed_0", 0), "search_flops"] for replicate in (0, 1))
    assert other - own == pytest.approx(dense / 4)


@pytest.mark.slow
@pytest.mark.parametrize("end", [4, 6])
def test_a_run_that_is_stopped_goes_on_as_if_it_had_not_been(
    run: Run, crossed: Path, tmp_path: Path, end: int
) -> None:
    with pytest.raises(StoppedError):
        run(tmp_path, Watcher(end), **KNOBS)
    assert contents(run(tmp_path, **KNOBS)) == contents(crossed)


@pytest.mark.slow
def test_more_replicates_and_draws_train_the_missing_lanes_alone(
    run: Run, crossed: Path, tmp_path: Path
) -> None:
    fewer = {name: arm | {"draws": 1} for name, arm in KNOBS["arm"].items()}
    run(tmp_path, **KNOBS | {"replicates": 2, "arm": fewer})
    watcher = Watcher()
    path = run(tmp_path, watcher, **KNOBS)
    added = {lane for lane in CROSSED if lane.replicate == 2 or lane.draw == 1}
    assert watcher.lanes == added | {LaneId(number, 2, "ticket", 0) for number in range(3)}
    pd.testing.assert_index_equal(rows(path).index, rows(crossed).index)
    pd.testing.assert_series_equal(
        rows(path)["accuracy_at_early_stop"], rows(crossed)["accuracy_at_early_stop"], atol=0.02
    )


@pytest.mark.parametrize("ended", [slow(0), 1])
def test_cells_whose_mask_was_not_found_are_not_trained(
    ended: int, poison: Poison, run: Run, crossed: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor are those of the replicate that was to find it, whose own chain has ended."""
    poison(LaneId(ended, 1, "ticket", 0))
    path = run(tmp_path, **KNOBS)
    lost = [lane for lane in sorted(CROSSED) if lane.arm == "crossed_1" and lane.replicate != 1]
    kept = [lane for lane in CROSSED if lane.arm == "crossed_0" and lane.replicate != 1]
    results = rows(path)
    assert results.loc[lost, "diverged_step"].tolist() == [0] * 4
    assert results.loc[lost, "accuracy_at_early_stop"].isna().all()
    assert (2, 1) not in {lane[:2] for lane in results.index}
    pd.testing.assert_frame_equal(results.loc[kept], rows(crossed).loc[kept], check_dtype=False)
    assert (
        "round 2, replicate 0, crossed_1, draw 0: is not trained, since the chain of replicate 1, whose mask "
        f"it takes, ended in round {ended} (3 more)"
    ) in caplog.text
    watcher = Watcher()
    run(tmp_path, watcher, **KNOBS)
    assert watcher.lanes == set()
