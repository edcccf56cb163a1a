import math

import numpy as np
import pandas as pd
import pytest

from ltr.analysis.connectivity import barriers, by_round


def line(errors: list[float], **names: object) -> pd.DataFrame:
    """The errors along a line, in an order that says nothing."""
    frame = pd.DataFrame({"alpha": np.linspace(0, 1, len(errors)), "error": errors})
    facts = {
        "kind": "orders",
        "statistics": "none",
        "replicate": 0,
        "round": 0,
        "density": 1.0,
        "rewind_step": 5,
    }
    return frame.assign(**(facts | names)).sample(frac=1, random_state=0)


def test_a_barrier_is_the_highest_error_less_the_mean_of_the_ends() -> None:
    found = barriers(pd.concat([line([0.1, 0.5, 0.3]), line([0.1, 0.2, 0.3], round=1, density=0.5)]))
    assert found["barrier"].tolist() == pytest.approx([0.3, 0.1])
    assert found["density"].tolist() == [1.0, 0.5]
    assert found["rewind_step"].tolist() == [5, 5]


def test_a_straight_valley_has_no_barrier() -> None:
    assert barriers(line([0.2, 0.1, 0.2]))["barrier"].tolist() == [0]


def test_barriers_are_averaged_over_replicates() -> None:
    lines = [line([0, 0.02, 0]), line([0, 0.04, 0], replicate=1), line([0, 0.01, 0], kind="rounds")]
    found = by_round(pd.concat(lines)).set_index("kind")
    assert found.loc["orders", "barrier"] == pytest.approx(0.03)
    assert found.loc["orders", "barrier_ci95"] == pytest.approx(12.706 * 0.01, rel=1e-3)
    assert found["n"].tolist() == [2, 1]
    assert found["stable"].tolist() == [False, True]
    assert math.isnan(found.loc["rounds", "barrier_ci95"])


def test_lines_with_other_statistics_are_other_lines() -> None:
    lines = [line([0, 0.5, 0], statistics="interpolated"), line([0, 0.01, 0], statistics="re-estimated")]
    found = by_round(pd.concat(lines)).set_index("statistics")
    assert found["barrier"].to_dict() == pytest.approx({"interpolated": 0.5, "re-estimated": 0.01})
    assert found["n"].tolist() == [1, 1]
