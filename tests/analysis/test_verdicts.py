"""Verdicts: what speaks for and against claims, what looks cost, and how often they err."""

from collections.abc import Callable, Sequence
from typing import Any, get_args, get_type_hints

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ltr.analysis import verdicts as room
from ltr.analysis.claims import CLAIMS, REFUTED, SUPPORTED, UNDECIDED, Evidence, check
from ltr.analysis.verdicts import (
    Verdict,
    asked_for,
    cost,
    look,
    sparsest,
    undecided,
    verdicts,
    with_look,
    within,
)
from ltr.config import Claims, Experiment
from ltr.errors import ConfigError
from ltr.knobs import parse
from ltr.store.looks import Look

ARMS = ("random_reinit", "random_mask", "one_shot")
LAST = 1000
EVERY_ROUND = Claims(densities=())


def at_once(table: pd.DataFrame, asked: Claims = EVERY_ROUND) -> dict[str, list[Verdict]]:
    """The verdicts of one look at everything."""
    return verdicts(table, looks_at(table, [max(table["replicate"], default=0) + 1], asked))


def looks_at(table: pd.DataFrame, replicates: Sequence[int], asked: Claims = EVERY_ROUND) -> list[Look]:
    """The looks at the first so many replicates, one after the other."""
    taken: list[Look] = []
    for n in replicates:
        taken = with_look(taken, look(table[table["replicate"] < n], Experiment(claims=asked)))
    return taken


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
        lambda arm, round, _: (400 if arm == "ticket" and round else 600) + 1000 * wobble(),
        rounds=3,
        n=5,
    )
    found = at_once(table)
    assert list(found) == list(CLAIMS)
    for name, of_claim in found.items():
        rounds = [2, 3] if name.startswith("iterating") else [1, 2, 3]
        assert [(one.round, one.verdict) for one in of_claim] == [(round, SUPPORTED) for round in rounds]
        for one in of_claim:
            assert one.low < one.effect < one.high
            assert one.bootstrap_low < one.effect < one.bootstrap_high
            assert one.p < 0.05
            assert (one.n, one.needed, one.hidden) == (5, None, False)
    assert sparsest(found["matches"]) == found["matches"][-1]


def test_every_claim_is_refuted_where_the_opposite_holds() -> None:
    wobble = noise(0.0005)
    table = lanes(
        lambda arm, round, _: 0.9 - (0.01 if arm == "ticket" and round else 0) + wobble(),
        lambda arm, round, _: (900 if arm == "ticket" and round else 600) + 1000 * wobble(),
        rounds=2,
        n=5,
    )
    found = at_once(table)
    assert {one.verdict for of_claim in found.values() for one in of_claim} == {REFUTED}
    assert sparsest(found["matches"]) is None


def test_effects_are_means_of_paired_differences() -> None:
    table = lanes(
        lambda arm, round, replicate: 0.5 + 0.1 * replicate + (0.02 if arm == "ticket" and round else 0),
        lambda arm, round, replicate: 100 * 2**replicate / (4 if round else 1),
        rounds=1,
        n=3,
    )
    found = {name: of_claim[0] for name, of_claim in at_once(table).items()}
    assert found["weights"].effect == pytest.approx(0.02)
    assert found["matches"].effect == pytest.approx(0.02)
    assert found["faster"].effect == pytest.approx(2)
    assert (found["faster"].unit, found["matches"].unit) == ("log2 steps", "fraction")


def test_draws_are_averaged_and_count_as_one() -> None:
    table = lanes(noise(0.01), lambda *_: 500, rounds=1, n=3)
    more = table[table["arm"] == "random_reinit"].assign(draw=1)
    twice = at_once(pd.concat([table, more]))["weights"][0]
    assert twice == at_once(table)["weights"][0]


def test_matching_allows_for_two_tenths_of_a_point() -> None:
    def table(lost: float) -> pd.DataFrame:
        wobble = noise(0.0001)
        return lanes(lambda _, round, __: 0.9 - lost * (round > 0) + wobble(), lambda *_: 5, rounds=1, n=4)

    assert at_once(table(0.0015))["matches"][0].verdict == SUPPORTED
    assert at_once(table(0.0025))["matches"][0].verdict == REFUTED


@pytest.mark.parametrize(
    ("of_ticket", "of_dense", "expected"),
    [(400, 600, SUPPORTED), (600, 400, REFUTED), (600, LAST, SUPPORTED), (LAST, 600, REFUTED)],
)
def test_faster_knows_what_censoring_leaves_sure(of_ticket: int, of_dense: int, expected: str) -> None:
    wobble = noise(5)

    def steps(_: str, round: int, __: int) -> float:
        return (of_ticket if round else of_dense) + abs(wobble())

    found = at_once(lanes(lambda _, round, __: 0.9 + (0.02 + wobble() / 1e4) * round, steps, rounds=1, n=5))
    assert found["faster"][0].verdict == expected
    assert found["wins"][0].verdict == expected


def test_two_lanes_that_never_turned_say_nothing_of_each_other() -> None:
    table = lanes(lambda *_: 0.9, lambda *_: LAST, rounds=1, n=5)
    assert at_once(table)["faster"][0].verdict == UNDECIDED


@pytest.mark.parametrize("censored", ["ticket", "dense"])
def test_one_hidden_step_forbids_the_verdict_that_it_might_turn(censored: str) -> None:
    """All others point one way; the one that never turned may lie as far the other way as it likes."""

    def steps(_: str, round: int, replicate: int) -> float:
        fast, slow = 300 + replicate, 900 + replicate
        hides = replicate == 0
        if censored == "ticket":
            return (LAST if hides else fast) if round else (LAST if hides else slow)
        return (LAST if hides else slow) if round else (LAST if hides else fast)

    (found,) = at_once(lanes(lambda *_: 0.9, steps, rounds=1, n=9))["faster"]
    assert (found.verdict, found.hidden, found.needed) == (UNDECIDED, True, None)


def test_undecided_says_how_many_replicates_would_tell() -> None:
    wobble = noise(0.01, seed=3)
    table = lanes(lambda arm, *_: 0.9 + 0.004 * (arm == "ticket") + wobble(), lambda *_: 5, rounds=1, n=3)
    found = at_once(table)["structure"][0]
    assert found.verdict == UNDECIDED
    assert found.needed is not None
    assert found.needed > 3


def test_a_claim_without_its_lanes_is_left_out() -> None:
    table = lanes(lambda *_: 0.9, lambda *_: 5, rounds=1, n=2)
    assert "weights" not in at_once(table[table["arm"] != "random_reinit"])
    assert at_once(table[table["round"] == 0]) == {}
    assert at_once(table.head(0)) == {}


def test_claims_are_tested_in_the_rounds_nearest_to_the_densities_chosen() -> None:
    wobble = noise(0.001)
    table = lanes(lambda arm, *_: 0.9 + 0.01 * (arm == "ticket") + wobble(), lambda *_: 5, rounds=8, n=4)
    found = at_once(table, Claims(densities=(0.5, 0.2, 0.01)))["structure"]
    assert [one.round for one in found] == [3, 7]  # 51 and 21 %; 17 % is far from 1 %
    everywhere = {one.round: one.p for one in at_once(table)["structure"]}
    assert [one.p for one in found] < [everywhere[3], everywhere[7]]


def test_where_no_round_is_near_all_are_tested() -> None:
    table = lanes(lambda *_: 0.9, lambda *_: 5, rounds=2, n=3)
    assert [one.round for one in at_once(table, Claims(densities=(0.1,)))["structure"]] == [1, 2]


@pytest.mark.parametrize("replicates", [1, 2])
def test_fewer_than_three_replicates_decide_nothing(replicates: int) -> None:
    table = lanes(lambda arm, *_: 0.9 + 0.05 * (arm == "ticket"), lambda *_: 5, rounds=1, n=replicates)
    assert {one.verdict for of_claim in at_once(table).values() for one in of_claim} == {UNDECIDED}


def test_equal_differences_are_the_sign_test_s_proof_and_no_more() -> None:
    """Three equal gains: p = 0.25, doubled by the first look; 7 equal ones have 2^-6 doubled, below 5 %."""
    table = lanes(lambda arm, *_: 0.9 + 0.05 * (arm == "ticket"), lambda *_: 5, rounds=1, n=3)
    (found,) = at_once(table)["structure"]
    assert (found.p, found.verdict, found.needed) == (0.5, UNDECIDED, 8)
    assert np.isnan([found.low, found.high, found.bootstrap_low]).all()
    more = lanes(lambda arm, *_: 0.9 + 0.05 * (arm == "ticket"), lambda *_: 5, rounds=1, n=7)
    assert at_once(more)["structure"][0].verdict == SUPPORTED


def test_every_look_costs() -> None:
    """By hand: p is doubled at the first look, counts five times at the second, and the least counts."""
    wobble = noise(0.01)
    table = lanes(lambda arm, *_: 0.9 + 0.02 * (arm == "ticket") + wobble(), lambda *_: 5, rounds=1, n=8)
    gains = (of_arm(table, "ticket") - of_arm(table, "random_mask")).to_numpy()
    by_hand = [times * stats.ttest_1samp(gains[:n], 0).pvalue for times, n in ((2, 5), (5, 8))]
    taken = looks_at(table, [5, 8])
    assert verdicts(table, taken[:1])["structure"][0].p == pytest.approx(min(1, by_hand[0]))
    twice = verdicts(table, taken)["structure"][0]
    assert twice.p == pytest.approx(min(by_hand))
    assert (twice.n, twice.effect) == (8, pytest.approx(gains.mean()))


def test_rounds_that_a_look_leaves_out_count_if_one_before_saw_them() -> None:
    """By hand: one of three rounds, chosen after the first look, counts three times at the second."""
    wobble = noise(0.01)
    table = lanes(lambda arm, *_: 0.9 + 0.02 * (arm == "ticket") + wobble(), lambda *_: 5, rounds=3, n=8)
    gains = (of_arm(table, "ticket", 2) - of_arm(table, "random_mask", 2)).to_numpy()
    asked = Experiment(claims=Claims(densities=(0.64,)))
    chosen_before = with_look([], look(table, asked))
    chosen_after = with_look(looks_at(table, [3]), look(table, asked))
    p = stats.ttest_1samp(gains, 0).pvalue
    assert [one.p for one in verdicts(table, chosen_before)["structure"]] == [pytest.approx(2 * p)]
    (found,) = within([2], verdicts(table, chosen_after))["structure"]
    assert found.p == pytest.approx(5 * 3 * p)


def of_arm(table: pd.DataFrame, arm: str, round: int = 1) -> pd.Series:
    return table[(table["arm"] == arm) & (table["round"] == round)].set_index("replicate")[
        "accuracy_at_early_stop"
    ]


def test_what_a_look_decided_stays_decided() -> None:
    """The first five replicates are clear; those after them are only noise."""
    wobble = noise(0.0005)

    def accuracy(arm: str, _: int, replicate: int) -> float:
        return 0.9 + 0.004 * (arm == "ticket") * (replicate < 5) + (1 if replicate < 5 else 20) * wobble()

    table = lanes(accuracy, lambda *_: 5, rounds=1, n=12)
    assert verdicts(table, looks_at(table, [12]))["structure"][0].verdict == UNDECIDED
    (found,) = verdicts(table, looks_at(table, [5, 12]))["structure"]
    assert (found.verdict, found.n) == (SUPPORTED, 12)


def test_a_look_at_what_was_seen_before_is_none() -> None:
    table = lanes(noise(0.01), lambda *_: 5, rounds=3, n=6)
    taken = looks_at(table, [6])
    seen = [
        look(table, Experiment(claims=EVERY_ROUND)),
        look(table[table["replicate"] < 4], Experiment(claims=EVERY_ROUND)),
        look(table[table["round"] < 3], Experiment(claims=EVERY_ROUND)),
        look(table, Experiment(claims=EVERY_ROUND, arms=("ticket",))),
    ]
    assert all(with_look(taken, one) == taken for one in seen)


def test_more_replicates_of_fewer_rounds_are_looked_at() -> None:
    """Else the command that a run advises would change nothing."""
    table = lanes(noise(0.01), lambda *_: 5, rounds=3, n=6)
    torn = table[(table["replicate"] < 3) | (table["round"] < 2)]
    seen = look(torn, Experiment(claims=EVERY_ROUND, rounds=1))
    assert seen is not None
    assert (seen.replicates, seen.rounds) == (6, [1])


def test_verdicts_within_what_was_asked_for_are_of_its_rounds_and_arms() -> None:
    found = at_once(lanes(noise(0.01), lambda *_: 5, rounds=3, n=4))
    shown = asked_for(Experiment(rounds=2, arms=("ticket", "random_mask")), found)
    assert [*shown] == ["matches", "wins", "faster", "structure", "structure_speed"]
    assert {one.round for of_claim in shown.values() for one in of_claim} == {1, 2}


def test_a_new_arm_is_a_first_look_at_its_claims_alone() -> None:
    table = lanes(noise(0.01), lambda *_: 5, rounds=1, n=6)
    before = table[table["arm"] != "random_mask"]
    some = Experiment(claims=EVERY_ROUND, arms=("ticket", "random_reinit", "one_shot"))
    taken = with_look([], look(before, some))
    both = with_look(taken, look(table, Experiment(claims=EVERY_ROUND)))
    assert [*both[1].claims] == ["structure", "structure_speed"]
    assert verdicts(table, both)["structure"] == at_once(table)["structure"]
    assert verdicts(table, both)["weights"] == at_once(table)["weights"]


def test_draws_that_were_added_are_looked_at_anew() -> None:
    wobble = noise(0.01)
    table = lanes(lambda *_: 0.9 + wobble(), lambda *_: 5, rounds=1, n=5)
    taken = looks_at(table, [5])
    more = pd.concat([table, table[table["arm"] == "random_mask"].assign(draw=1)])
    arm = {name: dict(vars(of)) for name, of in Experiment().arm.items()}
    arm["random_mask"]["draws"] = 2
    twice = with_look(taken, look(more, parse({"claims": {"densities": ()}, "arm": arm})))
    assert [*twice[1].claims] == ["structure", "structure_speed"]


def test_a_run_that_is_not_complete_is_looked_at_as_far_as_it_goes() -> None:
    table = lanes(noise(0.01), lambda *_: 5, rounds=2, n=6)
    torn = table[(table["replicate"] < 4) | (table["round"] < 2)]
    seen = look(torn, Experiment(claims=EVERY_ROUND))
    assert seen is not None
    assert seen.replicates == 4


def test_nothing_is_claimed_of_tickets_that_keep_trained_weights() -> None:
    table = lanes(noise(0.01), lambda *_: 5, rounds=1, n=3)
    assert look(table, parse({"rewind": {"name": "fine_tune"}})) is None


def test_the_looks_together_leave_a_ninth_unspent() -> None:
    assert [cost(before) for before in range(7)] == [2, 5, 10, 20, 50, 100, 200]
    assert sum(1 / cost(before) for before in range(30)) == pytest.approx(8 / 9)


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
    found = at_once(table)
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
    monkeypatch.setattr(room, "bootstrap", lambda _: (0.0, 0.0))


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("n", [5, 10])
@pytest.mark.slow
def test_where_nothing_differs_at_most_one_run_in_twenty_says_so(
    n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over whole families of rounds. (`matches` holds there, within its margin; it is left out.)"""
    monkeypatch.setattr(room, "replicates_needed", lambda *_: None)
    tried = [name for name in CLAIMS if name != "matches"]
    wrong, runs = dict.fromkeys(tried, 0), 300
    for seed in range(runs):
        found = at_once(nothing(seed, rounds=4, n=n))
        for name in tried:
            wrong[name] += any(one.verdict != UNDECIDED for one in found[name])
    assert max(wrong.values()) <= 0.05 * runs, wrong


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("n", "expected"), [(5, 0.26), (10, 0.68)])
@pytest.mark.slow
def test_an_effect_of_one_deviation_is_found_as_often_as_stated(n: int, expected: float) -> None:
    runs, found = 300, 0
    for seed in range(runs):
        wobble = noise(0.01 / np.sqrt(2), seed)
        table = lanes(lambda arm, *_: 0.9 + 0.01 * (arm == "ticket") + wobble(), lambda *_: 5, 1, n)  # noqa: B023
        found += at_once(table)["structure"][0].verdict == SUPPORTED
    assert found / runs == pytest.approx(expected, abs=0.07)


def nothing(seed: int, rounds: int, n: int) -> pd.DataFrame:
    """A run in which nothing differs."""
    accuracy, steps = noise(0.01, seed), noise(100, 10**6 + seed)
    return lanes(lambda *_: 0.9 + accuracy(), lambda *_: max(1, 500 + steps()), rounds, n)


MOST_REPLICATES, MOST_LOOKS = 60, 8


def advised(gains: np.ndarray, level: float) -> int:
    """As many replicates as might tell some of it: what a run advises."""
    needed = (room.replicates_needed(gain, 0.0, level / len(gains)) for gain in gains)
    return min((n for n in needed if n), default=MOST_REPLICATES + 1)


@pytest.mark.slow
@pytest.mark.parametrize("rounds", [4, 15])
def test_rounds_chosen_by_what_was_seen_err_in_one_of_twenty_runs(rounds: int) -> None:
    """Where nothing differs, and each look is at the round that was the closest to a verdict."""
    runs, wrong = np.random.default_rng(0).normal(size=(2000, rounds, MOST_REPLICATES)), 0
    for gains in runs:
        n, before, seen = 8, 0, gains
        while n <= MOST_REPLICATES and before < MOST_LOOKS:
            p = stats.ttest_1samp(seen[:, :n], 0, axis=1).pvalue
            tests = {round: [Evidence(gain[:n])] for round, gain in enumerate(seen)}
            corrected = room._corrected(tests, {at: one[0] for at, one in tests.items()}, rounds, before)
            if min(corrected.values()) < 0.05:
                wrong += 1
                break
            seen, n, before = seen[[int(p.argmin())]], int(1.4 * n) + 1, before + 1
    assert wrong <= 0.05 * len(runs)


FOLLOWING: dict[str, Callable[[np.ndarray, np.ndarray, float], int]] = {
    "as advised": lambda gains, _, level: advised(gains, level),
    "one more": lambda gains, *_: gains.shape[1] + 1,
    "twice as many": lambda gains, *_: 2 * gains.shape[1],
    "few where it is close, else many": lambda gains, p, _: (
        int(gains.shape[1] * (4 / 3 if p.min() < 0.3 else 4)) + 1
    ),
}
"""Gains by round and replicate, their corrected p, the level of the next look -> replicates at that look."""


def errs(gains: np.ndarray, first: int, following: Callable[[np.ndarray, np.ndarray, float], int]) -> bool:
    """Whether any look on the way decides something."""
    n, before = first, 0
    while n <= MOST_REPLICATES and before < MOST_LOOKS:
        seen = gains[:, :n]
        p = cost(before) * np.array(room.holm(stats.ttest_1samp(seen, 0, axis=1).pvalue.tolist()))
        if p.min() < 0.05:
            return True
        before += 1
        n = following(seen, p, 0.05 / cost(before))
    return False


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("rounds", [1, 4])
@pytest.mark.parametrize("first", [3, 8])
@pytest.mark.parametrize("following", FOLLOWING)
def test_whatever_makes_people_look_again_it_errs_in_one_of_twenty_runs(
    following: str, first: int, rounds: int
) -> None:
    """Where nothing differs. An error at any look counts, whatever is found at later ones."""
    runs = np.random.default_rng(0).normal(size=(1500, rounds, MOST_REPLICATES))
    assert np.mean([errs(gains, first, FOLLOWING[following]) for gains in runs]) <= 0.05


@pytest.mark.usefixtures("quick")
@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_runs_that_follow_their_advice_err_in_one_of_twenty(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same by the tables, looks and verdicts of runs."""
    monkeypatch.setattr(room, "CLAIMS", {"structure": CLAIMS["structure"]})
    runs, wrong = 200, 0
    for seed in range(runs):
        table, n, taken = nothing(seed, rounds=2, n=30), 3, []
        while n <= 30 and not wrong_at(found := judge(table, n, taken)):
            n = min((one.needed for one in found if one.needed), default=31)
        wrong += n <= 30
    assert wrong <= 0.05 * runs + 2 * np.sqrt(runs * 0.05 * 0.95), "two deviations of so few runs"


def judge(table: pd.DataFrame, n: int, taken: list[Look]) -> list[Verdict]:
    """What a further look, at so many replicates, decides of `structure`."""
    taken[:] = with_look(taken, look(table[table["replicate"] < n], Experiment(claims=EVERY_ROUND)))
    return verdicts(table, taken)["structure"]


def wrong_at(found: Sequence[Verdict]) -> bool:
    return any(one.verdict != UNDECIDED for one in found)
