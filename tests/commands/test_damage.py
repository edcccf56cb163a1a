"""Damaged tables, and those of other versions: every command that reads them says what to do, in one line."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import ltr
from ltr.cli import main
from ltr.errors import LtrError
from ltr.store import tables
from ltr.store.catalog import SCHEMA_VERSION
from tests.commands.conftest import QUICK, Finished

Captured = pytest.CaptureFixture[str]
Damage = Callable[[Path], None]

READERS = {
    "show": ["show", "{folder}"],
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
        "lacks the columns replicate, arm",
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
    assert said.startswith(f"{path}: {problem}")
    assert said.endswith(f"; remove it, and {command} trains its lanes again")
    assert "\n" not in said


@pytest.mark.parametrize("reader", READERS)
def test_every_reader_says_it(reader: str, folder: Path, finished: Finished, capsys: Captured) -> None:
    truncate(folder / "results.parquet")
    *_, said = lines(READERS[reader], folder, finished, capsys)
    assert said.startswith(f"ltr {reader}: {folder / 'results.parquet'}: damaged; remove it, and ltr run ")


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
        f"ltr {reader}: {path}: schema version 5, and this ltr reads up to 4; install the version that wrote "
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
@pytest.mark.parametrize("content", [b"", b"[1]", b"\xff\xfe"])
def test_a_damaged_description_says_what_writes_it_anew(
    name: str, content: bytes, folder: Path, finished: Finished, capsys: Captured
) -> None:
    (folder / name).write_bytes(content)
    *_, said = lines(READERS["show"], folder, finished, capsys)
    assert said.startswith(f"ltr show: {folder / name}: ")
    assert said.endswith("; repeat the command of the run to rewrite it")


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
    assert said == f"ltr connect: {path}: damaged; remove it, and ltr connect {folder} measures it again"
