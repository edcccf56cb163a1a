import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from ltr.analysis.early_stopping import early_stop
from ltr.store.tables import METRICS, RESULTS


def metrics(val_losses: list[float], replicate: int = 0, arm: str = "ticket") -> pd.DataFrame:
    """One lane, evaluated every 100 steps; its test accuracy counts up by 0.01 from 0.5."""
    n = len(val_losses)
    return pd.DataFrame(
        {
            "replicate": np.full(n, replicate, np.int32),
            "arm": arm,
            "draw": np.int32(0),
            "round": np.int32(2),
            "density": 0.64,
            "step": np.arange(n, dtype=np.int32) * 100,
            "val_loss": np.array(val_losses, np.float32),
            "test_accuracy": np.array(0.5 + 0.01 * np.arange(n), np.float32),
        }
    )


def test_early_stop_is_the_step_of_minimum_validation_loss() -> None:
    found = early_stop(metrics([3.0, 1.0, 2.0]))
    assert found["diverged_step"].isna().all()
    (lane,) = found.drop(columns="diverged_step").to_dict("records")
    assert lane == {
        "replicate": 0,
        "arm": "ticket",
        "draw": 0,
        "round": 2,
        "density": 0.64,
        "early_stop_step": 100,
        "accuracy_at_early_stop": np.float32(0.51),
        "final_accuracy": np.float32(0.52),
        "censored": False,
        "steps": 200,
    }


def test_the_first_of_equal_minima_counts() -> None:
    assert early_stop(metrics([3.0, 1.0, 1.0]))["early_stop_step"].item() == 100


def test_a_loss_that_has_not_turned_is_censored() -> None:
    assert early_stop(metrics([3.0, 2.0, 1.0]))["censored"].item()


def test_a_nan_is_never_the_minimum() -> None:
    assert early_stop(metrics([3.0, np.nan, 2.0, 2.5]))["early_stop_step"].item() == 200


def test_columns_and_types_are_those_of_the_results_table_but_what_others_know() -> None:
    frame = early_stop(metrics([2.0, 1.0]))
    others = {"flops", "search_flops", "early_bird_step", "reached_outputs", "dead_units", "emptied_layer"}
    assert list(frame.columns) == [name for name in RESULTS.names if name not in others]
    assert frame["early_stop_step"].dtype == np.int32
    assert frame["accuracy_at_early_stop"].dtype == np.float32
    assert frame["censored"].dtype == bool


def test_a_lane_that_diverged_has_its_last_step_and_no_early_stop() -> None:
    both = early_stop(pd.concat([metrics([3.0, 1.0, np.nan]), metrics([3.0, 1.0], replicate=1)]))
    diverged, other = both.to_dict("records")
    assert (diverged["diverged_step"], diverged["steps"], diverged["censored"]) == (200, 200, False)
    measures = ["early_stop_step", "accuracy_at_early_stop"]
    assert both.loc[0, measures].isna().all()
    assert (other["early_stop_step"], other["censored"]) == (100, True)
    assert both["diverged_step"].isna().tolist() == [False, True]


def test_no_metrics_no_lanes() -> None:
    assert early_stop(METRICS.empty_table().to_pandas()).empty


lanes = st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=6), min_size=1, max_size=5)


@settings(deadline=None, max_examples=50)
@given(lanes, st.randoms(use_true_random=False))
def test_agrees_with_plain_python_on_rows_in_any_order(losses: list[list[int]], random: object) -> None:
    rows = pd.concat([metrics([*map(float, lane)], i) for i, lane in enumerate(losses)])
    found = early_stop(rows.sample(frac=1, random_state=random.randrange(2**32)))  # type: ignore[attr-defined]
    for lane, row in zip(losses, found.to_dict("records"), strict=True):
        best = lane.index(min(lane))
        assert row["early_stop_step"] == 100 * best
        assert row["accuracy_at_early_stop"] == np.float32(0.5 + 0.01 * best)
        assert row["final_accuracy"] == np.float32(0.5 + 0.01 * (len(lane) - 1))
        assert row["censored"] == (best == len(lane) - 1)
