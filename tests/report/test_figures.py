import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import matplotlib
import pandas as pd
import pytest

from ltr.report.arms import looks
from ltr.report.figures import draw

Results = Callable[..., pd.DataFrame]
FILES = ["accuracy.png", "accuracy.svg", "early_stop.png", "early_stop.svg"]


def test_the_files_are_those_of_both_figures(results: Results, tmp_path: Path) -> None:
    paths = draw(results(), "digits", tmp_path / "figures")
    assert [path.name for path in paths] == FILES
    assert all(path.parent == tmp_path / "figures" and path.stat().st_size for path in paths)


def test_drawing_again_gives_the_same_bytes(results: Results, tmp_path: Path) -> None:
    one, two = (draw(results(rounds=2), "digits", tmp_path / folder) for folder in ("one", "two"))
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]


def test_text_is_text_and_every_arm_is_named(results: Results, tmp_path: Path) -> None:
    arms = ["ticket", "one_shot", "random_mask", "zebra"]
    paths = draw(results(arms=arms), "on digits", tmp_path)
    accuracy, early_stop = (path.read_text() for path in paths if path.suffix == ".svg")
    words = [look.label for look in looks(arms).values()]
    for word in [*words, "dense", "on digits", "weights remaining (%)", "mean ± 95 % CI, 3 replicates"]:
        assert f">{word}</text>" in accuracy
        assert f">{word}</text>" in early_stop
    assert ">test accuracy at early stop (%)</text>" in accuracy
    assert ">early-stop step</text>" in early_stop


def test_every_arm_has_its_curve(results: Results, tmp_path: Path) -> None:
    accuracy = draw(results(), "digits", tmp_path)[1].read_text()
    for look in looks(["ticket", "random_reinit", "random_mask", "one_shot"]).values():
        assert f"stroke: {look.colour.lower()}" in accuracy


def test_lower_bounds_have_open_markers_and_a_note(results: Results, tmp_path: Path) -> None:
    paths = draw(results(censored_from=3), "digits", tmp_path)
    accuracy, early_stop = (path.read_text() for path in paths if path.suffix == ".svg")
    assert "lower bound" in early_stop
    assert "fill: #ffffff; stroke: #0072b2" in early_stop
    assert "lower bound" not in accuracy
    assert "fill: #ffffff; stroke: #0072b2" not in accuracy


@pytest.mark.parametrize("replicates", [1, 2])
def test_a_run_without_pruned_rounds_is_drawn(results: Results, tmp_path: Path, replicates: int) -> None:
    assert len(draw(results(rounds=0, replicates=replicates), "digits", tmp_path)) == 4


def test_nothing_trained_draws_nothing(results: Results, tmp_path: Path) -> None:
    assert draw(results().iloc[:0], "digits", tmp_path / "figures") == []
    assert not (tmp_path / "figures").exists()


def test_settings_of_matplotlib_neither_leak_in_nor_out(results: Results, tmp_path: Path) -> None:
    usual = draw(results(rounds=1), "digits", tmp_path / "usual")[1].read_bytes()
    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "red"}):
        assert draw(results(rounds=1), "digits", tmp_path / "other")[1].read_bytes() == usual
        assert matplotlib.rcParams["font.size"] == 20


def test_importing_loads_neither_matplotlib_nor_jax() -> None:
    code = "import sys, ltr.report.figures; sys.exit(bool({'matplotlib', 'jax'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
