"""`ltr compare`: what differs between runs, and what came of it."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from ltr.cli import main
from ltr.config.parse import parse
from ltr.config.schema import Experiment, to_dict
from ltr.report.comparison import letter
from ltr.store import tables

Captured = pytest.CaptureFixture[str]


def results(gain: float) -> pd.DataFrame:
    """Round 0 and 1 of two replicates, the ticket's accuracy higher by so much."""
    lanes = [(r, p) for r in (0, 1) for p in (0, 1)]
    frame = pd.DataFrame(lanes, columns=["round", "replicate"])
    accuracy = 0.95 + 0.01 * frame["replicate"] + (gain + 0.001 * frame["replicate"]) * frame["round"]
    return frame.assign(
        arm="ticket",
        draw=0,
        density=0.8 ** frame["round"],
        early_stop_step=300,
        accuracy_at_early_stop=accuracy,
        final_accuracy=accuracy,
        censored=frame["round"] == 1,
        steps=1500,
        flops=1.0,
        early_bird_step=None,
        reached_outputs=10,
        dead_units=0,
        diverged_step=None,
        emptied_layer=None,
    )


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., str]:
    """Makes a run folder; returns its id."""

    def make(run_id: str, gain: float, **knobs: Any) -> str:
        folder = tmp_path / f"digits-lenet_300_100-{run_id}"
        folder.mkdir()
        (folder / "run.json").write_text(json.dumps({"id": run_id, "status": "finished"}))
        asked = {"rounds": 1, "replicates": 2} | knobs
        experiment = parse({"arm": to_dict(Experiment().arm)} | asked)
        (folder / "config.yaml").write_text(yaml.safe_dump(to_dict(experiment)))
        tables.write(folder, "results", results(gain))
        return run_id

    return make


@pytest.fixture
def pair(make: Callable[..., str]) -> list[str]:
    return [make("aaaaaaaaaa", 0.0), make("bbbbbbbbbb", 0.01, rewind_step=500)]


def compare(root: Path, *words: str) -> int:
    return main(["compare", *words, f"--output-root={root}"])


def test_text_says_what_differs_and_by_how_much(tmp_path: Path, pair: list[str], capsys: Captured) -> None:
    assert compare(tmp_path, *pair) == 0
    said = capsys.readouterr().out
    lines = said.splitlines()
    assert lines[0].startswith("A  ")
    assert lines[1] == "   rewind_step=default"
    assert lines[2].startswith("B  ")
    assert lines[3] == "   paired with A  rewind_step=500"
    assert lines[-1].split() == [
        "80.00",
        "%",
        "B",
        "96.55",
        "±",
        "6.99",
        ">",
        "300",
        "+1.00",
        "80.00",
        "%",
        "2",
    ]
    table = lines[lines.index("") :]
    assert max(map(len, table)) <= 80


def test_json_has_the_documented_keys(tmp_path: Path, pair: list[str], capsys: Captured) -> None:
    assert compare(tmp_path, *pair, "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert [list(one) for one in said["runs"]] == [["run", "paired", "rewind_step"]] * 2
    assert [one["rewind_step"] for one in said["runs"]] == [None, 500]
    assert list(said["rows"][0]) == [
        *("run", "round", "density", "n", "accuracy", "accuracy_ci95", "early_stop_step"),
        *("early_stop_step_ci95", "censored", "diverged"),
        *("difference", "difference_ci95", "difference_n", "p", "beside_density"),
    ]
    assert [row["difference"] is None for row in said["rows"]] == [True, False] * 2


def test_csv_and_markdown_have_the_same_rows(tmp_path: Path, pair: list[str], capsys: Captured) -> None:
    compare(tmp_path, *pair, "--csv")
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["run"] for row in rows] == ["0", "1", "0", "1"]
    compare(tmp_path, *pair, "--md")
    table = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert len(table) == 2 + len(rows)
    assert {line.count("|") for line in table} == {8}


def test_another_seed_is_not_paired(tmp_path: Path, make: Callable[..., str], capsys: Captured) -> None:
    compare(tmp_path, make("aaaaaaaaaa", 0.0), make("bbbbbbbbbb", 0.01, seed=1), "--json")
    said = json.loads(capsys.readouterr().out)
    assert [one["paired"] for one in said["runs"]] == [True, False]
    assert said["rows"][-1]["difference_ci95"] > 0.02


def test_an_arm_that_a_run_lacks_is_one_line(tmp_path: Path, pair: list[str], capsys: Captured) -> None:
    assert compare(tmp_path, *pair, "--arm=snip") == 2
    folder = tmp_path / "digits-lenet_300_100-aaaaaaaaaa"
    assert capsys.readouterr().err == f"ltr compare: arm snip: {folder} has ticket\n"


def test_what_cannot_be_compared_is_one_line(tmp_path: Path, pair: list[str], capsys: Captured) -> None:
    folder = tmp_path / "digits-lenet_300_100-aaaaaaaaaa"
    assert compare(tmp_path, pair[0]) == 2
    assert compare(tmp_path, pair[1], pair[0], str(folder)) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"ltr compare: {folder}: is one run; name two or more to compare (ltr show shows one)",
        f"ltr compare: aaaaaaaaaa, {folder}: both name {folder}; name different runs",
    ]


def test_replicates_that_are_left_out_are_said(tmp_path: Path, pair: list[str], capsys: Captured) -> None:
    table = results(0.01)
    folder = tmp_path / "digits-lenet_300_100-bbbbbbbbbb"
    tables.write(folder, "results", table[table["replicate"] == 0])
    for form in ([], ["--md"]):
        compare(tmp_path, *pair, *form)
        assert "over the 1 replicate that paired runs share (A has 2)" in capsys.readouterr().out


def test_knobs_of_the_machine_do_not_differ(
    tmp_path: Path, make: Callable[..., str], capsys: Captured
) -> None:
    compare(tmp_path, make("aaaaaaaaaa", 0.0, devices=1), make("bbbbbbbbbb", 0.01, tracker="wandb"), "--json")
    assert [list(one) for one in json.loads(capsys.readouterr().out)["runs"]] == [["run", "paired"]] * 2


def test_runs_beyond_z_are_numbered() -> None:
    assert [letter(place) for place in (0, 25, 26)] == ["A", "Z", "27"]


# Races


@pytest.fixture
def race(tmp_path: Path, make: Callable[..., str]) -> str:
    """A run of two searches in round 1 of two replicates."""
    masks = {"snip": {"mask": "snip"}, "one_shot": {"mask": "one_shot"}}
    run_id = make("aaaaaaaaaa", 0.0, arm=masks, arms=["ticket", *masks], control_rounds=[1])
    frame = results(0.0)
    of_round = frame[frame["round"] == 1]
    costs = {"ticket": 1.0, "snip": 0.01, "one_shot": 1.0}
    lanes = pd.concat([frame, *(of_round.assign(arm=arm) for arm in masks)], ignore_index=True)
    lanes["search_flops"] = lanes["arm"].map(costs) * lanes["round"]
    timings = lanes[["replicate", "arm", "draw", "round"]].assign(seconds=2.0, search_seconds=4.0)
    folder = tmp_path / f"digits-lenet_300_100-{run_id}"
    tables.write(folder, "results", lanes)
    tables.write(folder, "timings", timings)
    return run_id


def test_one_run_of_several_searches_is_a_race(tmp_path: Path, race: str, capsys: Captured) -> None:
    assert compare(tmp_path, race) == 0
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 80
    (line,) = (line for line in said.splitlines() if line.startswith("snip"))
    assert line.split() == ["snip", "95.55", "±", "6.99", "0.01*", "4.00", "100", "+0.00", "undecided"]
    compare(tmp_path, race, "--race")
    assert capsys.readouterr().out == said


def test_forms_of_a_race_have_the_same_rows(tmp_path: Path, race: str, capsys: Captured) -> None:
    compare(tmp_path, race, "--json")
    said = json.loads(capsys.readouterr().out)
    assert list(said["rows"][0]) == [
        *("run", "round", "density", "arm", "arm_density", "n", "lost", "accuracy", "accuracy_ci95", "cost"),
        *("cost_seconds", "times_less", "difference", "difference_interval", "pairs", "verdict", "on_front"),
    ]
    assert [row["arm"] for row in said["rows"]] == ["snip", "ticket", "one_shot"]
    compare(tmp_path, race, "--csv")
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["arm"] for row in rows] == ["snip", "ticket", "one_shot"]
    assert rows[0].keys() == said["rows"][0].keys()
    compare(tmp_path, race, "--md")
    table = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert len(table) == 2 + len(rows)


def test_several_runs_race_if_asked_to(
    tmp_path: Path, race: str, make: Callable[..., str], capsys: Captured
) -> None:
    other = make("bbbbbbbbbb", 0.01, arms=["ticket"], rewind_step=500)
    folder = tmp_path / f"digits-lenet_300_100-{other}"
    tables.write(folder, "timings", results(0.0)[["replicate", "arm", "draw", "round"]].assign(seconds=1.0))
    assert compare(tmp_path, race, other) == 0
    assert "difference from A" in capsys.readouterr().out
    assert compare(tmp_path, race, other, "--race") == 0
    said = capsys.readouterr().out
    assert "   paired with A  arms=[ticket]  control_rounds=default  rewind_step=500" in said
    (line,) = (line for line in said.splitlines() if line.startswith("B ticket"))
    assert line.split() == ["B", "ticket", "96.55", "±", "6.99", "?", "?", "+1.00", "undecided"]
    assert "Unknown cost: B ticket." in said


def test_no_race_is_one_line(tmp_path: Path, pair: list[str], capsys: Captured) -> None:
    folder = tmp_path / "digits-lenet_300_100-aaaaaaaaaa"
    assert compare(tmp_path, pair[0], "--race") == 2
    assert capsys.readouterr().err == (
        f"ltr compare: {folder}: has no two searches beside the ticket, so there is no race; "
        "see the arms of experiment=search_race\n"
    )
