import json
from collections.abc import Callable

import pandas as pd

from ltr.report.rounds import rounds

Results = Callable[..., pd.DataFrame]


def test_keys_do_not_drift(results: Results) -> None:
    first, second = rounds(results(rounds=1, arms=["ticket", "one_shot"]))
    assert list(first) == ["round", "density", "arms"]
    assert list(second["arms"]) == ["ticket", "one_shot"]
    assert list(second["arms"]["ticket"]) == [
        *(
            "density",
            "accuracy",
            "ci95",
            "final_accuracy",
            "final_ci95",
            "early_stop_step",
            "early_stop_ci95",
        ),
        *("early_bird_step", "dead_units", "censored", "lanes", "diverged", "disconnected", "n"),
    ]


def test_numbers_survive_json_and_missing_intervals_are_null(results: Results) -> None:
    (only,) = json.loads(json.dumps(rounds(results(rounds=0, replicates=1)), allow_nan=False))
    arm = only["arms"]["ticket"]
    assert (only["round"], only["density"], arm["early_stop_step"], arm["n"]) == (0, 1.0, 200.0, 1)
    assert arm["early_bird_step"] is arm["ci95"] is arm["final_ci95"] is arm["early_stop_ci95"] is None


def test_nothing_trained_has_no_rounds(results: Results) -> None:
    assert rounds(results().iloc[:0]) == []
