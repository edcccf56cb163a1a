"""How often verdicts err where nothing differs, whatever makes people look again."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ltr.analysis import verdicts as room
from ltr.analysis.claims import SUPPORTED, UNDECIDED, Evidence
from ltr.analysis.inference import FEWEST
from ltr.analysis.registry import CLAIMS
from ltr.analysis.verdicts import Verdict, look, price, verdicts, with_look
from ltr.config.schema import Experiment
from ltr.store.looks import Look
from tests.analysis.made_up import EVERY_ROUND, at_once, lanes, noise, nothing


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


MOST_REPLICATES, MOST_LOOKS = 60, 8


def advised(gains: np.ndarray, level: float) -> int:
    """As many replicates as might tell some of it: what a run advises. One replicate advises the default."""
    if gains.shape[1] == 1:
        return Experiment().replicates
    needed = (room.replicates_needed(gain, 0.0, level / len(gains)) for gain in gains)
    return min((n for n in needed if n), default=MOST_REPLICATES + 1)


@pytest.mark.slow
@pytest.mark.parametrize("first", [2, 8])
@pytest.mark.parametrize("rounds", [4, 15])
def test_rounds_chosen_by_what_was_seen_err_in_one_of_twenty_runs(rounds: int, first: int) -> None:
    """Where nothing differs, and each look is at the round that was the closest to a verdict."""
    runs, wrong = np.random.default_rng(0).normal(size=(2000, rounds, MOST_REPLICATES)), 0
    for gains in runs:
        n, taken, seen = first, list[Look](), gains
        while n <= MOST_REPLICATES and len(taken) < MOST_LOOKS:
            p = stats.ttest_1samp(seen[:, :n], 0, axis=1).pvalue
            tests = {round_number: [Evidence(gain[:n])] for round_number, gain in enumerate(seen)}
            corrected = room._corrected(
                tests, {at: one[0] for at, one in tests.items()}, rounds, price(taken)
            )
            if min(corrected.values()) < 0.05:
                wrong += 1
                break
            taken.append(Look(n, {}, [], []))
            seen, n = seen[[int(p.argmin())]], int(1.4 * n) + 1
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
    """Whether any look on the way decides something; those at one or two replicates cannot."""
    n, taken = first, list[Look]()
    while n <= MOST_REPLICATES and len(taken) < MOST_LOOKS:
        seen = gains[:, :n]
        p = price(taken) * np.array(room.holm(p_values(seen)))
        if n >= FEWEST and p.min() < 0.05:
            return True
        taken.append(Look(n, {}, [], []))
        n = following(seen, p / price(taken[:-1]) if n < FEWEST else p, 0.05 / price(taken))
    return False


def p_values(gains: np.ndarray) -> list[float]:
    """P-values by round; 1 for one replicate."""
    return list(stats.ttest_1samp(gains, 0, axis=1).pvalue) if gains.shape[1] > 1 else [1.0] * len(gains)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("rounds", [1, 4])
@pytest.mark.parametrize("first", [1, 2, 3, 8])
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
@pytest.mark.parametrize("first", [2, 3])
def test_runs_that_follow_their_advice_err_in_one_of_twenty(
    first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same by the tables, looks and verdicts of runs."""
    monkeypatch.setattr(room, "CLAIMS", {"structure": CLAIMS["structure"]})
    runs, wrong = 200, 0
    for seed in range(runs):
        table, n, taken = nothing(seed, rounds=2, n=30), first, []
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
