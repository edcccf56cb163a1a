from collections.abc import Callable

import pandas as pd
import pytest

from ltr.analysis.summary import by_round
from ltr.report.tables import accuracy_table, early_stop_table, header, other_tables, row

Results = Callable[..., pd.DataFrame]


def one_round(**columns: object) -> pd.DataFrame:
    """A summary of round 2 with a ticket and a random mask."""
    summary = pd.DataFrame(
        {
            "round": 2,
            "arm": ["random_mask", "ticket"],
            "density": 0.64,
            "n": 3,
            "accuracy": [0.975, 0.98123],
            "accuracy_ci95": [0.1234, 0.002],
            "early_stop_step": [1400.0, 234.4],
            "early_stop_step_ci95": [10.0, 12.0],
            "censored": [1, 0],
            "early_bird_step": float("nan"),
            "diverged": 0,
            "disconnected": 0,
            "lanes": 3,
        }
    )
    return summary.assign(**columns)


def test_accuracies_stand_with_their_intervals_and_the_highest_is_marked() -> None:
    assert accuracy_table(one_round()).splitlines() == [
        "Test accuracy at early stop in % (mean ± 95 % CI, 3 replicates; * highest)",
        "round  density  ticket          random_mask",
        "    2  64.00 %  98.12 ± 0.20*   97.50 ± 12.34",
    ]


def test_a_mean_over_censored_lanes_is_only_a_lower_bound() -> None:
    assert early_stop_table(one_round()).splitlines() == [
        "Early-stop step (mean ± 95 % CI, 3 replicates; > a lower bound)",
        "round  density  ticket          random_mask",
        "    2  64.00 %    234 ± 12     > 1400",
    ]


def test_early_birds_have_a_table_where_they_were_looked_for(results: Results) -> None:
    none, some = (by_round(results(rounds=1, early_birds=found)) for found in (False, True))
    assert list(other_tables(none, with_early_bird=False)) == [early_stop_table(none)]
    for summary, steps in ((none, ("  -", "  -")), (some, ("100", "101"))):
        assert list(other_tables(summary, with_early_bird=True))[1].splitlines() == [
            "Step from which the next ticket's mask hardly changes (mean; - not reached)",
            "round  density  ticket",
            f"    0 100.00 %    {steps[0]}",
            f"    1  60.00 %    {steps[1]}",
        ]


def test_a_round_has_the_density_of_its_ticket() -> None:
    assert " 64.00 %" in accuracy_table(one_round(density=[0.5, 0.64]))


def test_one_replicate_has_no_intervals() -> None:
    text = accuracy_table(one_round(n=1, accuracy_ci95=float("nan")))
    assert "1 replicate, no interval" in text
    assert text.splitlines()[-1] == "    2  64.00 %  98.12*          97.50"


def test_all_that_are_highest_are_marked() -> None:
    assert row(one_round(accuracy=0.98), ["ticket", "random_mask"]).count("*") == 2


def test_an_arm_alone_is_not_marked(results: Results) -> None:
    assert "*" not in accuracy_table(by_round(results(rounds=0))).splitlines()[-1]


def test_an_arm_that_a_round_lacks_is_blank(results: Results) -> None:
    dense = accuracy_table(by_round(results())).splitlines()[2]
    assert dense.startswith("    0 100.00 %  97.98 ± ")
    assert len(dense.split()) == 6


def test_rows_as_they_come_make_the_table(results: Results) -> None:
    summary = by_round(results())
    arms = ["ticket", "random_reinit", "random_mask", "one_shot"]
    rows = [row(rows, arms) for _, rows in summary.groupby("round")]
    assert accuracy_table(summary).splitlines()[1:] == [header(arms), *rows]


@pytest.mark.parametrize("names", [["a", "b", "c"], ["random_mask_global", "x" * 40], ["y" * 60]])
def test_more_arms_than_fit_go_on_below_and_nothing_is_wider_than_80(
    results: Results, names: list[str]
) -> None:
    arms = ["ticket", "random_reinit", *names]
    summary = by_round(results(arms=arms))
    for text in (accuracy_table(summary), early_stop_table(summary), header(arms)):
        assert all(arm in text for arm in arms)
        assert max(map(len, text.splitlines())) <= 80


def test_a_round_on_several_lines_names_itself_once() -> None:
    lines = row(one_round(), ["ticket", "a", "b", "c", "random_mask", "d"]).splitlines()
    assert lines == ["    2  64.00 %  98.12 ± 0.20*", " " * 16 + "97.50 ± 12.34"]


def test_a_blank_line_keeps_the_place_of_arms_that_a_round_lacks() -> None:
    lines = row(one_round(), ["ticket", *"abcdefg", "random_mask", *"hijk"]).splitlines()
    assert lines == ["    2  64.00 %  98.12 ± 0.20*", "", " " * 16 + "97.50 ± 12.34"]


def test_a_table_leaves_out_rounds_that_train_none_of_its_arms(results: Results) -> None:
    arms = ["ticket", "random_reinit", "random_mask", "one_shot", "z"]
    lanes = results(arms=arms)
    kept = lanes[(lanes["arm"] != "z") | (lanes["round"] == 3)]
    *_, last = accuracy_table(by_round(kept)).split("\n\n")
    assert [line.split()[0] for line in last.splitlines()] == ["round", "3"]
