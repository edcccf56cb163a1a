from collections.abc import Callable

import pandas as pd
import pytest

from ltr.report.finding import finding

Results = Callable[..., pd.DataFrame]


def table(*lanes: tuple[int, int, str, float, int]) -> pd.DataFrame:
    """Lanes as (round, replicate, arm, accuracy at early stop, early-stop step)."""
    columns = ["round", "replicate", "arm", "accuracy_at_early_stop", "early_stop_step"]
    frame = pd.DataFrame(lanes, columns=columns)
    return frame.assign(
        draw=0, density=0.5 ** frame["round"], final_accuracy=0.9, censored=False, early_bird_step=None
    )


def test_a_winning_ticket_and_its_controls() -> None:
    """Differences of the two replicates: to dense 1.0, 1.0 pp; to the mask 5, 5; to one-shot -1, 3."""
    run = table(
        (0, 0, "ticket", 0.90, 200), (0, 1, "ticket", 0.91, 200),
        (1, 0, "ticket", 0.91, 100), (1, 1, "ticket", 0.92, 100),
        (1, 0, "random_mask", 0.86, 300), (1, 1, "random_mask", 0.87, 300),
        (1, 0, "one_shot", 0.92, 300), (1, 1, "one_shot", 0.89, 300),
    )  # fmt: skip
    assert finding(run) == (
        "By the means, a winning ticket: the sparsest keeps 50 % of the weights, gains 1.00 ± 0.00 pp on the "
        "dense network, and stops no later. "
        "At 50 % of the weights the ticket is 91.50 ± 6.35 % accurate, the dense network 90.50 ± 6.35 %: it "
        "gains 1.00 ± 0.00 pp. "
        "Against the ticket, a random mask loses 5.00 ± 0.00 pp, one-shot pruning loses 1.00 ± 25.41 pp "
        "(may be chance). "
        "Mean ± 95 % CI, 2 replicates; differences are paired."
    )


def test_one_replicate_claims_no_interval_and_no_doubt() -> None:
    run = table((0, 0, "ticket", 0.90, 200), (1, 0, "ticket", 0.899, 100), (2, 0, "ticket", 0.8, 100))
    assert finding(run) == (
        "By the means, no winning ticket: none is as accurate as the dense network and stops no later; the "
        "sparsest within 0.2 pp of it keeps 50 % of the weights. "
        "At 25 % of the weights the ticket is 80.00 % accurate, the dense network 90.00 %: it loses 10.00 "
        "pp. "
        "1 replicate, no interval; differences are paired."
    )


def test_no_ticket_near_the_dense_network() -> None:
    text = finding(table((0, 0, "ticket", 0.90, 200), (1, 0, "ticket", 0.8, 100)))
    assert text.startswith(
        "By the means, no winning ticket: none is as accurate as the dense network and stops no later, nor"
    )


def test_nothing_pruned(results: Results) -> None:
    text = finding(results(rounds=0))
    assert text.startswith("The dense network is 97.98")
    assert text.endswith("nothing is pruned yet (mean ± 95 % CI, 3 replicates).")


def test_nothing_trained(results: Results) -> None:
    assert finding(results().iloc[:0]) == "No dense network has been trained yet."


@pytest.mark.parametrize("arms", [["ticket"], ["ticket", "zebra"], ["ticket", "one_shot", "random_mask"]])
def test_every_arm_is_spoken_of(results: Results, arms: list[str]) -> None:
    text = finding(results(arms=arms))
    assert ("Against the ticket" in text) == (len(arms) > 1)
    assert ("zebra" in text) == ("zebra" in arms)
    assert text.count(". ") <= 3


def test_an_arm_of_another_density_says_which() -> None:
    lanes = table((0, 0, "ticket", 0.9, 200), (1, 0, "ticket", 0.9, 100), (1, 0, "supermask", 0.8, 100))
    lanes.loc[lanes["arm"] == "supermask", "density"] = 0.41
    assert "Against the ticket, supermask (at 41 %) loses 10.00 pp." in finding(lanes)
