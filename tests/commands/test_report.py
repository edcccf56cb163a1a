"""`ltr report`: where the page goes, and what it says when it cannot."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from ltr.cli import main
from tests.marks import slow

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def folder(finished: Any, root: Path) -> Path:
    """A copy of the quick run."""
    shutil.copytree(finished.root, root)
    return next(root.iterdir())


def test_the_page_of_a_run_is_in_its_folder(folder: Path, root: Path, capsys: Captured) -> None:
    assert main(["report", "last", "--output-root", str(root)]) == 0
    assert capsys.readouterr().out.strip() == str(folder / "report.html")
    html = (folder / "report.html").read_text()
    assert folder.name in html
    for figure in ("accuracy", "early_stop", "learning", "cost", "layers", "initial", "pixels"):
        assert f'<figure id="r0-{figure}">' in html


@pytest.mark.usefixtures("pages_without_figures")
def test_the_page_of_several_runs_is_in_the_output_root(folder: Path, root: Path) -> None:
    shutil.copytree(folder, root / "digits-lenet_300_100-0123456789")
    assert main(["report", str(folder), "0123", "--output-root", str(root)]) == 0
    assert 'id="compared"' in (root / "report.html").read_text()


def test_a_run_twice_is_refused(folder: Path, root: Path, capsys: Captured) -> None:
    assert main(["report", str(folder), "last", "--output-root", str(root)]) == 2
    assert "both name" in capsys.readouterr().err


@pytest.mark.usefixtures("pages_without_figures")
def test_a_page_goes_where_it_is_wanted(folder: Path, root: Path, tmp_path: Path, capsys: Captured) -> None:
    wanted = tmp_path / "page.html"
    assert main(["report", "last", "--output-root", str(root), "--output", str(wanted)]) == 0
    assert wanted.exists()
    nowhere = tmp_path / "nowhere" / "page.html"
    assert main(["report", "last", "--output-root", str(root), "--output", str(nowhere)]) == 2
    assert f"--output={nowhere}: cannot be written (No such file or directory)" in capsys.readouterr().err


@pytest.mark.usefixtures("pages_without_figures")
def test_without_its_checkpoints_a_run_has_a_page_without_masks(folder: Path, root: Path) -> None:
    shutil.rmtree(folder / "checkpoints")
    assert main(["report", "last", "--output-root", str(root)]) == 0
    html = (folder / "report.html").read_text()
    assert "r0-accuracy" in html
    assert "r0-pixels" not in html


@pytest.mark.slow
@pytest.mark.usefixtures("pages_without_figures")
def test_a_tilde_is_the_home_folder(
    folder: Path, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert main(["report", str(folder), "--output-root", str(root), "--output=~/page.html"]) == 0
    assert (tmp_path / "page.html").exists()


@pytest.mark.usefixtures("pages_without_figures")
@pytest.mark.parametrize("is_first", [True, slow(False)])
def test_a_run_without_results_has_a_page(folder: Path, root: Path, is_first: bool) -> None:
    begun = root / "digits-lenet_300_100-0123456789"
    shutil.copytree(folder, begun)
    for name in ("checkpoints", "looks.json", "metrics.parquet", "results.parquet", "timings.parquet"):
        path = begun / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    info = json.loads((begun / "run.json").read_text())
    (begun / "run.json").write_text(json.dumps(info | {"summary": None, "looks": 0}))
    runs = [str(begun), str(folder)] if is_first else [str(folder), str(begun)]
    assert main(["report", str(begun)]) == 0
    assert "No dense network has been trained yet." in (begun / "report.html").read_text()
    assert main(["report", *runs, "--output-root", str(root)]) == 0
    assert "No dense network has been trained yet." in (root / "report.html").read_text()


@pytest.mark.usefixtures("pages_without_figures")
def test_a_run_before_its_first_verdicts_has_a_page(folder: Path) -> None:
    (folder / "looks.json").unlink()
    info = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(info | {"status": "stopped", "looks": 0}))
    assert main(["report", str(folder)]) == 0
    assert "No claim is tested before the run is finished." in (folder / "report.html").read_text()
