"""Every time verdicts are given is remembered, and allowed for when they are given again."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ltr
from ltr.store import looks
from tests.marks import slow

Captured = pytest.CaptureFixture[str]
Run = Callable[..., int]


@pytest.fixture
def folder(finished: Any, root: Path) -> Path:
    """A copy of the quick run, of two replicates."""
    shutil.copytree(finished.root, root)
    (folder,) = root.iterdir()
    return folder


@pytest.mark.parametrize("words", [[], slow(["replicates=1"]), slow(["rounds=0"]), ["arms=[ticket]"]])
def test_what_is_seen_again_is_no_other_look(words: list[str], folder: Path, ltr_run: Run) -> None:
    (first,) = looks.read(folder)
    assert (first.replicates, first.rounds) == (2, [1])
    assert {"weights", "weights_speed", "matches"} <= set(first.claims)
    assert ltr_run(*words) == 0
    assert looks.read(folder) == [first]


@pytest.mark.parametrize("is_old", [slow(False), True])
def test_more_replicates_are_another_look(folder: Path, ltr_run: Run, capsys: Captured, is_old: bool) -> None:
    """Of a run from before looks were kept, its end was the first; what is trained now may differ."""
    if is_old:
        (folder / looks.FILE).unlink()
        info = folder / "run.json"
        of_then = {key: value for key, value in json.loads(info.read_text()).items() if key != "looks"}
        info.write_text(json.dumps(of_then | {"schema_version": 3}))
    assert ltr_run("replicates=3") == 0
    assert [look.replicates for look in looks.read(folder)] == [2, 3]
    said = capsys.readouterr()
    assert "corrected over densities and 1 look)" in " ".join(said.out.split()), "the first decides nothing"
    assert ("begun by an older release" in said.err) == is_old
    run = ltr.load(folder)
    first = run.claims.set_index("claim")["p"]
    (folder / looks.FILE).write_text("[]")
    once = ltr.load(folder).claims.set_index("claim")["p"]
    assert (first >= once).all()
    assert (first[once < 0.2] == 1.5 * once[once < 0.2]).all()
