import math

import numpy as np
import pandas as pd
import pytest

from ltr.analysis.summary import by_round, replicate_seconds, select, summary
from ltr.config.parse import parse
from ltr.store.tables import RESULTS

EMPTY = RESULTS.empty_table().to_pandas()


def lane(
    round_number: int,
    replicate: int,
    arm: str,
    accuracy: float,
    step: int = 100,
    draw: int = 0,
    censored: bool = False,
) -> dict[str, object]:
    return {
        "replicate": replicate,
        "arm": arm,
        "draw": draw,
        "round": round_number,
        "density": 0.8**round_number,
        "early_stop_step": step,
        "accuracy_at_early_stop": np.float32(accuracy),
        "final_accuracy": np.float32(accuracy - 0.01),
        "censored": censored,
        "steps": 1000,
        "flops": 1e9,
        "early_bird_step": None,
        "reached_outputs": 10,
        "dead_units": 0,
        "diverged_step": None,
        "emptied_layer": None,
    }


RUN = pd.DataFrame(
    [
        lane(0, 0, "ticket", 0.90, 100),
        lane(0, 1, "ticket", 0.92, 300),
        lane(1, 0, "ticket", 0.94, 100),
        lane(1, 1, "ticket", 0.96, 200),
        lane(1, 0, "reinit", 0.80, 400, draw=0),
        lane(1, 0, "reinit", 0.90, 600, draw=1),
        lane(1, 1, "reinit", 0.81, 1000, draw=0, censored=True),
        lane(1, 1, "reinit", 0.85, 800, draw=1),
    ]
)


def row(round_number: int, arm: str) -> dict[str, float]:
    table = by_round(RUN)
    (found,) = table[(table["round"] == round_number) & (table["arm"] == arm)].to_dict("records")
    return found


def test_by_round_of_single_draws() -> None:
    dense = row(0, "ticket")
    assert dense["accuracy"] == pytest.approx(0.91)
    assert dense["accuracy_ci95"] == pytest.approx(12.7062 * 0.01, rel=1e-4)
    assert dense["final_accuracy"] == pytest.approx(0.90)
    assert dense["early_stop_step"] == 200
    assert dense["early_stop_step_ci95"] == pytest.approx(1270.62, rel=1e-4)
    assert (dense["density"], dense["n"], dense["censored"], dense["lanes"]) == (1.0, 2, 0, 2)


def test_by_round_averages_draws_first_and_counts_replicates() -> None:
    """The replicates' means are 0.85 and 0.83, and 500 and 900 steps."""
    reinit = row(1, "reinit")
    assert reinit["accuracy"] == pytest.approx(0.84)
    assert reinit["accuracy_ci95"] == pytest.approx(12.7062 * 0.01, rel=1e-4)
    assert reinit["early_stop_step"] == 700
    assert (reinit["n"], reinit["censored"], reinit["lanes"]) == (2, 1, 4)


def test_unequal_draws_do_not_weigh_replicates() -> None:
    table = pd.DataFrame([lane(1, 0, "a", 0.8), lane(1, 0, "a", 0.8, draw=1), lane(1, 1, "a", 0.5)])
    assert by_round(table)["accuracy"].item() == pytest.approx(0.65)


def test_one_replicate_has_no_interval() -> None:
    assert by_round(RUN[RUN["replicate"] == 0])["accuracy_ci95"].isna().all()


def test_a_lane_that_diverged_is_not_censored_and_has_no_part_in_means() -> None:
    """Whether it is censored is missing, as in the tables of a run."""
    lost = lane(0, 1, "ticket", math.nan) | {"censored": None, "early_stop_step": None, "diverged_step": 7}
    table = pd.DataFrame([lane(0, 0, "ticket", 0.9, censored=True), lost]).astype({"censored": "boolean"})
    (found,) = by_round(table).to_dict("records")
    assert (found["censored"], found["diverged"], found["lanes"], found["n"]) == (1, 1, 2, 1)
    assert found["accuracy"] == pytest.approx(0.9)


def test_nothing_trained_has_no_rounds() -> None:
    assert by_round(EMPTY).empty


def test_summary_of_a_run() -> None:
    assert summary(RUN, parse({})) == {
        "rounds_done": 1,
        "replicates": 2,
        "lanes": 8,
        "diverged": 0,
        "ended": 0,
        "density": 0.8,
        "dense_accuracy": pytest.approx(0.91),
        "ticket_accuracy": pytest.approx(0.95),
    }


def test_summary_before_anything_is_trained() -> None:
    nothing = dict.fromkeys(["density", "dense_accuracy", "ticket_accuracy"])
    counts = dict.fromkeys(["rounds_done", "replicates", "lanes", "diverged", "ended"], 0)
    assert summary(EMPTY, parse({})) == counts | nothing


@pytest.mark.parametrize(
    ("asked", "lanes"),
    [
        ({"arms": ["ticket", "reinit"], "arm": {"reinit": {"draws": 2}}}, 8),
        ({"arms": ["ticket", "reinit"]}, 6),
        ({"arms": ["ticket"]}, 4),
        ({"arms": ["ticket"], "rounds": 0}, 2),
        ({"arms": ["ticket"], "rounds": 0, "replicates": 1}, 1),
    ],
)
def test_select_shows_what_was_asked_for(asked: dict[str, object], lanes: int) -> None:
    assert len(select(RUN, parse({"rounds": 9, "replicates": 9} | asked))) == lanes


def test_select_of_nothing_is_nothing() -> None:
    pd.testing.assert_frame_equal(select(EMPTY, parse({})), EMPTY)


def test_intervals_are_missing_not_zero() -> None:
    assert math.isnan(by_round(pd.DataFrame([lane(0, 0, "ticket", 0.9)]))["early_stop_step_ci95"].item())


def test_the_time_of_a_replicate_is_not_that_of_a_busy_beginning() -> None:
    """Four rounds of 3 s, the first of them at a twentieth of the speed, and in three a control of 5 s."""
    rows = [
        (number, replicate, "ticket", 60.0 if number == 0 else 3.0)
        for number in range(4)
        for replicate in (0, 1)
    ]
    rows += [(number, replicate, "random_mask", 5.0) for number in (1, 2, 3) for replicate in (0, 1)]
    timings = pd.DataFrame(rows, columns=["round", "replicate", "arm", "seconds"])
    assert replicate_seconds(timings) == 4 * 3 + 3 * 5
