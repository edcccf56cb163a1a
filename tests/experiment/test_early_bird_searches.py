"""Searches whose trainings end when the next mask could be drawn."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ltr.experiment.spec import RunSpec
from ltr.store import tables
from ltr.store.tables import LANE, LaneId
from tests.experiment.runs import Run, ask, contents
from tests.marks import slow

ARMS: dict[str, Any] = {
    "bird": {"mask": "iterated", "method": "until_early_bird"},
    "bird_ticket": {"mask": "found", "found_by": "bird"},
    "bird_reinit": {"mask": "found", "found_by": "bird", "weights": "reinit"},
}
KNOBS: dict[str, Any] = {
    "arms": ["ticket", *ARMS],
    "arm": ARMS,
    "batch_size": 300,
    "eval_every": 4,
    "replicates": 1,
    "prune_rate": 0.1,
}


@pytest.fixture(scope="module")
def searched(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(tmp_path_factory.mktemp("searched"), **KNOBS)


def rows(path: Path, name: str = "results") -> pd.DataFrame:
    return tables.read(path, name).set_index(list(LANE)).sort_index()


def test_a_training_is_the_dense_one_until_it_ends(searched: Path) -> None:
    """An epoch has 3 steps, so the fifth ends at step 15; evaluations are every 4 steps."""
    bird, ticket = (
        rows(searched, "metrics").loc[LaneId(0, 0, arm, 0)].set_index("step") for arm in ("bird", "ticket")
    )
    end = int(rows(searched).loc[LaneId(0, 0, "bird", 0), "early_bird_step"])
    assert 15 <= end < 38
    assert end % 3 == 0
    before = [step for step in bird.index if step <= end]
    losses = ["train_loss", "val_loss"]
    pd.testing.assert_frame_equal(bird.loc[before, losses], ticket.loc[before, losses])
    assert bird.index[-1] == -(-end // 4) * 4, "the first evaluation from there on is the last"
    assert rows(searched).loc[LaneId(0, 0, "bird", 0), "final_accuracy"] > 0


def test_its_cost_is_that_of_the_steps_that_it_took(searched: Path) -> None:
    results = rows(searched)
    dense = results.loc[LaneId(0, 0, "ticket", 0), "flops"] / 40
    ends = [int(results.loc[LaneId(number, 0, "bird", 0), "early_bird_step"]) for number in (0, 1)]
    once = results.loc[LaneId(1, 0, "ticket", 0), "flops"] / 40
    assert results.loc[LaneId(2, 0, "bird_ticket", 0), "search_flops"] == ends[0] * dense + ends[1] * once


def test_an_extended_run_is_a_whole_one(run: Run, searched: Path, tmp_path: Path) -> None:
    run(tmp_path, **KNOBS | {"rounds": 1})
    assert contents(run(tmp_path, **KNOBS)) == contents(searched)


@pytest.mark.parametrize("arm", ["bird_ticket", slow("bird_reinit")])
def test_weights_from_a_later_step_cost_the_training_up_to_there(run: Run, tmp_path: Path, arm: str) -> None:
    """A reinit has weights of its own, but the search that it needs started from the rewind step."""
    knobs = KNOBS | {"rewind_step": 36, "rounds": 2}
    results, spec = rows(run(tmp_path, **knobs)), RunSpec.from_experiment(ask(tmp_path, **knobs))
    first, second = (results.loc[LaneId(number, 0, "bird", 0)] for number in (0, 1))
    assert first["early_bird_step"] < 36
    expected = 36 * spec.step_operations + second["flops"]
    assert results.loc[LaneId(2, 0, arm, 0), "search_flops"] == expected


@pytest.mark.slow
def test_larger_batches_end_too(run: Run, tmp_path: Path) -> None:
    arms = {"bird": ARMS["bird"] | {"search_batches": 2}, "bird_ticket": ARMS["bird_ticket"]}
    path = run(tmp_path, **KNOBS | {"arm": arms, "arms": ["ticket", *arms], "rounds": 1})
    assert set(rows(path).index.get_level_values("arm")) == {"ticket", *arms}
