"""The sentences: what is decided, apart from what the means are."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ltr.analysis.registry import CLAIMS
from ltr.config.parse import parse
from ltr.config.schema import Experiment
from ltr.report.findings import headline, untested_means

Results = Callable[..., pd.DataFrame]
Judge = Callable[..., Any]


def table(*lanes: tuple[int, int, str, float, int]) -> pd.DataFrame:
    """Lanes as (round, replicate, arm, accuracy at early stop, early-stop step)."""
    columns = ["round", "replicate", "arm", "accuracy_at_early_stop", "early_stop_step"]
    frame = pd.DataFrame(lanes, columns=columns)
    return frame.assign(
        draw=0,
        density=0.5 ** frame["round"],
        final_accuracy=0.9,
        censored=False,
        early_bird_step=None,
        reached_outputs=10,
        dead_units=0,
        diverged_step=None,
        emptied_layer=None,
    )


def test_the_headline_says_what_claims_decided(results: Results, judged: Judge) -> None:
    run = results(rounds=2, replicates=8)
    found, _ = judged(run)
    assert headline(run, found, Experiment()) == (
        "At 60 % of the weights the ticket matches the dense network. At 60 and 36 % it is more accurate "
        "than with fresh weights and is more accurate than a random mask. At 36 % it is more accurate than "
        "one-shot pruning. Refuted at 60 and 36 %: that it wins over the dense network and learns faster "
        "than the dense network. Each claim is tested at 5 % on its own, by 8 replicates; 3 of 9 claims are "
        "undecided throughout."
    )


@pytest.mark.slow
def test_the_headline_says_nothing_that_is_not_decided(judged: Judge) -> None:
    """Of runs in which nothing differs, as many speak of a finding as have a verdict."""
    spoke = decided = 0
    for seed in range(15):
        run = chance(seed)
        found, _ = judged(run)
        verdicts = [one.verdict for of_claim in found.values() for one in of_claim]
        said = headline(run, found, Experiment())
        named = [name for name, claim in CLAIMS.items() if claim.short in said]
        assert named == [n for n, of in found.items() if any(one.verdict != "undecided" for one in of)]
        assert said.startswith("Nothing is decided") == (set(verdicts) == {"undecided"})
        spoke += bool(named)
        decided += set(verdicts) != {"undecided"}
    assert 0 < spoke == decided < 8


def chance(seed: int) -> pd.DataFrame:
    """A run of three rounds and five replicates in which nothing differs."""
    noise = np.random.default_rng(seed)
    return table(
        *(
            (round_number, replicate, arm, 0.9 + noise.normal(0, 0.005), int(noise.integers(100, 900)))
            for round_number in range(4)
            for replicate in range(5)
            for arm in (
                ("ticket", "random_reinit", "random_mask", "one_shot") if round_number else ("ticket",)
            )
        )
    )


def test_one_replicate_decides_nothing(results: Results, judged: Judge) -> None:
    run = results(replicates=1)
    said = headline(run, judged(run)[0], Experiment())
    assert said == "Nothing is decided: 1 replicate leaves every claim open."


@pytest.mark.parametrize(
    ("rounds", "knobs", "said"),
    [
        (0, {"rounds": 0}, "The dense network is 97.98"),
        (2, {}, "No claim is tested before the run is finished."),
        (2, {"rewind": {"name": "fine_tune"}}, "No claim is tested: with rewind=fine_tune tickets keep"),
    ],
)
def test_where_nothing_is_claimed_it_is_said_why(
    results: Results, rounds: int, knobs: dict[str, Any], said: str
) -> None:
    assert headline(results(rounds=rounds), {}, parse(knobs)).startswith(said)


def test_nothing_trained(results: Results) -> None:
    assert headline(results().iloc[:0], {}, Experiment()) == "No dense network has been trained yet."
    assert untested_means(results().iloc[:0]) == ""


def test_means_are_said_to_be_means() -> None:
    """Differences of the two replicates: to dense 1, 2 pp; to the mask 5, 5; to one-shot -1, 3."""
    run = table(
        (0, 0, "ticket", 0.90, 200), (0, 1, "ticket", 0.91, 200),
        (1, 0, "ticket", 0.91, 100), (1, 1, "ticket", 0.93, 100),
        (1, 0, "random_mask", 0.86, 300), (1, 1, "random_mask", 0.88, 300),
        (1, 0, "one_shot", 0.92, 300), (1, 1, "one_shot", 0.90, 300),
    )  # fmt: skip
    assert untested_means(run) == (
        "Means, without a test: at 50 % of the weights the ticket is 92.00 ± 12.71 % accurate, "
        "the dense network 90.50 ± 6.35 %; the ticket gains 1.50 ± 6.35 pp. "
        "Against the ticket, a random mask loses 5.00 pp, one-shot pruning loses 1.00 ± 25.41 pp. "
        "(mean ± 95 % CI, 2 replicates, not corrected; differences are paired.)"
    )


@pytest.mark.parametrize("arms", [["ticket"], ["ticket", "zebra"], ["ticket", "one_shot", "random_mask"]])
def test_every_arm_is_spoken_of(results: Results, arms: list[str]) -> None:
    text = untested_means(results(arms=arms))
    assert ("Against the ticket" in text) == (len(arms) > 1)
    assert ("zebra" in text) == ("zebra" in arms)


def test_an_arm_of_another_density_says_which() -> None:
    lanes = table((0, 0, "ticket", 0.9, 200), (1, 0, "ticket", 0.9, 100), (1, 0, "supermask", 0.8, 100))
    lanes.loc[lanes["arm"] == "supermask", "density"] = 0.41
    assert "Against the ticket, supermask (at 41 %) loses 10.00 pp." in untested_means(lanes)
