"""`ltr.load`: a run as data."""

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pytest

import ltr
from ltr.analysis.registry import CLAIMS
from ltr.cli import main
from ltr.config.schema import Arm
from ltr.core import masks
from ltr.errors import ConfigError, LtrError
from ltr.store import tables

pytestmark = pytest.mark.usefixtures("compile_once", "rough_times")

README = Path(__file__).parents[2] / "README.md"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output root of a run of a second; not to be altered."""
    root = tmp_path_factory.mktemp("loaded")
    small = ["steps=20", "eval_every=10", "rounds=1", "replicates=2", "sparse=never", "claims.densities=[]"]
    assert main(["run", f"output_root={root}", *small]) == 0
    return root


def test_tables_are_data_frames(root: Path) -> None:
    run = ltr.load("last", root)
    assert len(run.results) == 10
    assert set(run.metrics["step"]) == {0, 10, 20}
    assert len(run.timings) == 10
    assert list(run.rounds["arm"]) == ["ticket", "one_shot", "random_mask", "random_reinit", "ticket"]
    assert set(run.claims["claim"]) == {name for name in CLAIMS if not name.startswith("iterating")}
    assert [look.replicates for look in run.looks] == [2]
    assert "finished" in repr(run)


def test_a_run_of_one_search_has_no_race(root: Path) -> None:
    run = ltr.load("last", root)
    assert run.race.empty
    assert "<pre>" not in run._repr_html_()


def test_a_race_is_a_data_frame_and_a_table_in_notebooks(root: Path, tmp_path: Path) -> None:
    """Of the run's own trainings, one of them under the name of SNIP."""
    (folder,) = root.glob("digits-*")
    run = ltr.load(shutil.copytree(folder, tmp_path / folder.name), tmp_path)
    snip, asked = {"arm": {"random_reinit": "snip"}}, run.experiment
    for name in ("results", "timings"):
        tables.write(run.folder, name, getattr(ltr.load(folder, root), name).replace(snip))
    masks_of = {"snip": Arm(mask="snip"), "one_shot": Arm(mask="one_shot")}
    run.experiment = replace(asked, arms=("ticket", *masks_of), arm=masks_of)
    assert sorted(run.race["arm"]) == ["one_shot", "snip", "ticket"]
    assert run.race.set_index("arm").loc["one_shot", "cost"] == 1
    assert "<pre>Race of the searches." in run._repr_html_()


def test_tickets_are_pytrees(root: Path) -> None:
    run = ltr.load(next(root.glob("digits-*")), root)
    dense, ticket = run.ticket(0), run.ticket(1, replicate=1)
    assert masks.density(dense.mask) == 1
    assert masks.density(ticket.mask) == pytest.approx(run.rounds["density"].iloc[-1])
    kept = ticket.mask["dense_1"]["kernel"]
    np.testing.assert_array_equal(
        ticket.start["dense_1"]["kernel"], ticket.initial["dense_1"]["kernel"] * kept
    )
    assert (ticket.trained["dense_1"]["kernel"][~kept] == 0).all()
    with pytest.raises(
        ConfigError, match=r"round 2, replicate 0: no such ticket in .* has rounds 0 to 1 of 2"
    ):
        run.ticket(2)


def test_what_is_not_there_or_damaged_is_said(root: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing: no run of that name"):
        ltr.load("nothing", root)
    folder = tmp_path / "digits-lenet_300_100-0123456789"
    folder.mkdir()
    (folder / "run.json").write_text("{")
    with pytest.raises(LtrError, match="damaged"):
        ltr.load(folder)
    (folder / "run.json").write_text(json.dumps({"status": "finished"}))
    with pytest.raises(LtrError, match=r"config\.yaml: missing"):
        ltr.load(folder)


def test_there_is_nothing_else_by_attribute() -> None:
    with pytest.raises(AttributeError, match="no attribute 'unload'"):
        _ = ltr.unload  # type: ignore[attr-defined]


@pytest.fixture
def plotted() -> Iterator[Any]:
    """pyplot, without a screen."""
    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    yield plt
    plt.close("all")


def test_the_five_lines_of_the_readme_draw_the_figure(
    root: Path, plotted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (lines,) = re.findall(r"```python\n(import ltr.*?)```", README.read_text(), re.S)
    assert sum(map(bool, lines.splitlines())) == 5
    load = ltr.load
    monkeypatch.setattr(ltr, "load", lambda name: load(name, root))
    exec(lines, {})
    axes = plotted.gca()
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["one_shot", "random_mask", "random_reinit", "ticket"]
    ticket = axes.containers[-1].lines[0]
    expected = load("last", root).rounds.query("arm == 'ticket'")
    assert isinstance(expected, pd.DataFrame)
    np.testing.assert_allclose(ticket.get_ydata(orig=False), 100 * expected["accuracy"])
