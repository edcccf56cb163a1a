"""`ltr bench`: what it measures, prints and draws."""

import contextlib
import io
import json
from pathlib import Path

import pytest

from ltr import kernels
from ltr.benchmark import comparison, torch_baseline
from ltr.benchmark.comparison import Row
from ltr.cli import main
from ltr.errors import LtrError
from ltr.experiment.compose import from_words

Captured = pytest.CaptureFixture[str]
QUICK = (
    "--repeats=1",
    "--seconds=0.02",
    "--densities=0.1",
    "dataset=digits",
    "model.width=0.1",
    "sparse=always",
)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, Path]:
    """What a quick contest prints as JSON, and its figure."""
    folder = tmp_path_factory.mktemp("bench")
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert main(["bench", "--json", f"--figure={folder / 'cost.png'}", *QUICK]) == 0
    return json.loads(printed.getvalue()), folder / "cost.png"


def test_the_schema_does_not_drift(found: tuple[dict, Path]) -> None:
    said, _ = found
    assert list(said) == ["machine", "network", "setting", "turns", "torch_memory_format", "rows"]
    assert (said["network"], said["setting"]) == ("LeNet-300-100 (width 0.1) on digits", "batch 60, adam")
    assert (said["turns"], said["torch_memory_format"]) == (1, None)
    assert {"processor", "cores", "sparse_kernels", "jax"} <= set(said["machine"])
    assert [row["density"] for row in said["rows"]] == [0.1]
    for row in said["rows"]:
        assert list(row) == ["density", "dense", "packed", "torch", "torch_fused", "ceiling"]
        assert min(row["dense"], row["packed"], row["ceiling"]) > 0
        assert row["torch"] is None, "no loop of PyTorch's for another width"


def test_a_figure_is_drawn(found: tuple[dict, Path]) -> None:
    assert found[1].read_bytes().startswith(b"\x89PNG")


def test_medians_are_of_each_column() -> None:
    rows = [
        Row(0.1, dense, 10.0 * dense, torch, None, 7.0)
        for dense, torch in ((1.0, None), (5.0, 3.0), (2.0, 4.0))
    ]
    assert comparison.medians(rows) == Row(0.1, 2.0, 20.0, 3.5, None, 7.0)
    assert comparison.medians(rows[:1]).torch is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--densities=1,2"], "--densities=1,2: must be numbers above 0 and up to 1, as in 1,0.1"),
        (["--densities=few"], "--densities=few: must be numbers above 0 and up to 1, as in 1,0.1"),
        (["--repeats=0"], "--repeats=0: must be more than 0"),
        (["--seconds=-1"], "--seconds=-1.0: must be more than 0"),
        *(
            (
                [f"--figure={file}"],
                f"--figure={file}: must be a .png, .svg, .pdf file in a folder that exists",
            )
            for file in ("cost.doc", "nowhere/cost.png")
        ),
    ],
)
def test_wrong_words_are_one_line(words: list[str], said: str, capsys: Captured) -> None:
    assert main(["bench", *words]) == 2
    assert capsys.readouterr().err == f"ltr bench: {said}\n"


def test_a_rival_that_dies_ends_it_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "dying.py").write_text("raise SystemExit(7)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(torch_baseline, "LOOP", "dying")
    monkeypatch.setattr(torch_baseline.importlib.util, "find_spec", lambda name: name)
    experiment = from_words(["dataset=digits"])
    with (
        torch_baseline.TorchBaseline(experiment) as entered,
        pytest.raises(LtrError, match="ended with status 7"),
    ):
        entered.warm_up()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "formats"), [("lenet_300_100", {"contiguous"}), ("conv2", {"contiguous", "channels_last"})]
)
def test_pytorch_trains_beside_where_it_is_installed(model: str, formats: set[str], capsys: Captured) -> None:
    pytest.importorskip("torch")
    assert model in torch_baseline.NETWORKS
    words = ["--repeats=1", "--seconds=0.2", "--densities=0.1", "dataset=digits", f"model={model}"]
    assert main(["bench", "--json", *words]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["torch_memory_format"] in formats
    (row,) = said["rows"]
    assert min(row["torch"], row["torch_fused"]) > 0


@pytest.mark.slow
@pytest.mark.skipif(kernels.instruction_set() is None, reason="built without a C++ compiler")
def test_a_sparse_lenet_trains_several_times_as_fast_packed(capsys: Captured) -> None:
    """The point of it all; by how much is for `ltr bench` to say."""
    assert main(["bench", "--json", "--densities=0.036", "--repeats=3"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert row["packed"] > 3 * row["dense"]
