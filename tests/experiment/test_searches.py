"""Searches of a run: what they find, what it costs, and what becomes of them after losses."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ltr.core import masks
from ltr.errors import ConfigError, StoppedError
from ltr.experiment.session import Session
from ltr.experiment.spec import RunSpec
from ltr.store import tables
from ltr.store.folder import RunFolder, search_name
from ltr.store.inspection import inspect
from ltr.store.tables import LANE, LaneId
from tests.experiment.runs import Run, Watcher, ask, contents, kernels
from tests.marks import slow
from tests.poisoned import Poison, poisoning

ARMS: dict[str, Any] = {
    "edge": {"weights": "initial", "pruned": "frozen", "method": "edge_popup", "search_steps": "50%"},
    "edge_ticket": {"mask": "found", "found_by": "edge"},
    "edge_inverted": {"mask": "found", "found_by": "edge", "invert": True},
    "edge_shuffled": {"mask": "found", "found_by": "edge", "shuffle": "layerwise"},
    "short": {"mask": "iterated", "search_steps": 10},
    "short_ticket": {"mask": "found", "found_by": "short"},
    "large": {"mask": "iterated", "search_steps": "50%", "search_batches": 2},
    "large_ticket": {"mask": "found", "found_by": "large"},
    "copy": {"mask": "iterated"},
    "copy_ticket": {"mask": "found", "found_by": "copy"},
    "snip": {"mask": "snip"},
}
KNOBS: dict[str, Any] = {
    "arms": ["ticket", "random_mask", *ARMS],
    "arm": ARMS,
    "control_rounds": [2],
    "eval_every": 5,
    "replicates": 2,
}
EDGE = LaneId(2, 1, "edge", 0)


@pytest.fixture
def poison(monkeypatch: pytest.MonkeyPatch) -> Poison:
    return poisoning(monkeypatch)


@pytest.fixture(scope="module")
def searched(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(tmp_path_factory.mktemp("searched"), **KNOBS)


def rows(path: Path, name: str = "results") -> pd.DataFrame:
    return tables.read(path, name).set_index(list(LANE)).sort_index()


def row(path: Path, arm: str, round_number: int = 2, replicate: int = 0, name: str = "results") -> pd.Series:
    return rows(path, name).loc[LaneId(round_number, replicate, arm, 0)]


def test_searches_find_exactly_as_many_weights_as_the_ticket_has(searched: Path) -> None:
    results = rows(searched)
    at_2 = results[results.index.get_level_values("round") == 2]
    assert at_2["density"].nunique() == 1
    found = RunFolder(searched).searches.load(search_name(EDGE), 1)
    ticket = RunFolder(searched).groups.load("round_02", 1)["mask"]
    for mask in found.values():
        assert masks.count(mask) == masks.count(ticket)
        assert not np.array_equal(kernels(mask)["dense_1"], kernels(ticket)["dense_1"])
    both = kernels(found["mask"])["dense_1"] & kernels(found["inverted"])["dense_1"]
    density = kernels(found["mask"])["dense_1"].mean()
    assert both.sum() == max(0, round((2 * density - 1) * both.size)), "the lowest scores are not the highest"


def test_a_search_of_full_trainings_finds_the_ticket(searched: Path) -> None:
    """Its masks, and so its results, are the ticket's bit for bit; those of shorter trainings are not."""
    results = rows(searched)
    columns = ["early_stop_step", "accuracy_at_early_stop", "final_accuracy", "search_flops", "flops"]
    for replicate in range(2):
        copy, short, ticket = (
            results.loc[LaneId(2, replicate, arm, 0), columns]
            for arm in ("copy_ticket", "short_ticket", "ticket")
        )
        pd.testing.assert_series_equal(copy, ticket, check_names=False)
        assert short["search_flops"] < ticket["search_flops"] / 3


def test_the_cost_of_a_search_by_hand(searched: Path) -> None:
    """One image costs 2 operations for each weight: forward, for the gradient of the weight, and for that of
    the layer's inputs, which the first layer needs not.
    """
    spec = RunSpec.from_experiment(ask(searched.parent, **KNOBS))
    sizes = [layer.size for layer in kernels(RunFolder(searched).groups.load("round_00", 0)["mask"]).values()]
    kept = [
        [int(layer.sum()) for layer in kernels(RunFolder(searched).groups.load(name, 0)["mask"]).values()]
        for name in ("round_01", "round_02")
    ]

    def step(first: int, second: int, output: int) -> int:
        return spec.experiment.batch_size * 2 * (2 * first + 3 * second + 3 * output)

    dense, once, twice = step(*sizes), step(*kept[0]), step(*kept[1])
    expected = {
        "ticket": 40 * dense + 40 * once,
        "copy_ticket": 40 * dense + 40 * once,
        "short_ticket": 10 * dense + 10 * once,
        "large_ticket": 20 * 2 * dense + 20 * 2 * once,
        "edge": 0,
        "edge_ticket": 20 * dense,
        "edge_inverted": 20 * dense,
        "edge_shuffled": 20 * dense,
        "random_mask": 0,
        "snip": 100 * dense / spec.experiment.batch_size,
    }
    for arm, operations in expected.items():
        assert row(searched, arm)["search_flops"] == operations, arm
    assert row(searched, "ticket")["flops"] == 40 * twice
    assert row(searched, "ticket", 0)["search_flops"] == 0


def test_a_search_in_larger_batches_finds_another_mask(searched: Path) -> None:
    folder = RunFolder(searched)
    large = folder.searches.load(search_name(LaneId(1, 0, "large", 0)), 0)
    assert masks.count(large["mask"]) == masks.count(folder.groups.load("round_01", 0)["mask"])
    assert not np.array_equal(
        kernels(large["mask"])["dense_1"], kernels(folder.groups.load("round_01", 0)["mask"])["dense_1"]
    )


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        (
            {"search_steps": "101%"},
            "arm.short.search_steps=101%: must be from 1 to 40 steps, or a share up to",
        ),
        ({"search_steps": 0}, "arm.short.search_steps=0: must be from 1 to 40 steps"),
        ({"search_batches": 24}, "arm.short.search_batches=24: must be at most 19, as many as an epoch has"),
    ],
)
def test_searches_that_do_not_fit(tmp_path: Path, knobs: dict[str, Any], message: str) -> None:
    arms = {"short": ARMS["short"] | knobs, "short_ticket": ARMS["short_ticket"]}
    with pytest.raises(ConfigError) as error:
        RunSpec.from_experiment(ask(tmp_path, arms=["ticket", *arms], arm=arms))
    assert str(error.value).startswith(message)


def test_epochs_of_larger_batches_have_fewer_steps(tmp_path: Path) -> None:
    arms = {
        "short": ARMS["short"] | {"search_steps": "1ep", "search_batches": 2},
        "short_ticket": ARMS["short_ticket"],
    }
    spec = RunSpec.from_experiment(ask(tmp_path, arms=["ticket", *arms], arm=arms))
    assert spec.length(LaneId(0, 0, "short", 0)) == spec.schedule.steps_per_epoch // 2


def test_seconds_of_a_search_are_those_of_its_trainings(searched: Path) -> None:
    of = rows(searched, "timings")
    trained = of.loc[[LaneId(number, 0, "ticket", 0) for number in range(2)], "seconds"].sum()
    assert row(searched, "ticket", name="timings")["search_seconds"] == pytest.approx(trained)
    assert row(searched, "random_mask", name="timings")["search_seconds"] == 0
    assert row(searched, "snip", name="timings")["search_seconds"] > 0


@pytest.mark.parametrize("end", [1, slow(3), slow(5), slow(6), slow(7), slow(8)])
def test_a_run_that_is_stopped_within_a_round_goes_on_as_if_it_had_not_been(
    run: Run, searched: Path, tmp_path: Path, end: int
) -> None:
    """Wherever it is: in a search, between a search and those that take its mask, or after."""
    with pytest.raises(StoppedError):
        run(tmp_path, Watcher(end), **KNOBS)
    path = run(tmp_path, **KNOBS)
    assert contents(path) == contents(searched)


@pytest.mark.parametrize("is_damaged", [True, slow(False)])
def test_a_search_whose_mask_is_lost_is_trained_again_if_it_is_needed(
    run: Run, searched: Path, tmp_path: Path, is_damaged: bool
) -> None:
    less = KNOBS | {"arms": [arm for arm in KNOBS["arms"] if arm != "edge_inverted"]}
    path = run(tmp_path, **less)
    saved = path / "checkpoints" / "searches" / search_name(EDGE)
    if is_damaged:
        (saved / "0-1.zip").write_bytes(b"damaged")
        assert [part.state for part in inspect(path)].count("damaged") == 1
    else:
        shutil.rmtree(saved)
    watcher = Watcher()
    run(tmp_path, watcher, **less)
    assert watcher.lanes == set(), "no lane needs it"
    run(tmp_path, watcher, **KNOBS)
    assert {lane.arm for lane in watcher.lanes} == {"edge", "edge_inverted"}
    assert contents(path) == contents(searched)


def test_lanes_whose_search_diverged_are_not_trained(
    poison: Poison, run: Run, searched: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    poison(EDGE)
    path = run(tmp_path, **KNOBS)
    lost = [LaneId(2, 1, arm, 0) for arm in ("edge", "edge_inverted", "edge_shuffled", "edge_ticket")]
    results, expected = rows(path), rows(searched)
    assert results.loc[lost, "diverged_step"].tolist() == [0, 0, 0, 0]
    assert results.loc[lost, "accuracy_at_early_stop"].isna().all()
    pd.testing.assert_frame_equal(results.drop(lost), expected.drop(lost), check_dtype=False)
    assert "is not trained, since its mask is found by edge of round 2, which diverged" in caplog.text
    watcher = Watcher()
    run(tmp_path, watcher, **KNOBS)
    assert watcher.lanes == set()


def test_a_mask_is_trained_in_another_order_than_it_was_found_in(
    searched: Path, monkeypatch: pytest.MonkeyPatch, run: Run, tmp_path: Path
) -> None:
    """So that it is not trained on the batches that chose it; all others share the order of the round."""
    keys: dict[LaneId, bytes] = {}
    commit = Session.commit

    def noted(self: Session, number: int, starts: Any, outcomes: Any) -> None:
        keys.update({lane: start.key.tobytes() for lane, start in starts.items()})
        commit(self, number, starts, outcomes)

    monkeypatch.setattr(Session, "commit", noted)
    run(tmp_path, **KNOBS | {"replicates": 1})
    at_2 = {lane.arm: key for lane, key in keys.items() if lane.round == 2}
    found = {arm for arm, definition in ARMS.items() if definition.get("found_by") == "edge"}
    assert len({at_2[arm] for arm in found}) == 1
    assert len({at_2[arm] for arm in set(at_2) - found}) == 1
    assert at_2["edge"] != at_2["edge_ticket"]
