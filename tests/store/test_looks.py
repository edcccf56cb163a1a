"""The looks that a run folder remembers."""

from pathlib import Path
from typing import Any

import pytest

from ltr.config.schema import Experiment
from ltr.errors import LtrError
from ltr.store import catalog, looks
from ltr.store.folder import RunFolder
from ltr.store.looks import Look
from ltr.store.opening import open_run
from tests.store.conftest import DEVICES

TAKEN = [
    Look(5, {"ticket": 1, "random_mask": 2}, [3, 7], ["matches", "structure"]),
    Look(8, {"ticket": 1}, [3], ["matches"]),
]


def test_looks_are_read_as_they_were_written(tmp_path: Path) -> None:
    assert looks.read(tmp_path) == []
    looks.write(tmp_path, TAKEN)
    assert looks.read(tmp_path) == TAKEN
    assert [path.name for path in tmp_path.iterdir()] == [looks.FILE]


@pytest.mark.parametrize("text", ["{", "[1]", '[{"replicates": 3}]', "null"])
def test_a_damaged_file_is_named_not_forgotten(tmp_path: Path, text: str) -> None:
    (tmp_path / looks.FILE).write_text(text)
    with pytest.raises(LtrError, match=r"looks\.json: damaged"):
        looks.read(tmp_path)


def test_looks_that_run_json_counts_and_are_not_there_are_lost(experiment: Experiment, path: Path) -> None:
    with open_run(experiment) as folder:
        folder.begin(experiment, DEVICES, {})
        folder.keep_looks(TAKEN)
    (path / looks.FILE).unlink()
    with pytest.raises(LtrError, match=r"looks\.json: missing; lost: the looks, .* as if for the first time"):
        looks.read(path)


def test_a_run_without_its_looks_is_opened_with_a_warning(
    experiment: Experiment, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with open_run(experiment) as folder:
        folder.begin(experiment, DEVICES, {})
        folder.keep_looks(TAKEN)
    (path / looks.FILE).unlink()
    with open_run(experiment) as folder:
        assert folder.looks == []
        folder.keep_looks(TAKEN[:1])
    assert "looks.json: missing; lost: the looks" in caplog.text
    assert looks.read(path) == TAKEN[:1]


def test_a_number_of_looks_that_a_killed_process_did_not_write_is_corrected(
    experiment: Experiment, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_run(experiment) as folder, monkeypatch.context() as patch:
        folder.begin(experiment, DEVICES, {})
        patch.setattr(RunFolder, "describe", _killed)
        with pytest.raises(KeyboardInterrupt):
            folder.keep_looks(TAKEN)
    assert (looks.read(path), catalog.looks(path)) == (TAKEN, 0)
    with open_run(experiment) as folder:
        folder.keep_looks(TAKEN)
    (path / looks.FILE).unlink()
    with pytest.raises(LtrError, match=r"looks\.json: missing"):
        looks.read(path)


def _killed(folder: RunFolder, **facts: Any) -> None:
    raise KeyboardInterrupt
