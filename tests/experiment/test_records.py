"""Outcomes become rows of the tables."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ltr.engine.program import Metrics
from ltr.engine.running_batch import Outcome
from ltr.errors import LtrError
from ltr.experiment import records
from ltr.methods.registry import METHODS, Note
from ltr.store import tables
from ltr.store.tables import LANE, LaneId

TICKET, CONTROL = LaneId(2, 1, "ticket", 0), LaneId(2, 1, "random_reinit", 3)
EVALUATED = np.array([10, 20, 30, 40], np.int32)


def outcome(*val_loss: float, density: float = 0.25, seconds: float = 1.0) -> Outcome:
    """Test accuracy counts the evaluations: 0, 0.1, 0.2, ..."""
    losses = np.array(val_loss, np.float32)
    before = np.array([np.nan, *losses[1:]], np.float32)
    accuracy = np.arange(len(losses), dtype=np.float32) / 10
    return Outcome(None, density, Metrics(before, losses, accuracy, losses, accuracy), seconds)


@pytest.fixture
def rows() -> dict[str, object]:
    outcomes = {TICKET: outcome(4, 2, 1, 3, density=0.5, seconds=2.5), CONTROL: outcome(4, 3, 2, 1)}
    return dict(records.rows(outcomes, EVALUATED, {TICKET: 7, CONTROL: 5}, dict.fromkeys(outcomes)))


def test_a_row_of_metrics_for_each_evaluation(rows: dict) -> None:
    metrics = rows["metrics"].query("arm == 'ticket'")
    assert metrics["step"].tolist() == EVALUATED.tolist()
    assert metrics["val_loss"].tolist() == [4, 2, 1, 3]
    assert metrics["train_loss"].isna().tolist() == [True, False, False, False]
    assert set(metrics["density"]) == {0.5}


def test_a_row_of_results_for_each_lane(rows: dict) -> None:
    results = rows["results"].set_index("arm")
    assert results.loc["ticket", "early_stop_step"] == 30
    assert results.loc["ticket", "accuracy_at_early_stop"] == pytest.approx(0.2)
    assert results.loc["ticket", "final_accuracy"] == pytest.approx(0.3)
    assert results["censored"].to_dict() == {"ticket": False, "random_reinit": True}
    assert results["density"].to_dict() == {"ticket": 0.5, "random_reinit": 0.25}


def test_operations_are_in_the_row_of_their_lane(rows: dict) -> None:
    by_arm = rows["results"].set_index("arm")["flops"]
    assert by_arm.to_dict() == {"ticket": 7.0, "random_reinit": 5.0}


def test_what_a_method_notes_is_in_the_row_of_its_lane() -> None:
    noted = outcome(4, 2, 1, 3)._replace(notes={"early_bird_step": 95})
    outcomes = {TICKET: noted, CONTROL: outcome(4, 3, 2, 1)}
    found = records.rows(outcomes, EVALUATED, dict.fromkeys(outcomes, 1), dict.fromkeys(outcomes))
    by_arm = found["results"].set_index("arm")["early_bird_step"]
    assert by_arm["ticket"] == 95
    assert pd.isna(by_arm["random_reinit"])


def test_a_note_that_another_method_declares_is_a_column_of_its_own(registered: Any, tmp_path: Path) -> None:
    notes = (Note("moves", "int32", "connections moved"), Note("is_stable", "bool", "whether few moved"))
    registered(METHODS, dataclasses.replace(METHODS["rigl"], notes=notes))
    plain = {TICKET: outcome(4, 2, 1, 3)}
    noted = {CONTROL: outcome(4, 3, 2, 1)._replace(notes={"moves": 7, "is_stable": False})}
    frames = [
        records.rows(one, EVALUATED, dict.fromkeys(one, 1), dict.fromkeys(one))["results"]
        for one in (plain, noted)
    ]
    assert "moves" not in frames[0]
    for order in (frames, frames[::-1]):
        tables.write(tmp_path, "results", pd.concat(order, ignore_index=True))
        found = tables.read(tmp_path, "results").set_index("arm")
        assert found["moves"].dtype == "Int32"
        assert found.loc["random_reinit", ["moves", "is_stable"]].tolist() == [7, False]
        assert found.loc["ticket", ["moves", "is_stable"]].isna().all()
        tables.write(tmp_path, "results", found.reset_index())
        assert tables.read(tmp_path, "results").set_index("arm")["moves"].dtype == "Int32"


def test_a_note_that_nothing_declares_is_refused() -> None:
    outcomes = {TICKET: outcome(4, 2, 1, 3)._replace(notes={"moves": 7})}
    with pytest.raises(LtrError, match=r"^moves: noted by a method, but no entry of a method declares"):
        records.rows(outcomes, EVALUATED, {TICKET: 1}, {TICKET: None})


def test_seconds_are_a_table_of_their_own(rows: dict) -> None:
    timings = rows["timings"].set_index(list(LANE))["seconds"].to_dict()
    assert timings == {TICKET: 2.5, CONTROL: 1.0}


def test_rows_fit_the_tables(rows: dict, tmp_path: Path) -> None:
    for name, frame in rows.items():
        tables.write(tmp_path, name, frame)
        assert len(tables.read(tmp_path, name)) == len(frame)
