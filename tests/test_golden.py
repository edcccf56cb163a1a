"""The golden run: numbers of a small run of the digits, which no change moves without saying so."""

import subprocess
import sys
from typing import Any

import pytest

from scripts import golden


def test_the_numbers_are_those_that_were_written() -> None:
    """Compiled as a user's. If they moved as they should: make golden ARGS=--write."""
    printed = subprocess.check_output([sys.executable, golden.__file__], text=True)
    assert printed.startswith("all within tolerance\n")


@pytest.mark.parametrize(
    ("name", "column", "value"),
    [
        ("metrics", "val_loss", 0.1635),
        ("metrics", "train_loss", float("nan")),
        ("metrics", "val_accuracy", 0.9625 + 2 / 240),
        ("metrics", "step", 99),
        ("results", "density", 0.8),
        ("results", "final_accuracy", 0.9),
        ("results", "arm", "tickets"),
    ],
)
def test_a_number_that_moved_is_named(name: str, column: str, value: Any) -> None:
    old, new = golden.read(), golden.read()
    row = 2
    new[name][column] = new[name][column].astype(object)
    new[name].loc[row, column] = value
    new[name][column] = new[name][column].infer_objects()
    (line,) = golden.moved(old, new)
    lane = " ".join(f"{key}={old[name][key][row]}" for key in ("round", "replicate", "arm"))
    assert line == (
        f"{name}.{column}: 1 of {len(old[name])} rows moved; {lane}: {old[name][column][row]} -> {value}"
    )


def test_a_number_within_its_tolerance_has_not_moved() -> None:
    old, new = golden.read(), golden.read()
    new["metrics"]["val_loss"] *= 1.00001
    new["metrics"]["val_accuracy"] += 1 / 240
    assert golden.moved(old, new) == []
    assert golden.spread(old, new)["val_loss"] == pytest.approx(1e-5, rel=1e-3)


def test_other_rows_are_another_run() -> None:
    old, new = golden.read(), golden.read()
    new["results"] = new["results"][:-1]
    (line,) = golden.moved(old, new)
    assert line.startswith(f"results: {len(old['results'])} rows of replicate, arm, ")
