"""Every file of a run, damaged in every way: one line, or the answer of the whole run, and never another."""

import contextlib
import itertools
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file

import ltr
from ltr.cli import main
from ltr.errors import LtrError
from ltr.store import looks
from ltr.store.catalog import Run
from ltr.store.damage import DAMAGED, MISSING
from tests.commands.conftest import QUICK, Finished

pytestmark = pytest.mark.usefixtures("pages_without_figures")

Captured = pytest.CaptureFixture[str]
Damage = Callable[[Path], object]

WORDS = (*QUICK, "replicates=4", "tracker=tensorboard")

READERS = {
    "show": "show {folder} --json",
    "show --round": "show {folder} --round 1 --replicate 1 --json",
    "ls": "ls --output-root {root} --json",
    "report": "report {folder} --output {output}.html",
    "compare": "compare {folder} {other} --json",
    "export": "export {folder} --round 1 --output {output}.safetensors",
    "connect": "connect {folder} --json",
    "doctor": "doctor {folder} --json",
}


class Answer(NamedTuple):
    """What a command says and writes.

    Attributes:
        code: its exit code.
        said: standard output, and the bytes of the file that it writes, if it writes any.
        errors: lines of standard error.
    """

    code: int
    said: tuple[str, bytes]
    errors: list[str]


def content(file: Path) -> bytes:
    """The content of a file; of safetensors the tensors alone, whose metadata have no fixed order."""
    if file.suffix != ".safetensors":
        return file.read_bytes()
    return b"".join(tensor.tobytes() for _, tensor in sorted(load_file(file).items()))


class Subject(NamedTuple):
    """A run and another one to compare it with.

    Attributes:
        folder: of the run, which is damaged and restored.
        copy: of the folder, never damaged.
        other: folder of the other run.
        output: path without an ending of the files that commands write.
        words: words of the command of the run.
    """

    folder: Path
    copy: Path
    other: Path
    output: Path
    words: tuple[str, ...]

    def ask(self, reader: str, capsys: Captured) -> Answer:
        """What a reader answers."""
        names = {"root": self.folder.parent, **self._asdict()}
        for file in self.output.parent.glob(f"{self.output.name}.*"):
            file.unlink()
        code = main([word.format(**names) for word in READERS[reader].split()])
        out, err = capsys.readouterr()
        written = [content(file) for file in sorted(self.output.parent.glob(f"{self.output.name}.*"))]
        return Answer(code, (out, b"".join(written)), err.splitlines())

    def restore(self) -> None:
        """Replace the folder by its copy."""
        shutil.rmtree(self.folder)
        shutil.copytree(self.copy, self.folder)


class Whole(NamedTuple):
    """What every reader answers, and `ltr.load` gives, before anything is damaged."""

    answers: dict[str, Answer]
    loaded: dict[str, bytes]


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory, compile_once: None) -> Subject:
    """A finished run that was looked at twice, with measured connections."""
    root = tmp_path_factory.mktemp("runs")
    for words in (("replicates=3",), (), ("seed=1",)):
        assert main(["run", f"output_root={root}", *WORDS, *words]) == 0
    folder, other = sorted((run.parent for run in root.glob("*/run.json")), key=_seed)
    assert len(looks.read(folder)) == 2
    assert main(["connect", str(folder)]) == 0
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    return Subject(
        folder,
        shutil.copytree(folder, elsewhere / "copy"),
        other.rename(elsewhere / other.name),
        elsewhere / "output",
        WORDS,
    )


def _seed(folder: Path) -> int:
    return Run(folder).experiment().seed


def flipped(place: float) -> Damage:
    """Flips a bit of the byte at a place between 0 and 1."""

    def damage(path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[int(place * (len(content) - 1))] ^= 1
        path.write_bytes(content)

    return damage


def truncated(share: float) -> Damage:
    return lambda path: path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])


DAMAGES: dict[str, Damage] = {
    "first byte": flipped(0),
    "middle byte": flipped(0.5),
    "last byte": flipped(1),
    "half": truncated(0.5),
    "all but an end": truncated(0.99),
    "emptied": truncated(0),
    "removed": Path.unlink,
}


def harm(path: Path, how: str) -> None:
    """Damage a file as a bad disk does, without a new time of its last change."""
    before = path.stat()
    DAMAGES[how](path)
    if path.exists():
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def files(folder: Path) -> list[str]:
    """Every file of a folder that has content, by its name below it."""
    found = (path for path in folder.rglob("*") if path.is_file() and path.stat().st_size)
    return sorted(str(path.relative_to(folder)) for path in found)


def is_right(reader: str, answer: Answer, expected: Answer, part: Path) -> bool:
    """Whether an answer is the expected one, or says which part is damaged and gives no other number."""
    parts = [part, *(path for path in part.parents if "checkpoints" in path.parent.parts)]
    is_said = any(f"{path}: " in line for path in parts for line in answer.errors)
    is_one_line = len(answer.errors) == 1 and answer.errors[0].startswith(f"ltr {reader.split()[0]}: ")
    if answer.said == expected.said and answer.code == 0:
        return True
    if reader == "doctor":
        return answer.code == 1 and any(f'"state": "{word}"' in answer.said[0] for word in (DAMAGED, MISSING))
    if reader == "ls":
        return answer.code == 0 and f'"status": "{DAMAGED}"' in answer.said[0]
    if reader == "report" and answer.code == 0:
        return is_one_line and is_said and answer.errors[0].endswith("; the page leaves out the masks")
    return (answer.code, answer.said[0]) == (1, "") and is_one_line and is_said


def loaded(folder: Path) -> dict[str, bytes]:
    """What `ltr.load` gives of a run, by name; what it refuses is left out."""
    found: dict[str, bytes] = {}
    with contextlib.suppress(LtrError):
        run = ltr.load(folder)
        tables = {name: partial(getattr, run, name) for name in ("results", "metrics", "rounds", "claims")}
        tickets = {f"ticket {key}": partial(run.ticket, *key) for key in itertools.product((0, 1), range(4))}
        for name, read in (tables | tickets).items():
            with contextlib.suppress(LtrError):
                found |= {f"{name}{place}": content for place, content in contents(read())}
    return found


def contents(value: Any) -> Iterator[tuple[str, bytes]]:
    """The bytes of a table, or of each array of a ticket."""
    if isinstance(value, pd.DataFrame):
        yield "", value.to_csv().encode()
        return
    for path, leaf in jax.tree_util.tree_leaves_with_path(value):
        yield jax.tree_util.keystr(path), np.asarray(leaf).tobytes()


def assert_restored(subject: Subject, whole: Whole, name: str, capsys: Captured) -> None:
    """The command of the run, after `ltr doctor --repair` if it asks for that, makes everything again.

    So does `ltr connect` with what it measured. But looks nothing can make again: lost ones are said, and
    later verdicts are not corrected.
    """
    words = ["run", f"output_root={subject.folder.parent}", *subject.words]
    if main(words):
        repair(subject, capsys.readouterr().err.splitlines(), capsys)
        assert main(words) == 0
    capsys.readouterr()
    if "connect" in whole.answers:
        answer = subject.ask("connect", capsys)
        if answer.code:
            repair(subject, answer.errors, capsys)
            answer = subject.ask("connect", capsys)
        assert answer.said == whole.answers["connect"].said
    assert subject.ask("doctor", capsys).code == 0
    found = loaded(subject.folder)
    assert found.keys() == whole.loaded.keys()
    assert different(found, whole.loaded) <= ({"claims"} if name == looks.FILE else set())


def repair(subject: Subject, errors: list[str], capsys: Captured) -> None:
    """Do what the last line of a refusal says."""
    assert f"ltr doctor {subject.folder} --repair" in errors[-1]
    main(["doctor", str(subject.folder), "--repair"])
    capsys.readouterr()


def different(found: dict[str, bytes], expected: dict[str, bytes]) -> set[str]:
    """Names of what is not as expected."""
    return {name for name, content in found.items() if content != expected[name]}


def assert_survives(subject: Subject, whole: Whole, name: str, how: str, capsys: Captured) -> None:
    """No reader gives another answer for a file that is damaged, and the run's command makes it again."""
    try:
        harm(subject.folder / name, how)
        for reader, expected in whole.answers.items():
            answer = subject.ask(reader, capsys)
            assert is_right(reader, answer, expected, subject.folder / name), (name, how, reader, answer)
        assert different(loaded(subject.folder), whole.loaded) == set()
        assert_restored(subject, whole, name, capsys)
    finally:
        subject.restore()


def damaged(folder: Path, how: str) -> list[str]:
    """Every file to damage so; a figure that is gone is no longer listed, which is no error."""
    return [name for name in files(folder) if not (name.startswith("figures/") and how == "removed")]


def answers(subject: Subject, readers: Iterable[str], capsys: Captured) -> Whole:
    """The answers of readers before any damage."""
    return Whole({reader: subject.ask(reader, capsys) for reader in readers}, loaded(subject.folder))


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("how", DAMAGES)
def test_every_damage_of_every_file(how: str, subject: Subject, capsys: Captured) -> None:
    whole = answers(subject, READERS, capsys)
    names = damaged(subject.copy, how)
    for name in names:
        assert_survives(subject, whole, name, how, capsys)
    print(f"{how}: {len(names)} of {len(files(subject.copy))} files, {len(READERS)} readers of each")


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("looks.json", "removed"),
        pytest.param("metrics.parquet", "middle byte", marks=pytest.mark.slow),
        pytest.param("checkpoints/round_01/0-1.zip", "half", marks=pytest.mark.slow),
    ],
)
def test_some_damages(
    name: str, how: str, finished: Finished, root: Path, tmp_path: Path, capsys: Captured
) -> None:
    shutil.copytree(finished.root, root)
    (folder,) = root.iterdir()
    (copy,) = finished.root.iterdir()
    subject = Subject(folder, copy, copy, tmp_path / "output", QUICK)
    whole = answers(subject, ("show", "show --round", "ls", "doctor"), capsys)
    assert_survives(subject, whole, name, how, capsys)
