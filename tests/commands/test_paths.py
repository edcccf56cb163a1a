"""Tickets and controls through which no path leads: every command says so."""

import json
from pathlib import Path

import pytest

from ltr.cli import main
from ltr.store import catalog, tables
from tests.commands.conftest import QUICK

Captured = pytest.CaptureFixture[str]

SPARSE = ("rounds=2", "replicates=3", "prune_rate=0.98", "arms=[ticket,random_mask]", "claims.densities=[]")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, compile_once: None) -> Path:
    """A run whose tickets keep so few weights that none is joined to another."""
    root = tmp_path_factory.mktemp("sparse")
    assert main(["run", f"output_root={root}", *QUICK, *SPARSE]) == 0
    return root


SENTENCE = (
    "No path of kept weights leads from an input to an output of the ticket at 0.56 % (3 of 3 lanes); a "
    "random mask at 0.56 % (3 of 3 lanes)."
)


def test_the_results_count_outputs_that_are_reached_and_dead_units(root: Path) -> None:
    (run,) = catalog.all_runs(root)
    results = tables.read(run.folder, "results").set_index("round")
    assert results.loc[0, ["reached_outputs", "dead_units"]].drop_duplicates().values.tolist() == [[10, 0]]
    assert results.loc[2, ["reached_outputs", "dead_units"]].drop_duplicates().values.tolist() == [[0, 410]]
    assert results.loc[1, "dead_units"].between(1, 409).all()


def test_findings_and_claims_name_networks_without_a_path(root: Path, capsys: Captured) -> None:
    assert main(["show", "last", f"--output-root={root}"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert SENTENCE in said
    assert "so its accuracy is that of a guess, and no finding." in said
    assert said.count("at 0.56 % with networks that no path leads through") == 5


@pytest.mark.usefixtures("pages_without_figures")
def test_json_and_the_page_count_them(root: Path, capsys: Captured) -> None:
    assert main(["show", "last", "--json", f"--output-root={root}"]) == 0
    said = json.loads(capsys.readouterr().out)
    cells = [
        {arm: (row["disconnected"], row["dead_units"]) for arm, row in one["arms"].items()}
        for one in said["rounds"]
    ]
    assert cells[0] == {"ticket": (0, 0)}
    assert cells[2] == {"ticket": (3, 410), "random_mask": (3, 410)}
    (structure,) = (claim for claim in said["claims"] if claim["claim"] == "structure")
    assert [(one["n"], one["disconnected"]) for one in structure["rounds"]] == [(3, 0), (3, 3)]
    assert main(["report", "last", f"--output-root={root}"]) == 0
    page = Path(capsys.readouterr().out.strip()).read_text()
    assert SENTENCE in page
    assert '<data value="3">3 without a path</data>' in page


def test_a_ticket_is_shown_with_its_dead_units_by_layer(root: Path, capsys: Captured) -> None:
    assert main(["show", "last", "--round", "2", f"--output-root={root}"]) == 0
    lines = [line.split(maxsplit=2) for line in capsys.readouterr().out.splitlines()]
    assert ["outputs", "reached", "0 of 10: every image gets the same answer"] in lines
    assert ["dead", "units", "dense_1 300, dense_2 100, output 10"] in lines
    assert main(["show", "last", "--round", "0", "--json", f"--output-root={root}"]) == 0
    whole = json.loads(capsys.readouterr().out)
    assert (whole["outputs"], whole["reached_outputs"]) == (10, 10)
    assert whole["dead_units"] == {"dense_1": 0, "dense_2": 0, "output": 0}
    assert whole["diverged_step"] is None
