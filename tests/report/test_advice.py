"""What to do next."""

import re
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from ltr.analysis.verdicts import look, verdicts, with_look
from ltr.config.parse import parse
from ltr.config.schema import Claims, Experiment
from ltr.report.advice import AFFORDABLE, advice, caveats

Results = Callable[..., pd.DataFrame]
Judge = Callable[..., Any]


def test_the_last_line_is_a_command_that_decides_more_with_its_time(results: Results, judged: Judge) -> None:
    found, looks = judged(results(rounds=2, replicates=5))
    *prose, last = advice(
        found, looks, ["prune_rate=0.4", "replicates=auto", "claims.most=30"], seconds=6
    ).splitlines()
    match = re.fullmatch(r"ltr run prune_rate=0.4 replicates=(\d+)  # about (\d+):(\d\d)", last)
    assert match
    replicates, minutes, seconds = map(int, match.groups())
    assert 60 * minutes + seconds == (replicates - 5) * 6
    needed = [one.needed for of in found.values() for one in of if one.needed and one.needed <= AFFORDABLE]
    assert replicates == max(needed)
    assert f"{replicates} replicates would probably decide {len(needed)} of them." in " ".join(prose)
    assert "p-values are then multiplied by 5, not by 2" in " ".join(prose)
    assert max(map(len, prose)) <= 80


def test_the_first_look_that_can_decide_has_no_price(results: Results, judged: Judge) -> None:
    found, looks = judged(results(rounds=2, replicates=2))
    said = " ".join(advice(found, looks, [], 1.0).split())
    assert "would probably decide" in said
    assert "price" not in said


def test_what_is_advised_allows_for_the_look_that_it_is_for(results: Results) -> None:
    """At a later look p counts more, so more replicates are needed."""
    run, asked = results(rounds=3, replicates=5), Experiment(claims=Claims(densities=()))
    once = with_look([], look(run, asked))
    twice = with_look(with_look([], look(run[run["replicate"] < 4], asked)), look(run, asked))
    first, second = (verdicts(run, looks)["matches"][2].needed for looks in (once, twice))
    assert first is not None
    assert second is not None
    assert second > first


def test_the_price_is_that_of_the_looks_at_claims_that_are_open(results: Results, judged: Judge) -> None:
    """An arm that came later: its claim was looked at once, though the run was twice."""
    found, (taken, *_) = judged(results(rounds=1, replicates=3))
    both = [taken._replace(claims=["matches"]), taken._replace(claims=["structure"])]
    near = [one._replace(verdict="undecided", needed=9) for one in found["structure"]]
    assert "p-values are then multiplied by 5, not by 2" in " ".join(
        advice({"structure": near}, both, [], 1.0).split()
    )


def test_nothing_is_advised_where_all_is_decided_or_nothing_claimed(results: Results, judged: Judge) -> None:
    found, looks = judged(results(rounds=2, replicates=8))
    decided = {name: of for name, of in found.items() if all(one.verdict != "undecided" for one in of)}
    assert decided
    assert advice(decided, looks, [], 1.0) == advice({}, [], [], 1.0) == ""


def test_nobody_is_sent_for_replicates_that_cannot_help(results: Results, judged: Judge) -> None:
    found, looks = judged(results(rounds=2, replicates=8, censored_from=0))
    said = advice({"faster": found["faster"]}, looks, [], 1.0)
    assert "Even 100 replicates would probably not decide them." in said
    assert "ltr run" not in said
    found, looks = judged(results(replicates=1))
    assert "One replicate says nothing about chance" in " ".join(advice(found, looks, [], 1.0).split())


def test_a_transfer_needs_as_many_tickets_first(results: Results, judged: Judge) -> None:
    found, looks = judged(results(rounds=2, replicates=5))
    said = advice(found, looks, ["ticket=mnist-lenet-3f2a91bc07"], 1.0)
    assert "tickets come from (ticket=mnist-lenet-3f2a91bc07) needs as many replicates first" in " ".join(
        said.split()
    )


@pytest.mark.parametrize(
    ("knobs", "knob"),
    [
        ({"steps": 100, "eval_every": 25}, "raise steps=100."),
        ({"steps": 100, "eval_every": 200}, "lower eval_every=200."),
        ({"steps": "2ep", "eval_every": 25}, "raise steps=2ep."),
    ],
)
def test_trainings_that_are_all_too_short_are_said_to_be(
    results: Results, knobs: dict[str, Any], knob: str
) -> None:
    (said,) = caveats(results(censored_from=0), parse(knobs))
    assert said.endswith(knob)
    assert [*caveats(results(censored_from=1), parse(knobs))] == []
