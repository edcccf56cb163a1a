"""Verdicts: what looks decide, and what they cost."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ltr.analysis.claims import REFUTED, SUPPORTED, UNDECIDED
from ltr.analysis.inference import FEWEST
from ltr.analysis.verdicts import (
    Verdict,
    cost,
    look,
    requested_verdicts,
    undecided,
    verdicts,
    with_look,
    within,
)
from ltr.config.parse import parse
from ltr.config.schema import Claims, Experiment
from ltr.errors import ConfigError
from tests.analysis.made_up import EVERY_ROUND, at_once, lanes, looks_at, noise, of_arm


def test_undecided_says_how_many_replicates_would_tell() -> None:
    wobble = noise(0.01, seed=3)
    table = lanes(lambda arm, *_: 0.9 + 0.004 * (arm == "ticket") + wobble(), lambda *_: 5, rounds=1, n=3)
    found = at_once(table)["structure"][0]
    assert found.verdict == UNDECIDED
    assert found.needed is not None
    assert found.needed > 3


def test_claims_are_tested_in_the_rounds_nearest_to_the_densities_chosen() -> None:
    wobble = noise(0.001)
    table = lanes(lambda arm, *_: 0.9 + 0.01 * (arm == "ticket") + wobble(), lambda *_: 5, rounds=8, n=4)
    found = at_once(table, Claims(densities=(0.5, 0.2, 0.01)))["structure"]
    assert [one.round for one in found] == [3, 7]  # 51 and 21 %; 17 % is far from 1 %
    everywhere = {one.round: one.p for one in at_once(table)["structure"]}
    assert [one.p for one in found] < [everywhere[3], everywhere[7]]


@pytest.mark.parametrize("density", [0.1, 5e-324])
def test_where_no_round_is_near_all_are_tested(density: float) -> None:
    table = lanes(lambda *_: 0.9, lambda *_: 5, rounds=2, n=3)
    assert [one.round for one in at_once(table, Claims(densities=(density,)))["structure"]] == [1, 2]


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


def test_a_look_that_can_decide_nothing_is_none() -> None:
    """By hand: after two replicates the first test costs 3 instead of 2, and the second 5 as ever."""
    wobble = noise(0.01)
    table = lanes(lambda arm, *_: 0.9 + 0.02 * (arm == "ticket") + wobble(), lambda *_: 5, rounds=1, n=8)

    def structure(*replicates: int) -> Verdict:
        return verdicts(table, looks_at(table, replicates))["structure"][0]

    assert structure(1, 5) == structure(5)
    assert structure(1, 5, 8) == structure(5, 8)
    gains = (of_arm(table, "ticket") - of_arm(table, "random_mask")).to_numpy()
    first, second = (float(stats.ttest_1samp(gains[:n], 0).pvalue) for n in (5, 8))
    assert structure(2, 5).p == structure(1, 2, 5).p == pytest.approx(min(1, 3 * first))
    assert structure(2, 5, 8).p == pytest.approx(min(1, 3 * first, 5 * second))
    assert (structure(1, 2).p, structure(1, 2).needed) == (1, structure(2).needed)


def test_rounds_seen_by_a_look_that_is_none_count() -> None:
    """By hand: of three rounds, one is chosen by one replicate, and then counts three times."""
    wobble = noise(0.01)
    table = lanes(lambda arm, *_: 0.9 + 0.02 * (arm == "ticket") + wobble(), lambda *_: 5, rounds=3, n=5)
    chosen = look(table, Experiment(claims=Claims(densities=(0.64,))))
    before, after = (
        {one.round: one.p for one in verdicts(table, with_look(looks_at(table, seen), chosen))["structure"]}
        for seen in ([], [1])
    )
    ((round_number, alone),) = before.items()
    assert alone < 1 / 3
    assert after[round_number] == pytest.approx(3 * alone)


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
    shown = requested_verdicts(Experiment(rounds=2, arms=("ticket", "random_mask")), found)
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


def test_replicates_are_added_up_to_a_number_that_can_decide() -> None:
    assert parse({"claims": {"most": FEWEST}}).claims.looks == (FEWEST,)
    with pytest.raises(ConfigError, match=f"^claims.most={FEWEST - 1}: must be .* >= {FEWEST}"):
        parse({"claims": {"most": FEWEST - 1}})


def test_undecided_claims_are_those_asked_for_that_are_open_in_some_round() -> None:
    wobble = noise(0.002)
    table = lanes(
        lambda arm, *_: 0.9 + (0.02 if arm == "random_mask" else 0) + wobble(), lambda *_: 5, rounds=2, n=5
    )
    found = at_once(table)
    assert undecided(found, ("weights", "structure")) == ["weights"]
    assert {one.verdict for one in found["structure"]} == {REFUTED}
