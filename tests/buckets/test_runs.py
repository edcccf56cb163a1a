"""Runs in a bucket: the same as on a disk, whoever is killed, and whoever else writes."""

import contextlib
import errno
import itertools
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
import pytest

import ltr
from ltr.addresses import local
from ltr.buckets import bucket as buckets
from ltr.buckets import lease
from ltr.buckets.bucket import Bucket, Version
from ltr.cli import main
from ltr.errors import LtrError
from ltr.experiment.compose import from_words
from ltr.store.opening import open_run
from tests.buckets.conftest import Afresh, objects
from tests.commands.conftest import QUICK as OF_COMMANDS
from tests.faults import disk
from tests.marks import slow_but

pytestmark = pytest.mark.usefixtures("compile_once", "rough_times")

Captured = pytest.CaptureFixture[str]

QUICK = (*OF_COMMANDS, "checkpoint_every=1e-6")


UNDER_WAY = "{}/checkpoints/under_way.zip"


class _KilledError(BaseException):
    """The process ends here."""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the run on a disk."""
    root = tmp_path_factory.mktemp("disk")
    return ltr.run(f"output_root={root}", *QUICK).folder


def uploaded(run: Path, address: str) -> None:
    """Put the files of a run folder into a bucket."""
    bucket, key = Bucket(address), address.split("/", 3)[3]
    for file in run.rglob("*"):
        if file.is_file():
            bucket.write(f"{key}/{run.name}/{file.relative_to(run).as_posix()}", file, None)


def require_same(folder: Path, address: str) -> None:
    """The run in the bucket is finished, and has the results, learning curves and tickets of the other."""
    found, wanted = ltr.load(folder.name, address), ltr.load(folder)
    assert found.run.status == "finished"
    for name in ("results", "metrics"):
        pd.testing.assert_frame_equal(getattr(found, name), getattr(wanted, name))
    found.require_checkpoints()
    for round_number, replicate in itertools.product((0, 1), (0, 1)):
        tickets = [run.ticket(round_number, replicate) for run in (found, wanted)]
        jax.tree.map(np.testing.assert_array_equal, *tickets)
    names = {name for name in objects(address) if name.startswith(f"{folder.name}/checkpoints/")}
    names -= {UNDER_WAY.format(folder.name)}  # stays if the process is killed before it removes it
    assert names == {path.relative_to(folder.parent).as_posix() for path in folder.glob("checkpoints/*/*")}


# One writer


def test_a_run_is_that_of_a_disk(undisturbed: Path, bucket: str, afresh: Afresh, capsys: Captured) -> None:
    assert main(["run", f"output_root={bucket}", *QUICK]) == 0
    shown = capsys.readouterr()
    assert f"run {bucket}/{undisturbed.name}: " in shown.err
    assert str(local(bucket)) not in shown.out + shown.err
    assert not [*local(bucket).rglob("*.zip")]
    afresh()
    require_same(undisturbed, bucket)
    before = objects(bucket)
    assert UNDER_WAY.format(undisturbed.name) not in before
    assert main(["run", f"output_root={bucket}", *QUICK]) == 0
    after = objects(bucket)
    assert {name for name in after if before.get(name) != after[name]} == {f"{undisturbed.name}/.lock"}


def test_a_full_disk_names_the_folder_for_temporary_files(
    undisturbed: Path, bucket: str, afresh: Afresh, capsys: Captured
) -> None:
    assert main(["run", f"output_root={bucket}", *QUICK]) == 0
    capsys.readouterr()
    afresh()
    with disk(local(bucket) / undisturbed.name / ".metrics", 0, True, errno.ENOSPC):
        assert main(["run", f"output_root={bucket}", *QUICK]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"ltr run: TMPDIR={tempfile.gettempdir()}: {os.strerror(errno.ENOSPC)}"


@contextlib.contextmanager
def killed_at(number: int) -> Iterator[None]:
    """Kill this process at a write to a bucket, after which it writes nothing more."""
    write, delete, left = Bucket._write, Bucket.delete, [number]

    def counted(*arguments: Any) -> Version:
        left[0] -= 1
        if left[0] < 0:
            raise _KilledError
        return write(*arguments)

    def never_again(*arguments: Any) -> None:
        if left[0] < 0:
            raise _KilledError
        delete(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Bucket, "_write", counted)
        patch.setattr(Bucket, "delete", never_again)
        yield


def run_until_killed(address: str) -> None:
    """Run, with a lock that is not renewed; a run of fewer writes is killed at its end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lease, "RENEWED", 100 * lease.RENEWED)
        main(["run", f"output_root={address}", *QUICK])
    raise _KilledError


@pytest.mark.parametrize("number", slow_but([14], range(2, 40)))
def test_a_killed_run_goes_on_elsewhere(
    number: int, undisturbed: Path, bucket: str, afresh: Afresh, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the first writes it has the lock alone, at the last it is finished."""
    with killed_at(number), pytest.raises(_KilledError):
        run_until_killed(bucket)
    afresh()
    time = lease.now() + lease.LIFE
    monkeypatch.setattr(lease, "now", lambda: time)
    assert main(["run", f"output_root={bucket}", *QUICK]) == 0
    afresh()
    require_same(undisturbed, bucket)


# Two writers


def test_a_second_command_is_refused(bucket: str, afresh: Afresh, capsys: Captured) -> None:
    with open_run(from_words([f"output_root={bucket}", *QUICK])):
        before = objects(bucket)
        afresh()
        assert main(["run", f"output_root={bucket}", *QUICK]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"ltr run: {bucket}/digits-lenet_300_100-")
        assert " is being written by process " in line
        assert objects(bucket) == before


def overwritten(bucket: str, afresh: Afresh) -> tuple[bool, str]:
    """Let a process that was suspended for long go on when another one has taken over the run.

    Returns:
        Whether it overwrites what the other one wrote, and the error that stops it.
    """
    experiment = from_words([f"output_root={bucket}", *QUICK])
    said = ""
    with contextlib.suppress(LtrError), open_run(experiment) as first:
        first.describe(status="running", writer="first")
        afresh()
        with pytest.MonkeyPatch.context() as patch:
            time = lease.now() + lease.LIFE
            patch.setattr(lease, "now", lambda: time)
            with open_run(experiment) as second:
                second.describe(writer="second")
                before = objects(bucket)
                try:
                    first.describe(writer="first again")
                except LtrError as error:
                    said = str(error)
                after = objects(bucket)
    return any(before[name] != after[name] for name in before if name.endswith("/run.json")), said


def test_a_process_that_lost_its_lock_overwrites_nothing(bucket: str, afresh: Afresh) -> None:
    """By its own clock it still holds the lock."""
    is_overwritten, said = overwritten(bucket, afresh)
    assert not is_overwritten
    assert said.endswith("/run.json: another process has written it")


def test_without_conditions_it_would(bucket: str, afresh: Afresh, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the test before would prove nothing."""
    monkeypatch.setattr(Bucket, "honours_conditions", lambda *_: True)
    monkeypatch.setattr(buckets, "_mode", lambda _: "overwrite")
    assert overwritten(bucket, afresh) == (True, "")


# Sweeps and readers


@pytest.mark.slow
def test_a_sweep_keeps_its_records_here(
    bucket: str, afresh: Afresh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["run", "-m", f"output_root={bucket}", *QUICK[:-1], "seed=0,1"]
    assert main(words) == 0
    assert len({name.partition("/")[0] for name in objects(bucket)} - {"made"}) == 2
    assert [path.name for path in (tmp_path / "outputs").iterdir()] == ["sweeps"]
    afresh()
    assert main(["jobs", "--output-root", bucket, "--json"]) == 0
    *_, listed = capsys.readouterr().out.partition('{\n  "sweep"')
    jobs = json.loads('{"sweep"' + listed)["jobs"]
    assert [(job["state"], job["folder"].startswith(f"{bucket}/digits-")) for job in jobs] == [
        ("finished", True)
    ] * 2
    before = objects(bucket)
    assert main(words) == 0
    assert "2 of 2 jobs finished before" in capsys.readouterr().err
    assert objects(bucket) == before


@pytest.mark.slow
def test_tickets_of_a_run_in_the_bucket_are_trained(undisturbed: Path, bucket: str, capsys: Captured) -> None:
    uploaded(undisturbed, bucket)
    assert main(["run", f"output_root={bucket}", *QUICK, "ticket=last", "seed=3", "arms=[ticket]"]) == 0
    assert f"ticket=last: {bucket}/{undisturbed.name}" in capsys.readouterr().err
    source, transferred = ltr.load(undisturbed), ltr.load("last", bucket)
    assert transferred.folder.name != source.folder.name
    jax.tree.map(np.testing.assert_array_equal, transferred.ticket(1).mask, source.ticket(1).mask)


def test_files_of_a_run_are_written_to_the_bucket(undisturbed: Path, bucket: str, capsys: Captured) -> None:
    uploaded(undisturbed, bucket)
    assert main(["export", "last", "--round", "1", "--output-root", bucket]) == 0
    files = capsys.readouterr().out.split()
    assert files[0] == f"{bucket}/{undisturbed.name}/export/round_01-replicate_0.safetensors"
    assert {file.removeprefix(f"{bucket}/") for file in files} <= set(objects(bucket))


@pytest.mark.parametrize(
    "words",
    [
        ("ls", "--json"),
        ("show", "last"),
        ("show", "last", "--round", "1"),
        ("show", "last", "--json"),
        ("doctor", "last"),
    ],
    ids=" ".join,
)
def test_readers_say_what_they_say_of_a_disk(
    words: tuple[str, ...], undisturbed: Path, bucket: str, capsys: Captured
) -> None:
    uploaded(undisturbed, bucket)
    said = []
    for root in (str(undisturbed.parent), bucket):
        code = main([*words, "--output-root", root])
        shown = capsys.readouterr()
        said.append((code, shown.out.replace(root, "ROOT"), shown.err.replace(root, "ROOT")))
    written = json.loads((undisturbed / "run.json").read_text())
    assert said[0][1]
    assert written["status"] == "finished"
    assert _without_times(said[1]) == _without_times(said[0])


def _without_times(said: tuple[int, str, str]) -> tuple[int, list[str], str]:
    code, out, err = said
    return code, [line for line in out.splitlines() if '"written": ' not in line], err
