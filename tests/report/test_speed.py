"""The table and the figure of `ltr bench`."""

from pathlib import Path

import pytest

from ltr.report.speed import draw, table

ROWS = [
    {"density": 1.0, "dense": 100.0, "packed": 80.0, "torch": 40.0, "torch_fused": 50.0, "ceiling": 200.0},
    {"density": 0.1, "dense": 100.0, "packed": 500.0, "torch": 40.0, "torch_fused": 50.0, "ceiling": 200.0},
]


@pytest.mark.parametrize("torch", [40.0, None])
def test_what_was_measured_is_named_at_its_end(tmp_path: Path, torch: float | None) -> None:
    rows = [{**row, "torch": torch} for row in ROWS]
    draw("LeNet-300-100 on MNIST", "batch 60, adam", rows, tmp_path / "cost.svg")
    svg = (tmp_path / "cost.svg").read_text()
    for said in ("LeNet-300-100 on MNIST", "batch 60, adam", "packed", "masked dense"):
        assert f">{said}</text>" in svg
    assert (">PyTorch</text>" in svg) == (torch is not None)


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_the_same_figures_are_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    files = [tmp_path / f"{name}{suffix}" for name in "ab"]
    for file in files:
        draw("LeNet-300-100 on MNIST", "batch 60, adam", ROWS, file)
    assert files[0].read_bytes() == files[1].read_bytes()


MEASURED = {
    "network": "Conv-2 on CIFAR-10",
    "setting": "batch 60, adam",
    "turns": 3,
    "torch_memory_format": "channels_last",
    "rows": ROWS,
}
UNMEASURED = MEASURED | {
    "network": "VGG-16 on CIFAR-10",
    "turns": 0,
    "torch_memory_format": None,
    "rows": [],
}
ALONE = MEASURED | {
    "network": "ViT-tiny on CIFAR-10",
    "turns": 1,
    "torch_memory_format": None,
    "rows": [
        {
            "density": 0.036,
            "dense": 0.5,
            "packed": 30000.0,
            "torch": None,
            "torch_fused": None,
            "ceiling": 2.0,
        }
    ],
}


def test_the_table_has_a_heading_and_rows_for_each_network() -> None:
    *_, first, one, two, _, second, three, _, third = table(
        {"processor": "P" * 70, "torch": None}, [MEASURED, ALONE, UNMEASURED]
    ).splitlines()
    assert first == "Conv-2 on CIFAR-10, batch 60, adam; 3 turns; PyTorch channels_last"
    assert one.split() == ["100", "%", "100", "80", "40", "50", "200", "0.80", "2.50", "2.00", "2.00"]
    assert two.split() == ["10", "%", "100", "500", "40", "50", "200", "5.00", "2.50", "2.00", "12.50"]
    assert second == "ViT-tiny on CIFAR-10, batch 60, adam; 1 turn"
    assert three.split() == ["3.6", "%", "0.50", "30,000", "-", "-", "2.00", "60000.00", "-", "-", "-"]
    assert third == "VGG-16 on CIFAR-10, batch 60, adam; not measured, as the time was over"


@pytest.mark.parametrize(("kernels", "said"), [(None, "not built"), ("AVX-512", "AVX-512")])
def test_the_table_says_which_kernels_were_measured(kernels: str | None, said: str) -> None:
    facts = {"processor": "P", "sparse_kernels": kernels, "torch": None}
    assert table(facts, [MEASURED]).splitlines()[1] == f"processor P, sparse kernels {said}"


def test_the_table_fits_80_columns() -> None:
    long = MEASURED | {"network": "N" * 70}
    lines = table({"processor": "P" * 70, "torch": "2.9"}, [MEASURED, long]).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[5].split() == ["packed:", "dense:", "dense:", "packed:"]
