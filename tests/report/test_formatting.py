import json
import math

import numpy as np
import pandas as pd
import pytest

from ltr.report.formatting import memory, percent, plain_rows, plus_minus, ranges, replicates, spread


@pytest.mark.parametrize(
    ("density", "text"),
    [(1.0, "100"), (0.5128, "51"), (0.0996, "10"), (0.0868, "8.7"), (0.03, "3.0"), (0.00123, "0.12")],
)
def test_densities_have_two_significant_digits(density: float, text: str) -> None:
    assert percent(density) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(2**19, "0.5 MiB"), (12 * 2**20, "12 MiB"), (3 * 2**29, "1.5 GiB"), (80 * 2**30, "80 GiB")],
)
def test_memory_is_in_the_unit_that_fits(count: int, text: str) -> None:
    assert memory(count) == text


def test_a_mean_stands_with_its_interval_if_there_is_one() -> None:
    assert plus_minus(98.123, 0.2) == "98.12 ± 0.20"
    assert plus_minus(98.123, math.nan) == "98.12"


@pytest.mark.parametrize(
    ("counts", "text"), [([1], "1 replicate"), ([3, 3], "3 replicates"), ([2, 3, 2], "2-3 replicates")]
)
def test_replicates_are_counted(counts: list[int], text: str) -> None:
    assert replicates(counts) == text


@pytest.mark.parametrize(
    ("numbers", "text"),
    [([0], "0"), ([0, 1, 2], "0 to 2"), ([0, 15], "0, 15"), ([0, 1, 3, 7, 8], "0 to 1, 3, 7 to 8")],
)
def test_whole_numbers_are_joined_to_ranges(numbers: list[int], text: str) -> None:
    assert ranges(numbers) == text


def test_one_replicate_claims_no_interval() -> None:
    assert spread([1, 1]) == "1 replicate, no interval"
    assert spread([5]) == "mean ± 95 % CI, 5 replicates"


def test_json_has_null_for_nan() -> None:
    table = pd.DataFrame(
        {"arm": ["ticket", "one_shot"], "n": [3, 5], "p": [np.nan, 0.5], "is_bound": [True, False]}
    )
    rows = json.loads(json.dumps(plain_rows(table)))
    assert rows == [
        {"arm": "ticket", "n": 3, "p": None, "is_bound": True},
        {"arm": "one_shot", "n": 5, "p": 0.5, "is_bound": False},
    ]
