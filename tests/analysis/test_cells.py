"""Cells of a table, beside those of pandas."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltr.analysis.cells import Cells
from ltr.analysis.statistics import ci95

COLUMNS = ["round", "arm"]

rows = st.tuples(
    st.integers(0, 2),
    st.sampled_from(["ticket", "random_reinit", "one_shot"]),
    st.none() | st.integers(0, 4),
    st.none() | st.booleans(),
)


def table(of: list[tuple[Any, ...]]) -> pd.DataFrame:
    """A table of the types of a run's results, in which values may be missing."""
    found = pd.DataFrame(of, columns=[*COLUMNS, "value", "is_counted"])
    types = {"round": "Int32", "arm": "str", "value": "Int32", "is_counted": "boolean"}
    return found.astype(types)


@given(st.lists(rows, max_size=30).map(table))
def test_cells_are_those_of_pandas(found: pd.DataFrame) -> None:
    cells = Cells(found, COLUMNS)
    grouped = found.astype({"value": np.float64}).groupby(COLUMNS)
    expected = grouped["value"].agg(["mean", ci95]).reset_index()
    assert [[*cells.keys[name]] for name in COLUMNS] == [[*expected[name]] for name in COLUMNS]
    assert cells.means(found["value"]) == pytest.approx(expected["mean"].to_numpy(), nan_ok=True)
    assert cells.half_widths(found["value"]) == pytest.approx(expected["ci95"].to_numpy(), nan_ok=True)
    assert cells.counts(found["is_counted"]).tolist() == [*grouped["is_counted"].sum()]


def test_rows_are_ordered_by_their_cells_and_missing_values_left_out() -> None:
    found = table([(1, "ticket", 3, True), (0, "ticket", None, None), (1, "ticket", 5, False)])
    cells = Cells(found, COLUMNS)
    assert [[*keys] for keys in cells.keys.values()] == [[0, 1], ["ticket", "ticket"]]
    assert cells.means(found["value"]) == pytest.approx([np.nan, 4], nan_ok=True)
    assert cells.counts(found["is_counted"]).tolist() == [0, 1]
