"""The race of searches: who takes part, what a mask costs, and how often verdicts err."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ltr.analysis import search_race as race
from ltr.analysis.claims import UNDECIDED
from ltr.analysis.search_race import AS_GOOD, MARGIN, WORSE, Searched, search_race
from ltr.config.groups import ARM, choices
from ltr.config.parse import parse
from ltr.config.schema import Arm, Experiment
from ltr.experiment.compose import from_words
from tests.marks import slow

ARMS: dict[str, dict[str, Any]] = {
    "ticket": {},
    "random_mask": {"shuffle": "layerwise"},
    "one_shot": {"mask": "one_shot"},
    "snip": {"mask": "snip"},
    "rigl": {"shuffle": "layerwise", "method": "rigl"},
    "supermask": {"weights": "initial", "pruned": "frozen", "method": "supermask"},
    "supermask_ticket": {"mask": "found", "found_by": "supermask"},
}
COSTS = {"random_mask": 0, "one_shot": 100, "snip": 2, "rigl": 0, "supermask_ticket": 100, "ticket": 400}


def experiment(**knobs: Any) -> Experiment:
    return parse({"arms": [*ARMS], "arm": ARMS, "rounds": 4, "control_rounds": [2, 4]} | knobs)


def searched(
    accuracies: Mapping[str, Any], asked: Experiment | None = None, costs: Mapping[str, float] = COSTS
) -> Searched:
    """A run of dense networks of 100 operations, and arms of round 4 with these accuracies by replicate."""
    rows: list[dict[str, Any]] = []
    for arm, values in ({"dense": accuracies["ticket"]} | dict(accuracies)).items():
        for replicate, accuracy in enumerate(values):
            lane = {"replicate": replicate, "arm": "ticket" if arm == "dense" else arm, "draw": 0}
            lane |= {"round": 0 if arm == "dense" else 4, "density": 1.0 if arm == "dense" else 0.41}
            lane |= {"accuracy_at_early_stop": accuracy, "flops": 100.0 if arm == "dense" else 41.0}
            rows.append(lane | {"search_flops": 0 if arm == "dense" else costs.get(arm)})
    results = pd.DataFrame(rows)
    timings = results[["replicate", "arm", "draw", "round"]].assign(
        seconds=results["flops"] / 10, search_seconds=results["search_flops"].astype(float) / 10
    )
    return Searched(asked or experiment(arms=list(accuracies)), results, timings)


def around(mean: float, n: int = 5) -> np.ndarray:
    """Accuracies of replicates that differ by a tenth of a point."""
    return mean + 0.001 * np.linspace(-1, 1, n)


def raced(*runs: Searched, paired: Any = None) -> pd.DataFrame:
    return search_race(runs, paired or [True] * len(runs))


def by_arm(table: pd.DataFrame, run: int = 0) -> dict[str, Any]:
    return {row["arm"]: row for row in table[table["run"] == run].to_dict("records")}


# Who takes part


def test_arms_that_differ_from_the_ticket_in_their_masks_take_part() -> None:
    every = from_words([f"arms=[{','.join(choices(ARM))}]"])
    found = {
        "one_shot",
        "snip",
        "grasp",
        "synflow",
        "magnitude_at_init",
        "random_at_init",
        "rigl",
        "rigl_erk",
    }
    tickets = {name for name in choices(ARM) if name.endswith("_ticket")}
    assert set(race.contestants(every)) >= found | tickets
    others = set(race.contestants(every)) - found - tickets
    assert [name for name in others if not race._finds_own_mask(every.arm[name])] == []
    assert race.base_lines(every) == [name for name in choices(ARM) if name.startswith("random_mask")]


@pytest.mark.parametrize(
    "control",
    [
        {"mask": "found", "found_by": "rigl", "shuffle": "layerwise"},
        {"mask": "found", "found_by": "supermask", "invert": True},
        {"mask": "snip", "weights": "reinit"},
        {"mask": "snip", "noise": 0.5},
        {"mask": "iterated"},
        {"mask": "iterated", "prune_every": 3},
        {"weights": "initial", "pruned": "frozen", "method": "supermask"},
        {"shuffle": "layerwise", "method": "rigl", "weights": "reinit"},
        {"method": "of a plug-in that is not here"},
    ],
)
def test_searches_and_controls_take_no_part(control: dict[str, Any]) -> None:
    assert not race._takes_part(Arm(**control))


def test_two_contestants_make_a_race_of_a_run_that_rewinds_weights() -> None:
    assert race.is_race(experiment())
    assert not race.is_race(experiment(arms=["ticket", "random_mask", "one_shot"]))
    assert not race.is_race(experiment(rewind={"name": "fine_tune"}))


def test_the_race_is_in_the_rounds_of_the_controls_or_of_the_claims() -> None:
    tickets = pd.DataFrame({"round": range(6), "arm": "ticket", "density": 0.8 ** np.arange(6)})
    assert race.race_rounds(tickets, experiment()) == [2, 4]
    assert race.race_rounds(tickets, experiment(rounds=3)) == [2]
    asked = experiment(control_rounds=[], claims={"densities": [0.5]})
    assert race.race_rounds(tickets, asked) == [3]


# What a mask costs


def test_costs_are_in_trainings_of_the_dense_network() -> None:
    """A network of RigL has its mask at the end of its own training of 41 operations."""
    arms = by_arm(raced(searched({arm: around(0.9) for arm in COSTS})))
    expected = {
        "random_mask": 0,
        "snip": 0.02,
        "rigl": 0.41,
        "one_shot": 1,
        "supermask_ticket": 1,
        "ticket": 4,
    }
    assert {arm: row["cost"] for arm, row in arms.items()} == pytest.approx(expected)
    assert [*arms] == [*expected], "by rising cost"
    assert arms["rigl"]["cost_seconds"] == pytest.approx(4.1)
    assert arms["one_shot"]["cost_seconds"] == pytest.approx(10)
    assert arms["snip"]["times_less"] == pytest.approx(200)
    assert math.isnan(arms["random_mask"]["times_less"])


def test_no_other_is_as_accurate_for_less_on_the_front() -> None:
    accuracies = {
        "random_mask": 0.8,
        "snip": 0.92,
        "one_shot": 0.91,
        "supermask_ticket": 0.93,
        "ticket": 0.93,
    }
    table = raced(searched({arm: around(mean) for arm, mean in accuracies.items()}))
    assert set(table.loc[table["on_front"], "arm"]) == {"random_mask", "snip", "supermask_ticket"}


def test_a_cost_that_a_lane_lacks_is_unknown_and_on_no_front() -> None:
    run = searched({arm: around(0.9) for arm in ("ticket", "snip", "one_shot")})
    of_snip = run.results["arm"] == "snip"
    run.results.loc[of_snip & (run.results["replicate"] == 0), "search_flops"] = np.nan
    snip = by_arm(raced(run))["snip"]
    assert math.isnan(snip["cost"])
    assert math.isnan(snip["times_less"])
    assert (snip["n"], snip["lost"], snip["on_front"]) == (5, 0, False)
    assert [row["arm"] for row in raced(run).to_dict("records")][-1] == "snip"


def test_lanes_without_a_result_are_counted_and_arms_without_lanes_listed() -> None:
    run = searched({arm: around(0.9) for arm in ("ticket", "snip")}, experiment())
    of_snip = run.results["arm"] == "snip"
    run.results.loc[of_snip & (run.results["replicate"] < 2), "accuracy_at_early_stop"] = np.nan
    arms = by_arm(raced(run))
    assert (arms["snip"]["n"], arms["snip"]["lost"], arms["snip"]["pairs"]) == (3, 2, 3)
    assert (arms["rigl"]["n"], arms["rigl"]["lost"], arms["rigl"]["verdict"]) == (0, 5, UNDECIDED)


def test_a_replicate_counts_once_whatever_its_draws() -> None:
    run = searched({arm: around(0.9) for arm in ("ticket", "snip", "one_shot")})
    again = run.results[run.results["arm"] == "snip"].assign(draw=1, accuracy_at_early_stop=0.8)
    more = run.timings[run.timings["arm"] == "snip"].assign(draw=1)
    both = run._replace(results=pd.concat([run.results, again]), timings=pd.concat([run.timings, more]))
    snip = by_arm(raced(both))["snip"]
    assert snip["n"] == 5
    assert snip["accuracy"] == pytest.approx(0.85)
    assert snip["cost"] == pytest.approx(0.02)


# Differences and verdicts


def gains(mean: float, spread: float = 0.0002, n: int = 5) -> np.ndarray:
    """Differences with this mean and standard deviation."""
    values = np.linspace(-1, 1, n)
    return mean + spread * values / values.std(ddof=1)


def test_intervals_hold_together() -> None:
    run = searched({"ticket": around(0.9), "snip": around(0.9) + gains(-0.001), "one_shot": around(0.9)})
    snip = by_arm(raced(run))["snip"]
    low, high = stats.t.interval(1 - 0.05 / 2, 4, -0.001, 0.0002 / math.sqrt(5))
    assert snip["difference"] == pytest.approx(-0.001)
    assert snip["difference_interval"] == pytest.approx((high - low) / 2)


@pytest.mark.parametrize(
    ("mean", "verdict"),
    [(-0.001, AS_GOOD), (0.001, AS_GOOD), (-0.0004, AS_GOOD), (-0.0029, WORSE), (-0.01, WORSE)],
)
def test_verdicts_are_those_of_the_interval(mean: float, verdict: str) -> None:
    run = searched(
        {"ticket": around(0.9), "snip": around(0.9) + gains(mean, 0.0004), "one_shot": around(0.8)}
    )
    assert by_arm(raced(run))["snip"]["verdict"] == verdict


def test_wide_intervals_and_few_replicates_decide_nothing() -> None:
    wide = searched({"ticket": around(0.9), "snip": around(0.9) + gains(0, 0.01), "one_shot": around(0.8)})
    few = searched({"ticket": around(0.9, 2), "snip": around(0.5, 2), "one_shot": around(0.8, 2)})
    assert by_arm(raced(wide))["snip"]["verdict"] == UNDECIDED
    assert by_arm(raced(few))["snip"]["verdict"] == UNDECIDED


def test_other_runs_race_against_imp_of_the_first() -> None:
    first = searched({"ticket": around(0.9), "snip": around(0.9), "one_shot": around(0.9)})
    second = searched({"ticket": around(0.9) - gains(0.01), "snip": around(0.9), "one_shot": around(0.9)})
    for is_paired in (True, False):
        table = raced(first, second, paired=[True, is_paired])
        assert len(table) == 6
        assert by_arm(table, 1)["ticket"]["difference"] == pytest.approx(-0.01)
        assert by_arm(table, 1)["ticket"]["verdict"] == WORSE
    error = math.sqrt(sum(values.var(ddof=1) for values in (around(0.9), around(0.9) - gains(0.01))) / 5)
    assert by_arm(table, 1)["ticket"]["difference_interval"] > stats.norm.ppf(1 - 0.05 / 10) * error


def test_runs_of_other_densities_take_no_part() -> None:
    first = searched({"ticket": around(0.9), "snip": around(0.9), "one_shot": around(0.9)})
    second = first._replace(results=first.results.assign(density=0.2))
    assert set(raced(first, second)["run"]) == {0}


# How often verdicts err


def errs(truths: np.ndarray, spreads: np.ndarray, n: int, generator: np.random.Generator) -> bool:
    """Whether any verdict on made-up differences from IMP is wrong."""
    imp = generator.normal(0.9, 0.002, n)
    gains = truths + spreads * generator.normal(size=(n, len(truths)))
    methods = [entry("ticket", imp), *(entry(f"a{k}", imp + gain) for k, gain in enumerate(gains.T))]
    found = {row["arm"]: row["verdict"] for row in race._compared(methods, 1.0, [True])}
    return any(
        (found[f"a{k}"] == WORSE and truth >= 0) or (found[f"a{k}"] == AS_GOOD and truth <= -MARGIN)
        for k, truth in enumerate(truths)
    )


def entry(arm: str, accuracies: np.ndarray) -> Any:
    """A method of these accuracies by replicate."""
    return race._Entry(
        0, 4, arm, 0.4, len(accuracies), pd.DataFrame({"accuracy": accuracies, "flops": 1.0, "seconds": 1.0})
    )


TRUTHS: dict[str, Callable[[int], np.ndarray]] = {
    "nothing differs": np.zeros,
    "all are at the margin": lambda methods: np.full(methods, -MARGIN),
    "half are at the margin": lambda methods: np.where(np.arange(methods) % 2, -MARGIN, 0.0),
}


@pytest.mark.parametrize(
    ("truth", "methods", "n", "runs"),
    [
        ("half are at the margin", 6, 4, 60),
        *(slow(truth, methods, n, 600) for truth in TRUTHS for methods in (2, 14) for n in (3, 5, 10)),
    ],
)
def test_verdicts_of_a_density_err_in_one_of_twenty_runs(truth: str, methods: int, n: int, runs: int) -> None:
    """Of methods whose spreads differ tenfold."""
    generator, spreads = np.random.default_rng(0), np.geomspace(0.0003, 0.003, methods)
    wrong = sum(errs(TRUTHS[truth](methods), spreads, n, generator) for _ in range(runs))
    assert wrong <= 0.05 * runs


def test_without_correction_they_would_err_more_often(monkeypatch: pytest.MonkeyPatch) -> None:
    difference = race._difference
    monkeypatch.setattr(race, "_difference", lambda entry, imp, _, paired: difference(entry, imp, 1, paired))
    generator = np.random.default_rng(0)
    wrong = sum(errs(np.full(6, -MARGIN), np.full(6, 0.001), 4, generator) for _ in range(60))
    assert wrong > 0.05 * 60
