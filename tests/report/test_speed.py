"""The figure of `ltr bench`."""

from pathlib import Path

import pytest

from ltr.report.speed import draw

ROWS = [
    {"density": 1.0, "dense": 100.0, "packed": 80.0, "torch": 40.0, "ceiling": 200.0},
    {"density": 0.1, "dense": 100.0, "packed": 500.0, "torch": 40.0, "ceiling": 200.0},
]


@pytest.mark.parametrize("torch", [40.0, None])
def test_what_was_measured_is_named_at_its_end(tmp_path: Path, torch: float | None) -> None:
    rows = [{**row, "torch": torch} for row in ROWS]
    draw("LeNet-300-100 on MNIST", "batch 60, adam", {"rows": rows}, tmp_path / "cost.svg")
    svg = (tmp_path / "cost.svg").read_text()
    for said in ("LeNet-300-100 on MNIST", "batch 60, adam", "packed", "masked dense"):
        assert f">{said}</text>" in svg
    assert (">PyTorch</text>" in svg) == (torch is not None)


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_the_same_figures_are_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    files = [tmp_path / f"{name}{suffix}" for name in "ab"]
    for file in files:
        draw("LeNet-300-100 on MNIST", "batch 60, adam", {"rows": ROWS}, file)
    assert files[0].read_bytes() == files[1].read_bytes()
