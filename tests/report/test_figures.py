import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.text import Text

from ltr.analysis.summary import by_round
from ltr.report.arms import styles
from ltr.report.figures import draw, figure, in_style, lay_out, measures

Results = Callable[..., pd.DataFrame]
FILES = ["accuracy.png", "accuracy.svg", "early_stop.png", "early_stop.svg"]


def drawn(rows: pd.DataFrame, name: str, title: str = "LeNet-300-100 on digits") -> Figure:
    """One of the figures of a run."""
    with in_style():
        return figure(rows, measures(rows)[name], title)


def part(of: Figure, gid: str) -> list[Artist]:
    """What is drawn under an id."""
    return of.findobj(lambda artist: artist.get_gid() == gid)


def test_ribbons_are_intervals_cut_off_at_what_is_possible(results: Results) -> None:
    rows = results(replicates=3)
    rows["accuracy_at_early_stop"] += 0.0195 + 0.002 * rows["replicate"]
    (ribbon,) = part(drawn(rows, "accuracy"), "ticket:ribbon")
    expected = by_round(rows).query("arm == 'ticket'")
    corners = ribbon.get_paths()[0].vertices
    for density, mean, half in expected[["density", "accuracy", "accuracy_ci95"]].itertuples(index=False):
        ends = corners[np.isclose(corners[:, 0], density), 1]
        assert min(ends) == pytest.approx(100 * (mean - half))
        assert max(ends) == pytest.approx(min(100 * (mean + half), 100))
    assert corners[:, 1].max() == 100 < 100 * (expected["accuracy"] + expected["accuracy_ci95"]).max()


def test_no_accuracy_above_100_and_no_step_out_of_the_training_has_room(results: Results) -> None:
    rows = results(replicates=2)
    rows["accuracy_at_early_stop"] += 0.0195
    rows["early_stop_step"] += 400 * rows["replicate"]
    assert drawn(rows, "accuracy").axes[0].get_ylim()[1] == 100
    assert drawn(rows, "early_stop").axes[0].get_ylim() == (0, 1000)
    assert drawn(results(), "early_stop").axes[0].get_ylim()[0] == 0
    assert drawn(results(), "early_stop").axes[0].get_ylim()[1] < 1000


def test_one_replicate_has_no_interval(results: Results) -> None:
    of_one = drawn(results(replicates=1), "accuracy")
    assert part(of_one, "ticket:line")
    assert not part(of_one, "ticket:ribbon") + part(of_one, "ticket:interval")


def test_where_a_ribbon_has_no_length_an_interval_is_a_line(results: Results) -> None:
    of_one = drawn(results(rounds=1), "accuracy")
    assert part(of_one, "ticket:ribbon")
    assert not part(of_one, "random_mask:ribbon")
    lines = [part(of_one, f"{arm}:interval")[0].get_segments() for arm in ("random_reinit", "random_mask")]
    assert all(len(segments) == 1 for segments in lines)
    assert lines[0][0][0][0] != lines[1][0][0][0], "one hides the other"


def test_a_lower_bound_has_no_interval(results: Results) -> None:
    (ribbon,) = part(drawn(results(censored_from=3), "early_stop"), "ticket:ribbon")
    assert ribbon.get_paths()[0].vertices[:, 0].min() == pytest.approx(0.6**2)


@pytest.mark.parametrize("arms", [("ticket",), ("ticket", "random_reinit", "random_mask", *"abcde")])
def test_it_is_readable_in_a_column_of_a_paper(results: Results, arms: tuple[str, ...]) -> None:
    title = "WRN-28-10 (width 0.1) on a_file_of_the_longest_name_that_came_to_mind"
    of_arms = drawn(results(rounds=20, arms=arms, censored_from=19), "early_stop", title)
    assert of_arms.get_figwidth() == 3.25
    lay_out(of_arms)
    of_arms.draw_without_rendering()
    texts = [text for text in of_arms.findobj(Text) if text.get_text() and text.get_visible()]
    assert min(text.get_fontsize() for text in texts) >= 7
    boxes = [text.get_window_extent() for text in texts]
    assert all(box.x0 >= 0 and box.x1 <= of_arms.bbox.x1 for box in boxes)
    names = [text.get_window_extent() for text in of_arms.axes[0].texts]
    assert len(names) == len(arms) + 1
    assert not any(one.overlaps(two) for place, one in enumerate(names) for two in names[:place])


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
    words = [style.label for style in styles(arms).values()]
    for word in [*words, "dense", "on digits", "weights remaining (%)", "mean ± 95 % CI, 3 replicates"]:
        assert f">{word}</text>" in accuracy
        assert f">{word}</text>" in early_stop
    assert ">test accuracy at early stop (%)</text>" in accuracy
    assert ">early-stop step</text>" in early_stop


def test_every_arm_has_its_curve(results: Results, tmp_path: Path) -> None:
    accuracy = draw(results(), "digits", tmp_path)[1].read_text()
    for style in styles(["ticket", "random_reinit", "random_mask", "one_shot"]).values():
        assert f"stroke: {style.colour.lower()}" in accuracy


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
