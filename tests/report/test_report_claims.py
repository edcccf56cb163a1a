"""Claims as JSON and as text."""

import json
from collections.abc import Callable
from typing import Any

import pandas as pd

from ltr.analysis.registry import CLAIMS
from ltr.analysis.verdicts import Verdict
from ltr.report.claims import claims, claims_text

Results = Callable[..., pd.DataFrame]
Judge = Callable[..., Any]


def test_keys_do_not_drift(results: Results, judged: Judge) -> None:
    found = claims(judged(results(rounds=2))[0])
    assert [one["claim"] for one in found] == list(CLAIMS)
    assert list(found[0]) == ["claim", "says", "rounds"]
    assert [list(one) for one in found[0]["rounds"]] == [list(Verdict._fields)] * 2
    assert [one["round"] for one in found[0]["rounds"]] == [1, 2]


def test_numbers_survive_json_and_missing_intervals_are_null(results: Results, judged: Judge) -> None:
    found = json.loads(json.dumps(claims(judged(results(rounds=1, replicates=1))[0]), allow_nan=False))
    (only,) = found[0]["rounds"]
    assert only["low"] is only["bootstrap_high"] is only["needed"] is None
    assert only["verdict"] == "undecided"


def test_text_says_at_which_densities_in_80_columns(results: Results, judged: Judge) -> None:
    lines = claims_text(*judged(results(rounds=4, replicates=5))).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[lines.index(CLAIMS["structure"].says) + 1] == "  supported at 60 to 13 %"
    at = lines.index(CLAIMS["matches"].says)
    assert lines[at + 1].startswith("  supported at 60 %; refuted at 13 %; undecided elsewhere (")
    assert "replicates might" in (lines[at + 1])


def test_text_asks_for_replicates(results: Results, judged: Judge) -> None:
    for few in (1, 2):
        said = claims_text(*judged(results(rounds=1, replicates=few)))
        assert "fewer than 3 replicates decide nothing" in " ".join(said.split())
    assert "replicates might decide" in claims_text(*judged(results(rounds=1)))


def test_text_asks_for_steps_where_replicates_cannot_help(results: Results, judged: Judge) -> None:
    said = claims_text(*judged(results(rounds=2, replicates=5, censored_from=0))).splitlines()
    speed = said[said.index(CLAIMS["faster"].says) + 1]
    assert speed == "  undecided throughout (the validation loss was still falling at the last step:"


def test_nothing_pruned_claims_nothing(results: Results, judged: Judge) -> None:
    found, looks = judged(results(rounds=0))
    assert claims_text(found, looks) == ""
    assert claims(found) == []


def test_two_replicates_are_said_to_be_too_few_for_a_test(results: Results, judged: Judge) -> None:
    text = " ".join(claims_text(*judged(results(rounds=4, replicates=2))).split())
    assert "(2 replicates, paired; t-tests at 5 % from 3 replicates on)" in text


def test_rounds_that_were_chosen_are_named_one_by_one(results: Results, judged: Judge) -> None:
    text = claims_text(*judged(results(rounds=4, replicates=8), 5, densities=(0.6, 0.13)))
    assert "corrected over densities and 2 looks, after 5 and 8 replicates" in " ".join(text.split())
    assert "  supported at 60, 13 %" in text.splitlines()
