"""`replicates=auto`: as many as it takes, and no more."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import ltr
from ltr.analysis.verdicts import Verdict
from ltr.experiment import looks
from ltr.store import tables

Captured = pytest.CaptureFixture[str]

AUTO = ("replicates=auto", "claims.decide=[weights]", "claims.densities=[0.8]")


def trained(root: Path) -> pd.DataFrame:
    (folder,) = (path for path in root.iterdir() if path.is_dir())
    return tables.read(folder, "results")


def test_replicates_are_added_until_there_are_as_many_as_there_may_be(
    ltr_run: Callable[..., int], root: Path, capsys: Captured
) -> None:
    assert ltr_run(*AUTO, "claims.most=6") == 0
    said = capsys.readouterr()
    assert "5 replicates leave undecided: weights (of 6 at most)" in said.err
    assert [line for line in said.err.splitlines() if "trainings of" in line][1].endswith("15 done before")
    assert trained(root)["replicate"].nunique() == 6
    assert "2 looks, after 5 and 6 replicates" in " ".join(said.out.split())
    assert ltr_run(*AUTO, "claims.most=6") == 0
    assert capsys.readouterr().err.count("nothing to train") == 1, "it looks where it looked last"


def test_it_ends_when_the_claims_are_decided(
    ltr_run: Callable[..., int], root: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looks.verdicts, "undecided", lambda *_: [])
    assert ltr_run(*AUTO) == 0
    assert "5 replicates decide: weights" in capsys.readouterr().err
    assert trained(root)["replicate"].nunique() == 5


@pytest.mark.slow
def test_rounds_that_only_an_earlier_look_tested_ask_for_no_replicates(
    ltr_run: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[set[int]] = []

    def undecided(found: dict[str, list[Verdict]], _: object) -> list[str]:
        asked.append({one.round for of in found.values() for one in of})
        return []

    monkeypatch.setattr(looks.verdicts, "undecided", undecided)
    assert ltr_run("rounds=2", "replicates=1", "claims.densities=[0.8,0.64]") == 0
    assert ltr_run(*AUTO, "rounds=2") == 0
    assert asked == [{1}]


def test_claims_tested_nowhere_add_nothing(ltr_run: Callable[..., int], root: Path, capsys: Captured) -> None:
    assert ltr_run("replicates=auto", "claims.decide=[weights]", "rounds=0") == 0
    assert "tested in no round: weights; more rounds" in capsys.readouterr().err
    assert trained(root)["replicate"].nunique() == 5


def test_it_begins_where_it_may_look(ltr_run: Callable[..., int], root: Path, capsys: Captured) -> None:
    """Every look is corrected for: none is taken after another number of replicates."""
    assert ltr_run(*AUTO[1:], "claims.most=3") == 0
    assert capsys.readouterr().err.count("replicates leave undecided") == 1
    assert trained(root)["replicate"].nunique() == 3
    assert ltr_run(*AUTO[1:], "claims.most=3", "replicates=4") == 2
    assert "claims.most=3: must be at least replicates=4" in capsys.readouterr().err


@pytest.mark.slow
def test_another_look_at_a_finished_run_is_printed_and_changes_nothing_of_what_it_keeps(
    ltr_run: Callable[..., int], root: Path, capsys: Captured
) -> None:
    assert ltr_run() == 0
    kept = ltr.load("last", root).experiment.claims
    assert ltr_run("claims.densities=[0.123]", "replicates=1") == 0
    (folder,) = (path for path in root.iterdir() if path.is_dir())
    run = ltr.load(folder)
    assert run.experiment.claims == kept
    assert run.results["replicate"].nunique() == 2
