"""The figure and the sentence of `ltr connect`."""

from pathlib import Path

import pandas as pd
import pytest

from ltr.report.connectivity import draw, sentence


@pytest.mark.parametrize(("barrier", "is_seen"), [(0.03, True), (0.001, False)])
def test_the_threshold_is_named_where_it_is_seen(tmp_path: Path, barrier: float, is_seen: bool) -> None:
    summary = pd.DataFrame(
        {
            "kind": ["orders", "orders", "rounds"],
            "statistics": "none",
            "density": [1.0, 0.8, 1.0],
            "n": 3,
            "barrier": barrier,
            "barrier_ci95": barrier / 10,
        }
    )
    svg = draw(summary, "LeNet-300-100 on digits", tmp_path)[1].read_text()
    for said in ("LeNet-300-100 on digits", "data orders", "next round", "error barrier (pp)"):
        assert f">{said}</text>" in svg
    assert (">stable below</text>" in svg) == is_seen
    assert ">0.0" in svg, "the axis begins at 0"


@pytest.mark.parametrize(
    ("stable", "said"),
    [
        ([True, True], "every ticket is stable to the order of the data, judged by the means."),
        ([False, False], "no ticket is stable to the order of the data, judged by the means."),
        (
            [True, False],
            "the tickets of 50 % of the weights are not stable to the order of the data, "
            "judged by the means.",
        ),
    ],
)
def test_the_sentence_names_the_tickets_that_are_not_stable(stable: list[bool], said: str) -> None:
    summary = pd.DataFrame({"kind": "orders", "density": [1.0, 0.5], "rewind_step": 7, "stable": stable})
    assert sentence(summary) == f"Trained from step 7, {said}"
