"""Cells of a table: its rows grouped by columns, and the averages of these.

As by pandas' groupby, which takes milliseconds for each average of the few rows of a run.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from ltr.analysis.statistics import half_width


class Cells:
    """Cells of a table, in the order of their keys.

    Attributes:
        keys: value of each cell in the columns that group the rows.
    """

    def __init__(self, table: pd.DataFrame, columns: Sequence[str]) -> None:
        numbers = np.zeros(len(table), np.int64)
        for column in columns:
            values, places = np.unique(table[column].to_numpy(), return_inverse=True)
            numbers = numbers * len(values) + places
        _, first, self._cell_of_row = np.unique(numbers, return_index=True, return_inverse=True)
        self.keys = {column: table[column].array[first] for column in columns}
        self._number = len(first)

    def counts(self, is_counted: pd.Series) -> npt.NDArray[np.int64]:
        """Return for each cell the number of its rows for which something is true, and not missing."""
        return np.bincount(
            self._cell_of_row[is_counted.to_numpy(bool, na_value=False)], minlength=self._number
        )

    def means(self, values: pd.Series) -> npt.NDArray[np.float64]:
        """Return the mean of each cell without its missing values; NaN if all are missing."""
        return self._means(values.to_numpy(np.float64))

    def half_widths(self, values: pd.Series) -> npt.NDArray[np.float64]:
        """Return for each cell the half-width of the 95 % confidence interval of its mean (see `ci95`)."""
        numbers, n = values.to_numpy(np.float64), self.counts(values.notna())
        variances = self._means((numbers - self._means(numbers)[self._cell_of_row]) ** 2)
        spreads = np.sqrt(variances * n / np.maximum(n - 1, 1))
        return np.array([half_width(*cell) for cell in zip(spreads, n, strict=True)], np.float64)

    def _means(self, numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        is_known = ~np.isnan(numbers)
        cells = self._cell_of_row[is_known]
        sums = np.bincount(cells, numbers[is_known], self._number)
        n = np.bincount(cells, minlength=self._number)
        return np.divide(sums, n, out=np.full(self._number, np.nan), where=n > 0)
