"""Claims as JSON and as text."""

import json
from collections.abc import Callable

import pandas as pd

from ltr.analysis.claims import CLAIMS, EVERY_ROUND, Verdict, verdicts
from ltr.config import Claims
from ltr.report.claims import claims, claims_text

Results = Callable[..., pd.DataFrame]


def test_keys_do_not_drift(results: Results) -> None:
    found = claims(verdicts(results(rounds=2)))
    assert [one["claim"] for one in found] == list(CLAIMS)
    assert list(found[0]) == ["claim", "says", "rounds"]
    assert [list(one) for one in found[0]["rounds"]] == [list(Verdict._fields)] * 2
    assert [one["round"] for one in found[0]["rounds"]] == [1, 2]


def test_numbers_survive_json_and_missing_intervals_are_null(results: Results) -> None:
    found = json.loads(json.dumps(claims(verdicts(results(rounds=1, replicates=1))), allow_nan=False))
    (only,) = found[0]["rounds"]
    assert only["low"] is only["bootstrap_high"] is only["needed"] is None
    assert only["verdict"] == "undecided"


def test_text_says_at_which_densities_in_80_columns(results: Results) -> None:
    lines = claims_text(verdicts(results(rounds=4)), EVERY_ROUND).splitlines()
    assert max(map(len, lines)) <= 80
    at = lines.index(CLAIMS["structure"].says)
    assert lines[at + 1] == "  supported at 60 to 13 %"
    assert (
        "undecided throughout (4 replicates might tell some of it)"
        in lines[lines.index(CLAIMS["matches"].says) + 1]
    )


def test_text_asks_for_replicates(results: Results) -> None:
    assert "one replicate says nothing of chance" in claims_text(
        verdicts(results(rounds=1, replicates=1)), EVERY_ROUND
    )
    assert "replicates might tell" in claims_text(verdicts(results(rounds=1, replicates=2)), EVERY_ROUND)


def test_nothing_pruned_claims_nothing(results: Results) -> None:
    assert claims_text(verdicts(results(rounds=0)), EVERY_ROUND) == ""
    assert claims(verdicts(results(rounds=0))) == []


def test_rounds_that_were_chosen_are_named_one_by_one(results: Results) -> None:
    chosen = Claims(densities=(0.6, 0.13), most=30)
    text = claims_text(verdicts(results(rounds=4), chosen), chosen)
    assert "t-tests at 5 % at 60, 13 %, corrected over rounds and 5 looks): the ticket" in " ".join(
        text.split()
    )
    assert "  supported at 60, 13 %" in text.splitlines()
