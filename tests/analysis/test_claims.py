"""Claims: what speaks for and against them."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from ltr.analysis import claims
from ltr.analysis.checks import check
from ltr.analysis.claims import REFUTED, SUPPORTED, UNDECIDED
from ltr.analysis.registry import CLAIMS
from ltr.analysis.verdicts import sparsest
from ltr.config.parse import parse
from ltr.errors import ConfigError
from tests.analysis.made_up import LAST, at_once, lanes, lost, noise


def test_every_claim_is_supported_where_it_holds() -> None:
    wobble = noise(0.0005)
    table = lanes(
        lambda arm, round_number, _: 0.9 + (0.01 if arm == "ticket" and round_number else 0) + wobble(),
        lambda arm, round_number, _: (400 if arm == "ticket" and round_number else 600) + 1000 * wobble(),
        rounds=3,
        n=5,
    )
    found = at_once(table)
    assert list(found) == list(CLAIMS)
    for name, of_claim in found.items():
        rounds = [2, 3] if name.startswith("iterating") else [1, 2, 3]
        assert [(one.round, one.verdict) for one in of_claim] == [
            (round_number, SUPPORTED) for round_number in rounds
        ]
        for one in of_claim:
            assert one.low < one.effect < one.high
            assert one.bootstrap_low < one.effect < one.bootstrap_high
            assert one.p < 0.05
            assert (one.n, one.needed, one.hidden) == (5, None, False)
    assert sparsest(found["matches"]) == found["matches"][-1]


def test_every_claim_is_refuted_where_the_opposite_holds() -> None:
    wobble = noise(0.0005)
    table = lanes(
        lambda arm, round_number, _: 0.9 - (0.01 if arm == "ticket" and round_number else 0) + wobble(),
        lambda arm, round_number, _: (900 if arm == "ticket" and round_number else 600) + 1000 * wobble(),
        rounds=2,
        n=5,
    )
    found = at_once(table)
    assert {one.verdict for of_claim in found.values() for one in of_claim} == {REFUTED}
    assert sparsest(found["matches"]) is None


def test_effects_are_means_of_paired_differences() -> None:
    table = lanes(
        lambda arm, round_number, replicate: (
            0.5 + 0.1 * replicate + (0.02 if arm == "ticket" and round_number else 0)
        ),
        lambda arm, round_number, replicate: 100 * 2**replicate / (4 if round_number else 1),
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
        return lanes(
            lambda _, round_number, __: 0.9 - lost * (round_number > 0) + wobble(),
            lambda *_: 5,
            rounds=1,
            n=4,
        )

    assert at_once(table(0.0015))["matches"][0].verdict == SUPPORTED
    assert at_once(table(0.0025))["matches"][0].verdict == REFUTED


@pytest.mark.parametrize(
    ("of_ticket", "of_dense", "expected"),
    [(400, 600, SUPPORTED), (600, 400, REFUTED), (600, LAST, SUPPORTED), (LAST, 600, REFUTED)],
)
def test_faster_knows_what_censoring_leaves_sure(of_ticket: int, of_dense: int, expected: str) -> None:
    wobble = noise(5)

    def steps(_: str, round_number: int, __: int) -> float:
        return (of_ticket if round_number else of_dense) + abs(wobble())

    found = at_once(
        lanes(lambda _, round_number, __: 0.9 + (0.02 + wobble() / 1e4) * round_number, steps, rounds=1, n=5)
    )
    assert found["faster"][0].verdict == expected
    assert found["wins"][0].verdict == expected


def test_two_lanes_that_never_turned_say_nothing_of_each_other() -> None:
    table = lanes(lambda *_: 0.9, lambda *_: LAST, rounds=1, n=5)
    assert at_once(table)["faster"][0].verdict == UNDECIDED


@pytest.mark.parametrize("censored", ["ticket", "dense"])
def test_one_hidden_step_forbids_the_verdict_that_it_might_turn(censored: str) -> None:
    """All others point one way; the one that never turned may lie as far the other way as it likes."""

    def steps(_: str, round_number: int, replicate: int) -> float:
        fast, slow = 300 + replicate, 900 + replicate
        hides = replicate == 0
        if censored == "ticket":
            return (LAST if hides else fast) if round_number else (LAST if hides else slow)
        return (LAST if hides else slow) if round_number else (LAST if hides else fast)

    (found,) = at_once(lanes(lambda *_: 0.9, steps, rounds=1, n=9))["faster"]
    assert (found.verdict, found.hidden, found.needed) == (UNDECIDED, True, None)


def test_a_claim_without_its_lanes_is_left_out() -> None:
    table = lanes(lambda *_: 0.9, lambda *_: 5, rounds=1, n=2)
    assert "weights" not in at_once(table[table["arm"] != "random_reinit"])
    assert at_once(table[table["round"] == 0]) == {}
    assert at_once(table.head(0)) == {}


def test_evidence_is_of_the_replicates_with_both_lanes_and_counts_the_others() -> None:
    """Replicate 0 has lost its ticket; two tickets and a random mask join no input to an output."""
    results = lanes(lambda arm, *_: 0.9 + (arm == "ticket") / 64, lambda arm, *_: 10 * len(arm), 1, 5)
    cut_off = {("ticket", 3), ("random_mask", 2), ("ticket", 0)}
    pairs = zip(results["arm"], results["replicate"], strict=True)
    is_cut_off = np.array([pair in cut_off for pair in pairs]) & (results["round"] == 1)
    results.loc[is_cut_off, "reached_outputs"] = 0
    table = claims.by_replicate(lost(results, (1, 0, "ticket")))
    gain, speed = claims.wins(table, 1, "ticket")
    (gain_over_arm,) = claims.better_than(table, 1, "random_mask")
    (speed_over_arm,) = claims.faster_than(table, 1, "random_mask")
    for evidence, expected in (
        (gain, (4, 0.0, 1, 1)),
        (speed, (4, 0.0, 1, 1)),
        (gain_over_arm, (4, 1 / 64, 1, 2)),
        (speed_over_arm, (4, np.log2(11 / 6), 1, 2)),
    ):
        found = (len(evidence.values), evidence.effect, evidence.lost, evidence.disconnected)
        assert found == pytest.approx(expected)
        assert evidence.values.dtype == np.float64


def test_a_lane_that_stops_at_step_0_counts_as_one_that_stops_at_step_1() -> None:
    table = claims.by_replicate(
        lanes(lambda *_: 0.9, lambda _, n, p: (8, 2, 0)[p] if n else (0, 8, 0)[p], 1, 3)
    )
    (speed,) = claims.faster(table, 1, "ticket")
    assert speed.values.tolist() == [-3, 2, 0]


def test_measures_of_a_replicate_are_means_over_its_draws() -> None:
    draw = lanes(lambda *_: 0.75, lambda *_: 100, rounds=1, n=2)
    other = draw.assign(
        draw=1, accuracy_at_early_stop=0.25, early_stop_step=200, censored=True, reached_outputs=0
    )
    table = claims.by_replicate(pd.concat([draw, other[other["arm"] == "random_mask"]]))
    measures = (claims.ACCURACY, claims.STEP, claims.CENSORED, claims.CUT_OFF)
    cells = [("ticket", 0), ("ticket", 1), ("random_reinit", 1), ("random_mask", 1), ("one_shot", 1)]
    assert list(table) == [(measure, *cell) for measure in measures for cell in cells]
    assert [table[(measure, "random_mask", 1)].tolist() for measure in measures] == [
        [0.5] * 2,
        [150] * 2,
        [0.5] * 2,
        [0.5] * 2,
    ]


def test_arms_that_were_not_trained_are_no_evidence() -> None:
    table = claims.by_replicate(lanes(lambda *_: 0.9, lambda *_: 100, rounds=1, n=3))
    for (evidence,) in (claims.better_than(table, 1, "rigl"), claims.faster_than(table, 1, "rigl")):
        assert (evidence.values.tolist(), evidence.lost, evidence.disconnected) == ([], 0, 0)
        assert evidence.values.dtype == np.float64


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"arms": ["ticket"]}, "claims.decide=weights needs random_reinit among arms"),
        ({"ticket": "last"}, "replicates=auto or claims.most=30: needs ticket=null"),
        (
            {"rewind": {"name": "fine_tune"}},
            "replicates=auto or claims.most=30: needs rewind=weights, not fine_tune",
        ),
    ],
)
def test_claims_that_cannot_be_decided_are_refused(knobs: dict[str, Any], message: str) -> None:
    check(parse(knobs))
    with pytest.raises(ConfigError, match=message):
        check(parse({"replicates": "auto", **knobs}))
