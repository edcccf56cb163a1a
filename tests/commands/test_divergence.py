"""Runs in which lanes diverge or chains end: they finish, and every command says what has no result."""

import contextlib
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
import pytest

from ltr.api.loaded import load
from ltr.cli import main
from ltr.store import catalog, tables
from ltr.store.tables import LaneId
from tests.commands.conftest import QUICK, Finished
from tests.poisoned import poisoning

Run = Callable[..., int]
Captured = pytest.CaptureFixture[str]

MORE = ("replicates=4", "rounds=2")
TICKET, CONTROL = LaneId(1, 1, "ticket", 0), LaneId(2, 2, "random_reinit", 0)

WILD = ("optimizer.name=sgd", "optimizer.learning_rate=1e9")


def lines_of(text: str) -> list[str]:
    """The paragraphs of a text, each on one line."""
    return [" ".join(part.split()) for part in text.split("\n\n")]


@pytest.fixture(scope="module")
def torn(
    draw_figures: Callable[[], contextlib.AbstractContextManager[None]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Finished:
    """A run in which one ticket and one control of another replicate diverged; not to be altered."""
    root, out, err = tmp_path_factory.mktemp("torn"), io.StringIO(), io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        draw_figures(),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        poisoning(patch)(TICKET, CONTROL)
        assert main(["run", f"output_root={root}", *QUICK, *MORE]) == 0
    return Finished(root, out.getvalue(), err.getvalue())


@pytest.fixture
def root(torn: Finished, tmp_path: Path) -> Path:
    """A copy of it."""
    return shutil.copytree(torn.root, tmp_path / "runs")


LOST = (
    "2 of 18 trainings diverged (ticket 1, random_reinit 1; the first is round 1, replicate 1, ticket, "
    "draw 0, at step 0): loss or weights were no longer finite. Means and claims leave them out, which may "
    "favour the arms that lost them."
)
ENDED = "Replicate 1 ends in round 1, where the ticket diverged: its later rounds are not trained."


def test_it_ends_finished_with_figures_claims_and_what_ended(torn: Finished) -> None:
    said = lines_of(torn.out)
    assert LOST in said
    assert ENDED in said
    assert sum(line.count("figure ") for line in said) == 2
    (claims,) = (line for line in said if line.startswith("Claims "))
    assert claims.startswith("Claims (2-3 replicates, paired; ")
    assert "needs its own initial weights: fresh ones are worse undecided throughout" in claims
    assert "; up to 2 of 4 replicates left out" in claims
    (run,) = catalog.all_runs(torn.root)
    assert run.status == catalog.FINISHED
    assert run.info["summary"]["diverged"] == 2
    assert run.info["summary"]["ended"] == 1


def test_it_warns_when_lanes_diverge_without_blaming_what_it_does_not_know(torn: Finished) -> None:
    cause = "no step was taken, so the learning rate is not the cause: look at network, init and data"
    warned = [line for line in torn.err.splitlines() if "no longer finite" in line]
    assert warned == [
        f"ltr: {lane}: no longer finite at step 0; the other lanes go on; {cause}"
        for lane in (TICKET, CONTROL)
    ]


def test_its_table_marks_means_without_diverged_lanes(root: Path, capsys: Captured) -> None:
    assert main(["show", "last", "--output-root", str(root)]) == 0
    said = capsys.readouterr().out
    accuracy = said[said.index("Test accuracy") : said.index("Early-stop step")].splitlines()
    assert accuracy[0].endswith("2-4 replicates; * highest; ! without diverged lanes)")
    assert ["!" in line for line in accuracy[2:5]] == [False, True, True]
    assert LOST in lines_of(said)


def test_json_counts_what_has_no_result(root: Path, capsys: Captured) -> None:
    assert main(["show", "last", "--json", "--output-root", str(root)]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["ended"] == [{"replicate": 1, "round": 1, "step": 0, "layer": None}]
    counts = [
        {arm: (row["n"], row["lanes"], row["diverged"]) for arm, row in one["arms"].items()}
        for one in said["rounds"]
    ]
    assert counts == [
        {"ticket": (4, 4, 0)},
        {"ticket": (3, 4, 1), "random_reinit": (4, 4, 0)},
        {"ticket": (3, 3, 0), "random_reinit": (2, 3, 1)},
    ]
    (weights,) = (claim for claim in said["claims"] if claim["claim"] == "weights")
    assert [(one["n"], one["lost"]) for one in weights["rounds"]] == [(3, 1), (2, 2)]


@pytest.mark.usefixtures("pages_without_figures")
def test_the_page_and_the_list_say_so(root: Path, capsys: Captured) -> None:
    assert main(["report", "last", "--output-root", str(root)]) == 0
    page = Path(capsys.readouterr().out.strip()).read_text()
    assert LOST in page
    assert '<data value="1">1 of 4 diverged</data>' in page
    assert '<data value="2">2 lost</data>' in page
    assert main(["ls", "--output-root", str(root)]) == 0
    noted = capsys.readouterr().err.splitlines()
    assert [line.split(" ", 1)[1] for line in noted] == ["2 lanes diverged, 1 replicate ended early"]


def test_a_diverged_ticket_is_not_exported_and_a_later_one_is_not_there(root: Path, capsys: Captured) -> None:
    for round_number, problem in (
        ("1", "--round=1: the ticket of replicate 1 diverged at step 0, so it has no trained weights"),
        ("2", "it has rounds 0 to 2 of 4 replicates; replicate 1 ended in round 1"),
    ):
        which = ("--round", round_number, "--replicate", "1")
        assert main(["export", "last", *which, f"--output-root={root}"]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.endswith(problem)


@pytest.mark.slow
def test_copies_of_the_tickets_that_are_there_are_connected(root: Path, capsys: Captured) -> None:
    assert main(["connect", "last", "--rounds=1", f"--output-root={root}"]) == 0
    (folder,) = (run.folder for run in catalog.all_runs(root))
    rows = tables.read(folder, "connectivity").dropna()
    replicates = rows.groupby(["kind", "round"])["replicate"].unique().map(sorted).to_dict()
    assert replicates == {("orders", 1): [0, 2, 3], ("rounds", 1): [0, 2, 3]}
    before = tables.file_of(folder, "connectivity").stat().st_mtime_ns
    assert main(["connect", "last", "--rounds=1", f"--output-root={root}"]) == 0
    assert tables.file_of(folder, "connectivity").stat().st_mtime_ns == before


def test_tickets_of_an_ended_replicate_cannot_be_taken(root: Path, capsys: Captured) -> None:
    assert main(["run", f"output_root={root}", *QUICK, *MORE, "ticket=last"]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.endswith(
        "that run has no round_02 of replicate 1, which ended in round 1; ask for fewer rounds or replicates"
    )
    assert main(["run", f"output_root={root}", *QUICK, "ticket=last"]) == 0


@pytest.mark.slow
def test_runs_are_compared_without_diverged_lanes(root: Path, ltr_run: Run, capsys: Captured) -> None:
    torn = catalog.find(root, "last").folder.name
    assert main(["run", f"output_root={root}", *QUICK, *MORE, "prune_rate=0.3"]) == 0
    capsys.readouterr()
    assert main(["compare", torn, "last", f"--output-root={root}"]) == 0
    assert "without diverged lanes (A 1), which may bias differences" in capsys.readouterr().out


def test_a_run_in_python_knows_what_ended(root: Path) -> None:
    run = load("last", root)
    assert {replicate: end.round for replicate, end in run.ended.items()} == {1: 1}
    assert run.results["diverged_step"].notna().sum() == 2
    assert "its later rounds are not trained" in run._repr_html_()


def test_where_every_lane_diverges_the_run_ends_finished(
    tmp_path: Path, capsys: Captured, draw_figures: Callable[[], contextlib.AbstractContextManager[None]]
) -> None:
    with draw_figures():
        assert main(["run", f"output_root={tmp_path}", *QUICK, *WILD]) == 0
    printed = capsys.readouterr()
    said = lines_of(printed.out)
    assert "No training has a result." in said
    assert said[-1].startswith("Replicates 0 to 1 end in round 0, where the dense network diverged: ")
    assert "or an overflow may be the cause: try a lower optimizer.learning_rate," in printed.err
    assert "go on" not in printed.err
    (run,) = catalog.all_runs(tmp_path)
    assert run.status == catalog.FINISHED
    for words in (["show", "last"], ["report", "last"], ["ls"]):
        assert main([*words, f"--output-root={tmp_path}"]) == 0


@pytest.mark.slow
def test_a_diverged_ticket_of_finite_weights_is_shown_without_a_warning(
    tmp_path: Path, capsys: Captured
) -> None:
    """Its weights are so large that the activations overflow."""
    words = ("optimizer.name=sgd", "optimizer.learning_rate=1e19", "rounds=0", "steps=1", "eval_every=1")
    assert main(["run", f"output_root={tmp_path}", *QUICK, *words]) == 0
    run = load("last", tmp_path)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(run.ticket(0, 0).trained))
    capsys.readouterr()
    assert main(["show", "last", "--round=0", f"--output-root={tmp_path}"]) == 0
    shown = capsys.readouterr()
    assert "at step 1; it has no result" in shown.out
    assert shown.err == ""


@pytest.mark.slow
def test_a_layer_that_pruning_empties_ends_its_replicates(tmp_path: Path, capsys: Captured) -> None:
    words = ("prune_rate=0.99", "pruning=global", "rounds=5", "arms=[ticket]", "replicates=1")
    assert main(["run", f"output_root={tmp_path}", *QUICK, *words]) == 0
    printed = capsys.readouterr()
    assert "replicate 0: pruning emptied layer " in printed.err
    (said,) = (line for line in lines_of(printed.out) if line.startswith("Replicate 0 ends in round "))
    assert ", where pruning emptied layer " in said
    (run,) = catalog.all_runs(tmp_path)
    assert (run.status, run.info["summary"]["ended"]) == (catalog.FINISHED, 1)
