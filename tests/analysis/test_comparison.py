"""Runs side by side: aligned by density, in pairs or not."""

import math

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from ltr.analysis import inference
from ltr.analysis.comparison import compare, welch
from tests.marks import slow

SHIFT = np.array([0.00, 0.03, 0.01])


def run(offset: float, rate: float = 0.2, rounds: int = 2, arm: str = "ticket") -> pd.DataFrame:
    """Replicates differ by `SHIFT`; a pruned network gains `offset`."""
    return pd.DataFrame(
        {
            "round": round_number,
            "replicate": replicate,
            "arm": arm if round_number else "ticket",
            "draw": 0,
            "density": (1 - rate) ** round_number,
            "early_stop_step": 100,
            "accuracy_at_early_stop": 0.9 + shift + (offset if round_number else 0),
            "final_accuracy": 0.9,
            "censored": False,
            "early_bird_step": None,
            "reached_outputs": 10,
            "dead_units": 0,
            "diverged_step": None,
            "emptied_layer": None,
        }
        for round_number in range(rounds + 1)
        for replicate, shift in enumerate(SHIFT)
    )


def test_the_same_densities_lie_side_by_side_the_densest_first() -> None:
    found = compare([run(0.0), run(0.02), run(0.01, rate=0.36, rounds=1)], "ticket", [True] * 3)
    assert list(found["run"]) == [0, 1, 2, 0, 1, 0, 1, 2]
    assert found["density"].is_monotonic_decreasing
    assert list(found[found["run"] == 2]["difference"].round(6)) == [0.0, 0.01], "round 1 beside round 2"


def test_pairs_take_out_what_replicates_share() -> None:
    paired, apart = (
        compare([run(0.0), run(0.02)], "ticket", [True, together]).query("run == 1 and round == 2")
        for together in (True, False)
    )
    for found in (paired, apart):
        assert found["difference"].item() == pytest.approx(0.02)
    assert math.isnan(paired["difference_ci95"].item()), "equal differences are no interval of 0"
    assert apart["difference_ci95"].item() > 0.02


def test_the_nearest_round_counts_where_densities_are_close() -> None:
    same = compare([run(0.01, rate=0.005), run(0.01, rate=0.005)], "ticket", [True, True])
    np.testing.assert_allclose(same[same["run"] == 1]["difference"], 0, atol=1e-12)


def test_nearest_densities_lie_side_by_side_within_a_tenth() -> None:
    one, other = run(0.0, rate=0.484, rounds=1), run(0.02, rate=0.495, rounds=1)  # 51.6 and 50.5 %
    found = compare([one, other], "ticket", [True, True])
    assert list(found["run"]) == [0, 1, 0, 1]
    assert found.iloc[-1]["density"] == pytest.approx(0.505)
    assert found.iloc[-1]["beside_density"] == pytest.approx(0.516)
    assert found.iloc[-1]["difference"] == pytest.approx(0.02)
    too_far = compare([one, run(0.02, rate=0.54, rounds=1)], "ticket", [True, True])  # 46 %
    assert math.isnan(too_far.iloc[-1]["beside_density"])
    assert math.isnan(too_far.iloc[-1]["difference"])


def test_a_denser_round_stays_below_the_one_that_it_lies_beside() -> None:
    found = compare([run(0.0, rate=0.495), run(0.02, rate=0.484)], "ticket", [True, True])
    assert list(found["run"]) == [0, 1, 0, 1, 0, 1]


def test_no_two_rounds_lie_beside_the_same_one() -> None:
    finer = run(0.02, rate=0.1, rounds=4)  # 81 and 72.9 % are both within a tenth of 80 %
    found = compare([run(0.0, rounds=1), finer], "ticket", [True, True]).query("run == 1")
    assert found.dropna(subset="difference")["density"].tolist() == pytest.approx([1.0, 0.81])


def test_means_and_differences_are_over_the_replicates_that_paired_runs_share() -> None:
    whole, part = run(0.0), run(0.02)
    part = part[part["replicate"] < 2]
    found = compare([whole, part, run(0.05)], "ticket", [True, True, True])
    assert set(found["n"]) == {2}
    at_80 = found[found["round"] == 1].set_index("run")["accuracy"]
    assert at_80[1] - at_80[0] == pytest.approx(0.02)
    assert at_80[0] == pytest.approx(0.9 + SHIFT[:2].mean())
    assert set(found.query("run > 0")["difference_n"]) == {2}


def test_independent_runs_keep_all_their_replicates() -> None:
    part = run(0.02)
    found = compare([run(0.0), part[part["replicate"] < 2]], "ticket", [True, False])
    assert found.groupby("run")["n"].first().tolist() == [3, 2]
    differences = found.query("run == 1")["difference"].to_numpy()
    means = found.pivot(index="round", columns="run", values="accuracy")
    assert differences == pytest.approx((means[1] - means[0]).to_numpy())


def test_a_round_that_lacks_a_replicate_says_of_how_many_its_difference_is() -> None:
    part = run(0.02)
    part = part[(part["replicate"] < 2) | (part["round"] < 2)]
    found = compare([run(0.0), part], "ticket", [True, True]).query("run == 1")
    assert found["difference_n"].tolist() == [3, 3, 2]
    assert found["difference"].tolist() == pytest.approx([0, 0.02, 0.02])


def test_a_run_without_results_leaves_the_others_theirs() -> None:
    found = compare([run(0.0), run(0.0).head(0)], "ticket", [True, True])
    assert set(found["n"]) == {3}


def test_the_first_run_and_densities_that_it_lacks_have_no_difference() -> None:
    found = compare([run(0.0), run(0.02, rate=0.5)], "ticket", [True, True])
    assert found[found["run"] == 0]["difference"].isna().all()
    assert found[(found["run"] == 1) & (found["round"] > 0)]["difference"].isna().all()


def test_another_arm_starts_from_the_same_dense_network() -> None:
    found = compare([run(0.0, arm="one_shot"), run(0.1, arm="one_shot")], "one_shot", [True, True])
    assert list(found.query("run == 1")["difference"].round(6)) == [0.0, 0.1, 0.1]


def test_welch_is_that_of_scipy() -> None:
    one, other = pd.Series([1.0, 2.0, 4.0]), pd.Series([0.5, 0.7])
    interval = scipy.stats.ttest_ind(one, other, equal_var=False).confidence_interval(0.95)
    mean, half_width, n = welch(one, other)
    assert (mean - half_width, mean + half_width) == pytest.approx(interval)
    assert n == 2
    assert math.isnan(welch(one, other[:1]).half_width)
    no_spread = welch(pd.Series([1.0, 1.0]), pd.Series([3.0, 3.0]))
    assert (no_spread.mean, math.isnan(no_spread.half_width)) == (-2.0, True)


@pytest.mark.parametrize("comparisons", [15, slow(200)])
@pytest.mark.parametrize("paired", [True, False])
def test_where_nothing_differs_at_most_one_comparison_in_twenty_says_so(
    paired: bool, comparisons: int
) -> None:
    """All densities together."""
    generator, wrong = np.random.default_rng(0), 0
    for _ in range(comparisons):
        runs = [
            table.assign(accuracy_at_early_stop=0.9 + generator.normal(0, 0.01, len(table)))
            for table in (run(0.0), run(0.0))
        ]
        wrong += (compare(runs, "ticket", [True, paired])["p"] < inference.LEVEL).any()
    assert wrong <= 0.05 * comparisons + 2 * np.sqrt(comparisons * 0.05 * 0.95)


def test_a_difference_beyond_chance_has_a_small_p_and_two_replicates_never() -> None:
    generator = np.random.default_rng(0)
    runs = [
        table.assign(accuracy_at_early_stop=table["accuracy_at_early_stop"] + generator.normal(0, 1e-3, 9))
        for table in (run(0.0), run(0.1))
    ]
    assert (compare(runs, "ticket", [True, True]).query("run == 1 and round > 0")["p"] < 0.001).all()
    two = [table[table["replicate"] < 2] for table in runs]
    assert (compare(two, "ticket", [True, True]).query("run == 1")["p"] == 1).all()
