"""Claims: what speaks for and against them, and how often they err."""

from collections.abc import Callable
from typing import Any, get_args, get_type_hints

import numpy as np
import pandas as pd
import pytest

from ltr.analysis import claims
from ltr.analysis.claims import (
    CLAIMS,
    REFUTED,
    SUPPORTED,
    UNDECIDED,
    check,
    sparsest,
    undecided,
    verdicts,
)
from ltr.config import Claims
from ltr.errors import ConfigError
from ltr.knobs import parse

ARMS = ("random_reinit", "random_mask", "one_shot")
LAST = 1000


def lanes(accuracy: Callable[..., float], steps: Callable[..., float], rounds: int, n: int) -> pd.DataFrame:
    """A results table: `accuracy` and `steps` of (arm, round, replicate); a step at `LAST` is censored."""
    rows: list[dict[str, Any]] = []
    for round in range(rounds + 1):
        for arm in ("ticket", *ARMS) if round else ("ticket",):
            for replicate in range(n):
                lane = {"round": round, "replicate": replicate, "arm": arm, "draw": 0, "density": 0.8**round}
                step = min(LAST, steps(arm, round, replicate))
                lane |= {"accuracy_at_early_stop": accuracy(arm, round, replicate)}
                rows.append(lane | {"early_stop_step": step, "censored": step == LAST})
    return pd.DataFrame(rows)


def noise(size: float, seed: int = 0) -> Callable[..., float]:
    generator = np.random.default_rng(seed)
    return lambda *_: float(generator.normal(0, size))


def test_every_claim_is_supported_where_it_holds() -> None:
    wobble = noise(0.0005)
    table = lanes(
        lambda arm, round, _: 0.9 + (0.01 if arm == "ticket" and round else 0) + wobble(),
        lambda arm, round, _: (400 if round else 600) + 1000 * wobble(),
        rounds=3,
        n=5,
    )
    found = verdicts(table)
    assert list(found) == list(CLAIMS)
    for name, of_claim in found.items():
        rounds = [2, 3] if name == "iterating" else [1, 2, 3]
        assert [(one.round, one.verdict) for one in of_claim] == [(round, SUPPORTED) for round in rounds]
        for one in of_claim:
            assert one.low < one.effect < one.high
            assert one.bootstrap_low < one.effect < one.bootstrap_high
            assert one.p < 0.05
            assert (one.n, one.needed) == (5, None)
    assert sparsest(found["matches"]) == found["matches"][-1]


def test_every_claim_is_refuted_where_the_opposite_holds() -> None:
    wobble = noise(0.0005)
    table = lanes(
        lambda arm, round, _: 0.9 - (0.01 if arm == "ticket" and round else 0) + wobble(),
        lambda arm, round, _: (900 if round else 600) + 1000 * wobble(),
        rounds=2,
        n=5,
    )
    found = verdicts(table)
    assert {one.verdict for of_claim in found.values() for one in of_claim} == {REFUTED}
    assert sparsest(found["matches"]) is None


def test_effects_are_means_of_paired_differences() -> None:
    table = lanes(
        lambda arm, round, replicate: 0.5 + 0.1 * replicate + (0.02 if arm == "ticket" and round else 0),
        lambda arm, round, replicate: 100 * 2**replicate / (4 if round else 1),
        rounds=1,
        n=3,
    )
    found = {name: of_claim[0] for name, of_claim in verdicts(table).items()}
    assert found["weights"].effect == pytest.approx(0.02)
    assert found["matches"].effect == pytest.approx(0.02)
    assert found["faster"].effect == pytest.approx(2)
    assert (found["faster"].unit, found["matches"].unit) == ("log2 steps", "fraction")


def test_draws_are_averaged_and_count_as_one() -> None:
    table = lanes(noise(0.01), lambda *_: 500, rounds=1, n=3)
    more = table[table["arm"] == "random_reinit"].assign(draw=1)
    twice = verdicts(pd.concat([table, more]))["weights"][0]
    assert twice == verdicts(table)["weights"][0]


def test_matching_allows_for_two_tenths_of_a_point() -> None:
    def table(lost: float) -> pd.DataFrame:
        wobble = noise(0.0001)
        return lanes(lambda _, round, __: 0.9 - lost * (round > 0) + wobble(), lambda *_: 5, rounds=1, n=4)

    assert verdicts(table(0.0015))["matches"][0].verdict == SUPPORTED
    assert verdicts(table(0.0025))["matches"][0].verdict == REFUTED


@pytest.mark.parametrize(
    ("of_ticket", "of_dense", "expected"),
    [(400, 600, SUPPORTED), (600, 400, REFUTED), (600, LAST, SUPPORTED), (LAST, 600, REFUTED)],
)
def test_faster_knows_what_censoring_leaves_sure(of_ticket: int, of_dense: int, expected: str) -> None:
    wobble = noise(5)

    def steps(_: str, round: int, __: int) -> float:
        return (of_ticket if round else of_dense) + abs(wobble())

    found = verdicts(lanes(lambda _, round, __: 0.9 + (0.02 + wobble() / 1e4) * round, steps, rounds=1, n=5))
    assert found["faster"][0].verdict == expected
    assert found["wins"][0].verdict == expected


def test_two_lanes_that_never_turned_say_nothing_of_each_other() -> None:
    table = lanes(lambda *_: 0.9, lambda *_: LAST, rounds=1, n=5)
    assert verdicts(table)["faster"][0].verdict == UNDECIDED


@pytest.mark.parametrize("censored", ["ticket", "dense"])
def test_one_hidden_step_forbids_the_verdict_that_it_might_turn(censored: str) -> None:
    """All others point one way; the one that never turned may lie as far the other way as it likes."""

    def steps(_: str, round: int, replicate: int) -> float:
        fast, slow = 300 + replicate, 900 + replicate
        hides = replicate == 0
        if censored == "ticket":
            return (LAST if hides else fast) if round else (LAST if hides else slow)
        return (LAST if hides else slow) if round else (LAST if hides else fast)

    assert verdicts(lanes(lambda *_: 0.9, steps, rounds=1, n=9))["faster"][0].verdict == UNDECIDED


def test_undecided_says_how_many_replicates_would_tell() -> None:
    wobble = noise(0.01, seed=3)
    table = lanes(lambda arm, *_: 0.9 + 0.004 * (arm == "ticket") + wobble(), lambda *_: 5, rounds=1, n=3)
    found = verdicts(table)["structure"][0]
    assert found.verdict == UNDECIDED
    assert found.needed is not None
    assert found.needed > 3


def test_a_claim_without_its_lanes_is_left_out() -> None:
    table = lanes(lambda *_: 0.9, lambda *_: 5, rounds=1, n=2)
    assert "weights" not in verdicts(table[table["arm"] != "random_reinit"])
    assert verdicts(table[table["round"] == 0]) == {}
    assert verdicts(table.head(0)) == {}


def test_one_replicate_decides_nothing() -> None:
    table = lanes(lambda arm, *_: 0.9 + 0.05 * (arm == "ticket"), lambda *_: 5, rounds=1, n=1)
    assert {one.verdict for of_claim in verdicts(table).values() for one in of_claim} == {UNDECIDED}


def test_claims_are_tested_in_the_rounds_nearest_to_the_densities_chosen() -> None:
    wobble = noise(0.001)
    table = lanes(lambda arm, *_: 0.9 + 0.01 * (arm == "ticket") + wobble(), lambda *_: 5, rounds=8, n=4)
    found = verdicts(table, Claims(densities=(0.5, 0.2, 0.01)))["structure"]
    assert [one.round for one in found] == [3, 7]  # 51 and 21 %; 17 % is far from 1 %
    everywhere = {one.round: one.p for one in verdicts(table)["structure"]}
    assert [one.p for one in found] < [everywhere[3], everywhere[7]]


def test_where_no_round_is_near_all_are_tested() -> None:
    table = lanes(lambda *_: 0.9, lambda *_: 5, rounds=2, n=3)
    assert [one.round for one in verdicts(table, Claims(densities=(0.1,)))["structure"]] == [1, 2]


def test_every_look_costs() -> None:
    wobble = noise(0.01)
    table = lanes(lambda arm, *_: 0.9 + 0.025 * (arm == "ticket") + wobble(), lambda *_: 5, rounds=1, n=5)
    once, often = (verdicts(table, Claims(densities=(), most=most))["structure"][0] for most in (None, 30))
    assert often.p == pytest.approx(5 * once.p)
    assert (once.verdict, often.verdict) == (SUPPORTED, UNDECIDED)


def test_looks_are_fixed_beforehand() -> None:
    assert Claims(most=30).looks == (5, 8, 13, 20, 30)
    assert Claims(most=10).looks == (5, 8, 10)
    assert Claims(most=4).looks == (4,)
    assert Claims().looks == ()


def test_undecided_claims_are_those_asked_for_that_are_open_in_some_round() -> None:
    wobble = noise(0.002)
    table = lanes(
        lambda arm, *_: 0.9 + (0.02 if arm == "random_mask" else 0) + wobble(), lambda *_: 5, rounds=2, n=5
    )
    found = verdicts(table)
    assert undecided(found, ("weights", "structure")) == ["weights"]
    assert {one.verdict for one in found["structure"]} == {REFUTED}


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"arms": ["ticket"]}, "claims.decide: weights needs random_reinit among arms"),
        ({"ticket": "last"}, "replicates=auto: needs ticket=null"),
        ({"rewind": {"name": "fine_tune"}}, "replicates=auto: needs rewind=weights, not fine_tune"),
    ],
)
def test_claims_that_cannot_be_decided_are_refused(knobs: dict[str, Any], message: str) -> None:
    check(parse(knobs))
    with pytest.raises(ConfigError, match=message):
        check(parse({"replicates": "auto", **knobs}))


def test_the_claims_that_a_knob_names_are_those_there_are() -> None:
    names, _ = get_args(get_type_hints(Claims)["decide"])
    assert get_args(names) == tuple(CLAIMS)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves out what decides nothing."""
    monkeypatch.setattr(claims, "bootstrap", lambda _: (0.0, 0.0))
    monkeypatch.setattr(claims, "replicates_needed", lambda *_: None)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("n", [5, 10])
@pytest.mark.slow
def test_where_nothing_differs_at_most_one_run_in_twenty_says_so(n: int) -> None:
    """Over whole families of rounds. (`matches` holds there, within its margin; it is left out.)"""
    tried = ("faster", "wins", "weights", "structure", "iterating")
    false = dict.fromkeys(tried, 0)
    runs = 200
    for seed in range(runs):
        accuracy, steps = noise(0.01, seed), noise(100, runs + seed)
        table = lanes(lambda *_: 0.9 + accuracy(), lambda *_: 500 + steps(), rounds=4, n=n)  # noqa: B023
        for name, of_claim in verdicts(table).items():
            if name in tried:
                false[name] += any(one.verdict == SUPPORTED for one in of_claim)
    assert max(false.values()) <= 0.05 * runs, false


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("n", "expected"), [(5, 0.40), (10, 0.80)])
@pytest.mark.slow
def test_an_effect_of_one_deviation_is_found_as_often_as_stated(n: int, expected: float) -> None:
    runs, found = 300, 0
    for seed in range(runs):
        wobble = noise(0.01 / np.sqrt(2), seed)
        table = lanes(lambda arm, *_: 0.9 + 0.01 * (arm == "ticket") + wobble(), lambda *_: 5, 1, n)  # noqa: B023
        found += verdicts(table)["structure"][0].verdict == SUPPORTED
    assert found / runs == pytest.approx(expected, abs=0.07)


@pytest.mark.usefixtures("quick")
@pytest.mark.slow
def test_looking_again_and_again_errs_no_more_often() -> None:
    """Replicates are added until the claim is decided: where nothing differs, in 5 of 100 runs at most."""
    asked, runs, wrong = Claims(densities=(), most=30), 300, 0
    for seed in range(runs):
        wobble = noise(0.01, seed)
        table = lanes(lambda *_: 0.9 + wobble(), lambda *_: 5, rounds=2, n=30)  # noqa: B023
        looks = (verdicts(table[table["replicate"] < look], asked)["structure"] for look in asked.looks)
        wrong += any(one.verdict != UNDECIDED for found in looks for one in found)
    assert 0 < wrong <= 0.05 * runs
