"""Which lanes are crossed, and what a mask gains on its own initial weights."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ltr.analysis.variance import FACTORS, OWN, cells, crossed_arms, own_gain, variances
from ltr.config.schema import Arm, Experiment

ARMS = {
    "ticket": Arm(),
    "crossed_0": Arm(mask_replicate=0, order="draw", draws=3),
    "crossed_1": Arm(mask_replicate=1, order="draw", draws=3),
    "orders": Arm(order="draw", draws=3),
    "given": Arm(mask_replicate=0),
    "fresh": Arm(mask_replicate=0, order="draw", weights="reinit"),
}


def asked(*arms: str) -> Experiment:
    return Experiment(arms=("ticket", *arms), arm=ARMS, replicates=3)


def results(accuracy: Callable[[int, int, int], float], *arms: str, rounds: int = 2) -> pd.DataFrame:
    """Results of 3 replicates and 2 draws; in the last round `accuracy` of (replicate, draw, mask)."""
    rows: list[dict[str, Any]] = [
        {
            "round": number,
            "replicate": replicate,
            "arm": arm,
            "draw": draw,
            "density": 0.5**number,
            "accuracy_at_early_stop": accuracy(replicate, draw, int(arm[-1])) if number == rounds else 0.5,
            "early_stop_step": 100,
        }
        for number, replicate, arm, draw in itertools.product(range(1, rounds + 1), range(3), arms, range(2))
    ]
    return pd.DataFrame(rows)


CROSSED = ("crossed_0", "crossed_1")


def additive(replicate: int, draw: int, mask: int) -> float:
    """Unequal effects, and 0.1 more where the mask was found with these weights."""
    return 0.5 + 0.01 * replicate**2 + 0.02 * draw + 0.03 * mask + 0.1 * (replicate == mask)


def test_arms_that_differ_in_their_mask_alone_are_crossed() -> None:
    assert crossed_arms(asked(*[*ARMS][1:])) == {"crossed_0": 0, "crossed_1": 1}


def test_cells_are_the_lanes_of_the_last_round_that_have_a_result() -> None:
    table = results(additive, *CROSSED)
    table.loc[table.index[-1], ["accuracy_at_early_stop", "early_stop_step"]] = float("nan")
    found = cells(pd.concat([table, table.assign(arm="ticket", round=3)]), asked(*CROSSED))
    assert set(found["round"]) == {2}
    whole = set(itertools.product(range(3), range(2), range(2)))
    assert set(found[list(FACTORS)].itertuples(index=False, name=None)) == whole - {(2, 1, 1)}
    assert found[OWN].tolist() == (found["weights"] == found["mask"]).tolist()
    for row in found.itertuples():
        assert row.accuracy == additive(row.weights, row.order, row.mask)


def test_what_a_mask_gains_on_its_own_weights_by_hand() -> None:
    """Not the difference of means, since replicates 0 and 1 are less accurate than 2."""
    gain = own_gain(cells(results(additive, *CROSSED), asked(*CROSSED)), "accuracy")
    assert gain is not None
    assert gain == (pytest.approx(0.1), pytest.approx(0, abs=1e-9), 6)


def test_the_interval_of_that_gain_by_hand() -> None:
    """The differences between the masks, of each of the 3 weights, are d + g, d - g and d but for errors of
    0.01, 0.02 and 0.06. Least squares leaves c, c and -2 c of these, with c = (0.01 + 0.02 - 0.12) / 6. That
    is one degree of freedom: twice the variance of a cell is 6 c^2, and the variance of g half of that.
    """
    errors = {(0, 0): 0.01, (1, 0): 0.02, (2, 0): 0.06}
    table = results(lambda *cell: additive(*cell) + errors.get((cell[0], cell[2]), 0), *CROSSED)
    gain = own_gain(cells(table, asked(*CROSSED)), "accuracy")
    assert gain is not None
    assert gain.mean == pytest.approx(0.1 + (0.01 - 0.02) / 2)
    assert gain.half_width == pytest.approx(12.7062 * np.sqrt(3) * 0.015, rel=1e-4)


def test_the_design_is_told() -> None:
    generator = np.random.default_rng(0)
    table = results(lambda *cell: additive(*cell) + generator.normal(0, 0.05), *CROSSED)
    accuracy, step = variances(table, asked(*CROSSED))
    assert accuracy.levels == {"weights": 3, "order": 2, "mask": 2}
    assert (accuracy.cells, accuracy.lost, accuracy.round, accuracy.density) == (12, 0, 2, 0.25)
    assert accuracy.own_gain == own_gain(cells(table, asked(*CROSSED)), "accuracy")
    assert (step.shares, step.deviation, step.mean) == ((), 0.0, 100)


def test_cells_without_a_result_are_left_out_and_counted() -> None:
    generator = np.random.default_rng(0)
    table = results(lambda *cell: additive(*cell) + generator.normal(0, 0.05), *CROSSED)
    lost = (table["replicate"] == 2) & (table["arm"] == "crossed_1") & (table["draw"] == 1)
    table.loc[lost, "accuracy_at_early_stop"] = float("nan")
    accuracy, _ = variances(table, asked(*CROSSED))
    assert (accuracy.cells, accuracy.lost) == (11, 1)
    assert sum(share.share for share in accuracy.shares) == pytest.approx(1, abs=1e-3)
    assert all(share.low <= share.share <= share.high for share in accuracy.shares)


def test_one_mask_alone_does_not_tell_what_it_gains() -> None:
    accuracy, _ = variances(results(additive, "crossed_1"), asked("crossed_1"))
    assert accuracy.own_gain is None
    assert [" ".join(share.factors) for share in accuracy.shares] == ["weights", "order", ""]


def test_other_runs_have_no_cells() -> None:
    assert variances(results(additive, *CROSSED), asked("orders", "given")) == []
    assert variances(results(additive, *CROSSED).head(0), asked(*CROSSED)) == []
