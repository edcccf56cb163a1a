"""Runs of earlier schema versions say what they said, hold what they held, and are not trained again."""

import json
import runpy
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ltr.cli import main
from ltr.store.catalog import SCHEMA_VERSION

ROOT = Path(__file__).parent.parent
KEPT = ROOT / "tests" / "kept_runs"
ARCHIVES = sorted(KEPT.glob("*.zip"))


@pytest.fixture(scope="module")
def script() -> SimpleNamespace:
    return SimpleNamespace(**runpy.run_path(str(ROOT / "scripts" / "kept_runs.py")))


@pytest.fixture
def unpack(
    script: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Path], None]:
    """Unpacks a run into the working directory."""
    monkeypatch.chdir(tmp_path)
    return script.unpack


def test_the_present_schema_has_a_run() -> None:
    """If not: python scripts/kept_runs.py --keep."""
    assert KEPT / f"schema_{SCHEMA_VERSION}.zip" in ARCHIVES


def numbers_close(said: Any, kept: Any) -> Any:
    """What was said, with floats that differ by rounding alone replaced by those that were kept."""
    if isinstance(said, dict) and isinstance(kept, dict):
        return {name: numbers_close(value, kept.get(name)) for name, value in said.items()}
    if isinstance(said, list) and isinstance(kept, list) and len(said) == len(kept):
        return [numbers_close(*pair) for pair in zip(said, kept, strict=True)]
    is_close = isinstance(said, float) and isinstance(kept, float) and said == pytest.approx(kept, rel=1e-9)
    return kept if is_close else said


@pytest.mark.parametrize("archive", ARCHIVES, ids=lambda path: path.stem)
def test_a_kept_run_is_read_as_it_was(
    archive: Path, script: SimpleNamespace, unpack: Callable[[Path], None]
) -> None:
    """If this changed on purpose: python scripts/kept_runs.py."""
    unpack(archive)
    kept = json.loads(archive.with_suffix(".json").read_text())
    assert numbers_close(script.said_of_it(), kept) == kept


@pytest.mark.parametrize("archive", ARCHIVES, ids=lambda path: path.stem)
def test_a_kept_run_is_not_trained_again(
    archive: Path, script: SimpleNamespace, unpack: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    unpack(archive)
    (folder,) = Path("outputs").iterdir()
    before = {path: path.read_bytes() for path in folder.rglob("*.parquet")}
    assert main(["run", "output_root=outputs", *script.WORDS]) == 0
    assert [*Path("outputs").iterdir()] == [folder]
    assert {path: path.read_bytes() for path in folder.rglob("*.parquet")} == before
    assert "to go" not in capsys.readouterr().err
