"""A lane that diverges and a layer that pruning empties end their own chain alone."""

import shutil
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
import pytest

from ltr.errors import StoppedError
from ltr.experiment import loop
from ltr.experiment.session import Session
from ltr.pruning.registry import CRITERIA
from ltr.registry import Entry
from ltr.store import tables
from ltr.store.chains import End, ends
from ltr.store.folder import RunFolder
from ltr.store.opening import open_run
from ltr.store.tables import LANE, LaneId
from tests.experiment.runs import Ready, Run, Watcher, ask, contents
from tests.poisoned import Poison, poisoning

KNOBS: dict[str, Any] = {"replicates": 3, "rounds": 2, "arms": ["ticket", "random_mask", "one_shot"]}
TICKET, CONTROL = LaneId(1, 1, "ticket", 0), LaneId(2, 2, "random_mask", 0)


@pytest.fixture
def poison(monkeypatch: pytest.MonkeyPatch) -> Poison:
    return poisoning(monkeypatch)


@pytest.fixture(scope="module")
def sound(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run in which nothing diverges."""
    return run(tmp_path_factory.mktemp("sound"), **KNOBS)


def rows(path: Path, name: str = "results") -> pd.DataFrame:
    return tables.read(path, name).set_index(list(LANE)).sort_index()


def test_everything_but_what_depends_on_a_diverged_lane_is_as_without_it(
    poison: Poison, run: Run, sound: Path, tmp_path: Path
) -> None:
    poison(TICKET, CONTROL)
    path = run(tmp_path, **KNOBS)
    for name in ("results", "metrics"):
        found, expected = rows(path, name), rows(sound, name)
        others = [lane for lane in set(found.index) if lane not in (TICKET, CONTROL)]
        unended = {lane for lane in expected.index if not (lane[1] == 1 and lane[0] > 1)}
        assert {*others, TICKET, CONTROL} == unended
        pd.testing.assert_frame_equal(
            found.loc[others], expected.loc[others], check_dtype=False, check_exact=True
        )
    assert rows(path).loc[[TICKET, CONTROL], "diverged_step"].tolist() == [0, 0]
    assert rows(path).loc[[TICKET, CONTROL], "accuracy_at_early_stop"].isna().all()


def test_controls_of_the_round_that_ended_a_chain_are_trained(
    poison: Poison, run: Run, tmp_path: Path
) -> None:
    poison(TICKET)
    of_replicate = tables.read(run(tmp_path, **KNOBS), "results").query("replicate == 1")
    assert set(of_replicate[of_replicate["round"] == 1]["arm"]) == set(KNOBS["arms"])
    assert of_replicate["round"].max() == 1


def test_weights_that_are_not_finite_end_a_chain_though_the_loss_is(
    poison: Poison, run: Run, tmp_path: Path
) -> None:
    poison(TICKET, value=-np.inf)
    path = run(tmp_path, **KNOBS)
    assert ends(tables.read(path, "results"), ask(tmp_path, **KNOBS)) == {1: End(1, 1, 40, None)}
    curve = rows(path, "metrics").loc[TICKET, "val_loss"]
    assert curve.notna().tolist() == [True, True, False]


def test_the_same_command_trains_nothing_of_an_ended_chain_again(
    poison: Poison, run: Run, tmp_path: Path
) -> None:
    poison(TICKET, CONTROL)
    before = contents(run(tmp_path, **KNOBS))
    watch = Watcher()
    path = run(tmp_path, watch, **KNOBS)
    assert watch.lanes == set()
    assert contents(path) == before


@pytest.mark.slow
def test_further_rounds_and_replicates_leave_an_ended_chain_ended(
    poison: Poison, run: Run, tmp_path: Path
) -> None:
    poison(TICKET)
    run(tmp_path, **KNOBS)
    watch = Watcher()
    run(tmp_path, watch, **KNOBS | {"rounds": 3, "replicates": 4})
    assert {(lane.round, lane.replicate) for lane in watch.lanes} == {
        *((3, replicate) for replicate in (0, 2)),
        *((round_number, 3) for round_number in range(4)),
    }


@pytest.mark.slow
@pytest.mark.parametrize("visits", [3, 9])
def test_killed_and_resumed_it_has_the_same_tables(
    visits: int, poison: Poison, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ltr.engine.trainer.CHUNK_SECONDS", 0.0)
    poison(TICKET, CONTROL)
    whole = contents(run(tmp_path / "whole", **KNOBS))
    with pytest.raises(StoppedError):
        run(tmp_path / "torn", Watcher(end=visits * 40), **KNOBS)
    assert contents(run(tmp_path / "torn", **KNOBS)) == whole


def test_all_chains_may_end(run: Run, tmp_path: Path) -> None:
    watch = Watcher()
    path = run(tmp_path, watch, **KNOBS, optimizer={"name": "sgd", "learning_rate": 1e30})
    results = tables.read(path, "results")
    assert set(results["round"]) == {0}
    assert (results["diverged_step"] == 20).all()
    assert watch.committed == [0]


def test_a_prefix_that_diverges_is_seen_in_round_0(run: Run, tmp_path: Path) -> None:
    knobs = KNOBS | {"rewind_step": 20, "optimizer": {"name": "sgd", "learning_rate": 1e30}}
    assert set(tables.read(run(tmp_path, **knobs), "results")["round"]) == {0}


def test_in_a_run_with_tickets_of_another_only_the_dense_network_ends_a_replicate(
    poison: Poison, sound: Path, ready: Ready, tmp_path: Path
) -> None:
    shutil.copytree(sound, tmp_path / sound.name)
    poison(TICKET, LaneId(0, 2, "ticket", 0))
    experiment = ask(tmp_path, **KNOBS, ticket=sound.name)
    with open_run(experiment) as folder:
        folder.begin(experiment, {}, {})
        loop.run(Session(ready(experiment), folder), Watcher())
        results = folder.frames["results"]
    last = results.groupby("replicate")["round"].max()
    assert last.to_dict() == {0: 2, 1: 2, 2: 0}


@pytest.fixture
def emptying(registered: Any) -> None:
    """A criterion that prunes the output layer of replicate 1 first, by the key of its replicate."""

    def code(inputs: Any) -> Any:
        scores = jax.tree.map(np.abs, inputs.trained)
        if _replicate_of(inputs.key) == 1:
            scores["output"]["kernel"] = np.zeros_like(scores["output"]["kernel"])
        return scores

    def _replicate_of(key: Any) -> int:
        from ltr.core import rng

        known = (rng.fold(rng.root(0, 1), "criterion", n) for n in range(4))
        return int(any((jax.random.key_data(key) == jax.random.key_data(one)).all() for one in known))

    registered(CRITERIA, Entry(name="emptying", doc="Empties a layer.", code="x:y"), code)


@pytest.mark.usefixtures("emptying")
def test_a_layer_that_is_emptied_ends_one_chain_without_training(run: Run, tmp_path: Path) -> None:
    knobs = KNOBS | {"pruning": {"criterion": "emptying", "scope": "global", "rates": {"output": 1.0}}}
    path = run(tmp_path, **knobs)
    results = tables.read(path, "results")
    assert ends(results, ask(tmp_path, **knobs)) == {1: End(1, 1, None, "output")}
    assert results.groupby("replicate")["round"].max().to_dict() == {0: 2, 1: 1, 2: 2}
    (row,) = results[(results["replicate"] == 1) & (results["round"] == 1)].to_dict("records")
    assert (row["arm"], row["steps"], row["flops"], row["emptied_layer"]) == ("ticket", 0, 0, "output")
    assert 0.79 < row["density"] < 0.81
    for name in ("metrics", "timings"):
        assert (1, 1) not in set(tables.read(path, name)[["replicate", "round"]].itertuples(index=False))
    assert RunFolder(path).groups.members("round_01") == {0, 2}
    watch = Watcher()
    run(tmp_path, watch, **knobs)
    assert watch.lanes == set()


@pytest.mark.slow
@pytest.mark.usefixtures("emptying")
def test_lanes_that_take_the_mask_of_another_replicate_are_not_trained_if_it_is_empty(
    run: Run, tmp_path: Path
) -> None:
    pruning = {"criterion": "emptying", "scope": "global", "rates": {"output": 1.0}}
    crossed = {"crossed": {"mask_replicate": 1, "order": "draw"}}
    path = run(tmp_path, **KNOBS | {"arms": ["ticket", "crossed"], "arm": crossed, "pruning": pruning})
    results = rows(path).xs("crossed", level="arm")
    assert results["accuracy_at_early_stop"].isna().all()
    assert {lane[:2] for lane in results.index} == {(1, 0), (1, 2), (2, 0), (2, 2)}
    assert rows(path).xs("ticket", level="arm")["accuracy_at_early_stop"].notna().sum() == 7
