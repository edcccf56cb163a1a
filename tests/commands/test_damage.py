"""Missing and damaged parts of a run, and those of other versions: one line says what to do."""

import dataclasses
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import ltr
from ltr.cli import main
from ltr.errors import LtrError
from ltr.experiment.session import Session
from ltr.models.lenet import lenet_300_100
from ltr.models.model import Model
from ltr.models.registry import NETWORKS
from ltr.store import tables
from ltr.store.catalog import SCHEMA_VERSION
from tests.commands.conftest import QUICK, Finished
from tests.fixtures import Registered
from tests.marks import slow, slow_but

pytestmark = pytest.mark.usefixtures("pages_without_figures")

Captured = pytest.CaptureFixture[str]
Damage = Callable[[Path], None]

READERS = {
    "show": ["show", "{folder}"],
    "show --round": ["show", "{folder}", "--round", "1"],
    "report": ["report", "{folder}"],
    "compare": ["compare", "{folder}", "{other}"],
    "export": ["export", "{folder}", "--round", "1"],
    "connect": ["connect", "{folder}", "--output-root", "{root}"],
    "run": ["run", "output_root={root}", *QUICK],
}


@pytest.fixture
def folder(finished: Finished, root: Path) -> Path:
    """The folder of a run, to be damaged."""
    shutil.copytree(finished.root, root)
    (folder,) = (path.parent for path in root.glob("*/run.json"))
    return folder


def lines(words: Sequence[str], folder: Path, finished: Finished, capsys: Captured) -> list[str]:
    """What a command that fails says on standard error."""
    (other,) = (path.parent for path in finished.root.glob("*/run.json"))
    names = {"folder": folder, "other": other, "root": folder.parent}
    assert main([word.format(**names) for word in words]) == 1
    return capsys.readouterr().err.splitlines()


def change(**columns: object) -> Damage:
    """Write a table with these columns, or without those that are None."""

    def damage(path: Path) -> None:
        table = pq.read_table(path).to_pandas().assign(**columns)
        dropped = [name for name, value in columns.items() if value is None]
        pq.write_table(pa.Table.from_pandas(table.drop(columns=dropped), preserve_index=False), path)

    return damage


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


DAMAGES: dict[str, tuple[Damage, str]] = {
    "empty": (lambda path: path.write_bytes(b"") and None, "damaged"),
    "truncated": (truncate, "damaged"),
    "garbage": (lambda path: path.write_text("replicate,arm\n0,ticket\n") and None, "damaged"),
    "lacks a column": (change(density=None, arm=None), "lacks the columns arm, density"),
    "of words": (change(density="dense"), "column density holds string, not number"),
    "of gaps": (change(density=float("nan")), "column density lacks values"),
    "of another table": (
        lambda path: pq.write_table(pa.table({"a": [1]}), path),
        "lacks the columns replicate, arm, draw, round, density, early_stop_step, accuracy_at_early_stop, "
        "final_accuracy, censored, steps, flops",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_table_says_what_makes_it_again(damage: str, folder: Path) -> None:
    path = folder / "results.parquet"
    alter, problem = DAMAGES[damage]
    alter(path)
    with pytest.raises(LtrError) as caught:
        tables.read(folder, "results")
    said = str(caught.value)
    command = json.loads((folder / "run.json").read_text())["sessions"][-1]["command"]
    assert said == (
        f"{path}: {problem}; lost: the results of every lane; restore it from a copy, or type ltr doctor "
        f"{folder} --repair, which moves it aside, and {command} trains every lane again"
    )
    assert "\n" not in said


@pytest.mark.parametrize("reader", READERS)
def test_every_reader_says_it(reader: str, folder: Path, finished: Finished, capsys: Captured) -> None:
    truncate(folder / "results.parquet")
    *_, said = lines(READERS[reader], folder, finished, capsys)
    command = reader.split()[0]
    assert said.startswith(f"ltr {command}: {folder / 'results.parquet'}: damaged; lost: the results of ")


@pytest.mark.parametrize("reader", ["show", "connect", "run"])
def test_a_run_of_a_later_version_is_refused(
    reader: str, folder: Path, finished: Finished, capsys: Captured
) -> None:
    path = folder / "run.json"
    info = json.loads(path.read_text())
    info["sessions"][-1] |= {"commit": "abc", "versions": {"ltr": "9.9"}}
    path.write_text(json.dumps(info | {"schema_version": SCHEMA_VERSION + 1}))
    before = path.read_bytes()
    assert lines(READERS[reader], folder, finished, capsys)[-1] == (
        f"ltr {reader}: {path}: schema version 6, and this ltr reads up to 5; install the version that wrote "
        "it (ltr 9.9, commit abc) or a later one"
    )
    assert path.read_bytes() == before
    assert main(["ls", "--output-root", str(folder.parent)]) == 0


def test_a_configuration_of_another_version_names_the_file(
    folder: Path, finished: Finished, capsys: Captured
) -> None:
    path = folder / "config.yaml"
    path.write_text(f"pruned: 3\n{path.read_text()}")
    for reader in ("show", "run"):
        *_, said = lines(READERS[reader], folder, finished, capsys)
        assert said.startswith(f"ltr {reader}: {path}: pruned: unknown knob")
        assert "install the version" in said


@pytest.mark.parametrize("name", ["run.json", "config.yaml"])
@pytest.mark.parametrize("content", [b"", b"[1]", b"\xff\xfe", None])
def test_a_lost_description_says_what_writes_it_anew(
    name: str, content: bytes | None, folder: Path, finished: Finished, capsys: Captured
) -> None:
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    *_, said = lines(READERS["show"], folder, finished, capsys)
    problem = "missing" if content is None else "damaged"
    assert said.startswith(f"ltr show: {folder / name}: {problem}; lost: the co")
    assert said.endswith(" writes it anew and trains no lane again")


def test_the_command_of_a_run_makes_again_what_was_damaged_or_removed(folder: Path) -> None:
    before = ltr.load(folder).results
    for name in ("run.json", "config.yaml"):
        (folder / name).write_bytes(b"[1]")
    (folder / "metrics.parquet").unlink()
    assert main(["run", f"output_root={folder.parent}", *QUICK]) == 0
    assert ltr.load(folder).run.status == "finished"
    pd.testing.assert_frame_equal(ltr.load(folder).results, before)


def test_connections_are_measured_again(folder: Path, finished: Finished, capsys: Captured) -> None:
    path = folder / "connectivity.parquet"
    path.write_bytes(b"PAR1")
    *_, said = lines(READERS["connect"], folder, finished, capsys)
    assert said == (
        f"ltr connect: {path}: damaged; lost: the barriers; restore it from a copy, or type ltr doctor "
        f"{folder} --repair, which moves it aside, and ltr connect {folder} measures them again"
    )


def truncated_to(share: float) -> Damage:
    return lambda path: path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)]) and None


def change_a_digit(path: Path) -> None:
    """Change one digit to another, as a bad disk or an editor could."""
    content = bytearray(path.read_bytes())
    place = next(place for place in range(len(content) // 2, len(content)) if chr(content[place]).isdigit())
    content[place] ^= 1
    path.write_bytes(content)


HARMS = {
    "removed": lambda path: path.unlink(),
    "emptied": truncated_to(0),
    "truncated": truncated_to(0.6),
    "a digit": change_a_digit,
}

LOST = {
    "run.json": "the commands of the run and its arithmetic",
    "config.yaml": "the configuration, with all that earlier commands requested",
    "looks.json": "the looks, for which later verdicts are corrected",
    "metrics.parquet": "the learning curves of every lane",
    "results.parquet": "the results of every lane",
    "timings.parquet": "the times of every lane",
    "checkpoints/initial/0-1.zip": "the initial weights of replicate",
    "checkpoints/round_01/0-1.zip": "the tickets of round_01 of replicate",
}

WITHOUT: dict[str, set[str]] = {
    "run.json": set(),
    "config.yaml": set(),
    "looks.json": {"show --round", "export", "compare"},
    "metrics.parquet": {"show", "show --round", "export", "compare"},
    "results.parquet": set(),
    "timings.parquet": {"show", "show --round", "export", "compare"},
    "checkpoints/initial/0-1.zip": {"show", "compare"},
    "checkpoints/round_01/0-1.zip": {"show", "compare"},
}
"""Readers that do not need a file, and show what they show without it."""


def harm(folder: Path, name: str, how: str) -> str:
    """Damage a part of a run, and return what every command must say of it."""
    path = folder / name
    HARMS[how](path)
    if how == "removed" and name.startswith("checkpoints"):
        return f"{path.parent}: missing; lost: {LOST[name]}"
    return f"{path}: {'missing' if how == 'removed' else 'damaged'}; lost: {LOST[name]}"


def assert_said(reader: str, said: str, folder: Path, finished: Finished, capsys: Captured) -> None:
    """A command fails, or leaves a part of a page out, and names what is lost on one line."""
    (other,) = (path.parent for path in finished.root.glob("*/run.json"))
    words = [word.format(folder=folder, other=other, root=folder.parent) for word in READERS[reader]]
    code, command = main(words), words[0]
    *_, line = capsys.readouterr().err.splitlines()
    assert line.startswith(f"ltr {command}: {said}"), reader
    is_left_out = line.endswith("; the page leaves out the masks")
    assert code == (0 if is_left_out else 1)


@pytest.mark.parametrize("name", LOST)
def test_every_command_that_needs_a_part_says_what_is_lost(
    name: str, folder: Path, finished: Finished, capsys: Captured
) -> None:
    said = harm(folder, name, "a digit")
    for reader in READERS.keys() - {"run"} - WITHOUT[name]:
        assert_said(reader, said, folder, finished, capsys)
    (other,) = (path.parent for path in finished.root.glob("*/run.json"))
    for reader in WITHOUT[name]:
        assert main([word.format(folder=folder, other=other) for word in READERS[reader]]) == 0
    capsys.readouterr()


@pytest.mark.slow
@pytest.mark.parametrize("how", HARMS)
@pytest.mark.parametrize("name", LOST)
def test_every_kind_of_damage_is_said(
    name: str, how: str, folder: Path, finished: Finished, capsys: Captured
) -> None:
    said = harm(folder, name, how)
    for reader in READERS.keys() - {"run", "connect"} - WITHOUT[name]:
        assert_said(reader, said, folder, finished, capsys)


@pytest.mark.parametrize(
    "name", [slow("metrics.parquet"), "checkpoints/initial/0-1.zip", "checkpoints/round_01/0-1.zip"]
)
def test_nothing_is_trained_again_without_a_word(
    name: str, folder: Path, finished: Finished, capsys: Captured
) -> None:
    before = ltr.load(folder).results
    said = harm(folder, name, "removed")
    assert main(["run", f"output_root={folder.parent}", *QUICK]) == 0
    assert [line for line in capsys.readouterr().err.splitlines() if line.startswith(f"ltr: {said}")]
    pd.testing.assert_frame_equal(ltr.load(folder).results, before)
    assert main(["doctor", str(folder)]) == 0, "everything is made again"
    capsys.readouterr()


def test_a_digit_of_the_configuration_is_blamed_on_no_knob(folder: Path, capsys: Captured) -> None:
    path = folder / "config.yaml"
    before = path.read_bytes()
    path.write_bytes(before.replace(b"steps: 20\n", b"steps: 30\n"))
    altered = path.read_bytes()
    assert altered != before
    assert main(["run", f"output_root={folder.parent}", *QUICK]) == 0
    assert f"ltr: {path}: damaged; lost: the configuration" in capsys.readouterr().err
    assert ltr.load(folder).experiment.steps.amount == 20
    assert (folder / "config.yaml.damaged").read_bytes() == altered


def test_a_list_of_runs_says_which_are_damaged(folder: Path, capsys: Captured) -> None:
    said = harm(folder, "run.json", "a digit")
    assert main(["ls", "--output-root", str(folder.parent)]) == 0
    out, err = capsys.readouterr()
    assert "damaged" in out
    assert err.startswith(said)


def test_a_damaged_run_gives_no_tickets(folder: Path, capsys: Captured) -> None:
    for name in ("round_01/0-1.zip", "initial/0-1.zip"):
        said = harm(folder, f"checkpoints/{name}", "removed")
        assert main(["plan", f"output_root={folder.parent}", *QUICK, f"ticket={folder.name}", "seed=1"]) == 1
        assert capsys.readouterr().err.startswith(f"ltr plan: {said}")


def test_doctor_finds_a_whole_run_whole(folder: Path, capsys: Captured) -> None:
    assert main(["doctor", str(folder)]) == 0
    title, heading, *lines = [line for line in capsys.readouterr().out.splitlines() if line]
    assert (title, heading.split()) == (str(folder), ["part", "state"])
    states = dict(line.split() for line in lines)
    assert states == dict.fromkeys([*LOST, "checkpoints/round_00/0-1.zip"], "whole")


def test_doctor_calls_files_of_before_checksums_unchecked(folder: Path, capsys: Captured) -> None:
    for name in ("run.json", "looks.json"):
        content = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps({key: content[key] for key in content if key != "checksum"}))
    config, table = folder / "config.yaml", folder / "timings.parquet"
    config.write_text(config.read_text().partition("\n")[2])
    pq.write_table(pq.read_table(table), table)
    assert main(["doctor", str(folder), "--repair", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["set_aside"] == {}
    states = {part["part"]: part["state"] for part in found["parts"]}
    unchecked = ("run.json", "config.yaml", "looks.json", "timings.parquet")
    assert {name for name, state in states.items() if state == "unchecked"} == {*unchecked}
    assert {state for name, state in states.items() if name not in unchecked} == {"whole"}


@pytest.mark.parametrize(
    "name", slow_but({"run.json", "metrics.parquet", "checkpoints/initial/0-1.zip"}, LOST)
)
def test_doctor_sets_damaged_parts_aside_and_deletes_nothing(
    name: str, folder: Path, finished: Finished, capsys: Captured
) -> None:
    before = ltr.load(folder).results
    said = harm(folder, name, "a digit")
    assert main(["doctor", str(folder), "--json"]) == 1
    parts = json.loads(capsys.readouterr().out)["parts"]
    (damaged,) = (part for part in parts if part["state"] != "whole")
    assert f"{folder / damaged['part']}: {damaged['state']}; lost: {damaged['lost']}".startswith(said)

    files = sorted(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    main(["doctor", str(folder), "--repair"])
    out = capsys.readouterr().out
    assert f"set aside: {name}, now {Path(name).name}.damaged" in out
    assert max(map(len, out.replace(str(folder), "RUN").splitlines())) <= 80
    assert not (folder / name).exists()
    assert sorted(path.read_bytes() for path in folder.rglob("*") if path.is_file()) == files

    assert main(["run", f"output_root={folder.parent}", *QUICK]) == 0
    assert main(["doctor", str(folder)]) == 0
    pd.testing.assert_frame_equal(ltr.load(folder).results, before)
    capsys.readouterr()


def test_doctor_leaves_one_file_by_which_the_folder_is_found(folder: Path, capsys: Captured) -> None:
    for name in ("run.json", "config.yaml"):
        (folder / name).write_text("{")
    assert main(["doctor", str(folder), "--repair", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["set_aside"] == {"run.json": "run.json.damaged"}
    assert main(["run", f"output_root={folder.parent}", *QUICK]) == 0
    assert main(["doctor", str(folder)]) == 0
    assert (folder / "config.yaml.damaged").exists()


def test_doctor_repairs_a_run_by_name_only(folder: Path, capsys: Captured) -> None:
    assert main(["doctor", "--repair"]) == 2
    assert main(["doctor", str(folder), "--measure"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[1] for line in said] == ["--repair", "--measure"]


@pytest.mark.parametrize("is_replaced", [False, True])
@pytest.mark.parametrize("trained", [slow(1), 2])
def test_a_folder_that_is_removed_while_it_trains_is_noticed(
    is_replaced: bool, trained: int, root: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit, trainings = Session.commit, []

    def remove_and_commit(self: Session, *arguments: Any) -> None:
        trainings.append(self.folder.path)
        if len(trainings) == trained:
            shutil.rmtree(self.folder.path)
            if is_replaced:
                self.folder.path.mkdir()
        commit(self, *arguments)

    monkeypatch.setattr(Session, "commit", remove_and_commit)
    assert main(["run", f"output_root={root}", *QUICK]) == 1
    path = trainings[0]
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"ltr run: {path}: was removed, moved or replaced while it was open; nothing more is written"
    )
    assert len(trainings) == trained
    assert [*root.rglob("*")] == ([path] if is_replaced else [])


@pytest.mark.parametrize("reader", ["export", "show --round", "run", "connect"])
def test_a_network_that_changed_since_is_refused(
    reader: str, folder: Path, finished: Finished, capsys: Captured, registered: Registered
) -> None:
    def narrower(config: Any, image_shape: tuple[int, int, int], classes: int) -> Model:
        return lenet_300_100(dataclasses.replace(config, width=0.9), image_shape, classes)

    registered(NETWORKS, NETWORKS["lenet_300_100"], narrower)
    words = ["rounds=2"] if reader == "run" else []
    *_, said = lines([*READERS[reader], *words], folder, finished, capsys)
    assert said.startswith(f"ltr {reader.split()[0]}: {folder / 'checkpoints'}/")
    assert " is float32[300] there and float32[270] here; the network has changed since: " in said
