"""Disks that are full or fail: one line, nothing half written, and the same command goes on later."""

import contextlib
import errno
import os
import resource
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ltr.cli import main
from ltr.experiment.compose import from_words
from ltr.store.catalog import all_runs
from ltr.store.identity import run_folder
from tests.commands.conftest import QUICK
from tests.faults import disk
from tests.marks import slow, slow_but

Captured = pytest.CaptureFixture[str]

SMALL = (*QUICK, "replicates=1", "arms=[ticket]", "checkpoint_every=1e6")
"""Rounds 0 and 1 of the ticket, without a checkpoint inside a round, however long it takes."""

ERRORS = (errno.ENOSPC, errno.EIO, errno.EACCES)

KINDS = ("open", "write", "fsync", "rename", "mkdir")

Whole = tuple[dict[str, bytes], list[str]]
"""The tables of an undisturbed run, and the kinds of its operations on the disk, in order."""

needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="there is no /proc")


def tables(root: Path) -> dict[str, bytes]:
    """The bytes of the tables that repeat bit for bit."""
    return {
        path.name: path.read_bytes() for name in ("metrics", "results") for path in root.rglob(f"{name}.*")
    }


def train(root: Path, *words: str) -> int:
    return main(["run", f"output_root={root}", *SMALL, *words])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, compile_once: None) -> Whole:
    """An undisturbed run."""
    root = tmp_path_factory.mktemp("whole")
    with disk(root) as seen:
        assert train(root) == 0
    return tables(root), [kind for kind, _ in seen.operations]


@pytest.fixture(autouse=True)
def _temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder for temporary files of this test alone."""
    (temporary := tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))


def half_written(root: Path) -> list[Path]:
    """Temporary files."""
    return [*root.rglob("*.tmp"), *Path(tempfile.gettempdir()).iterdir()]


def assert_failed(error: int, code: int, root: Path, capsys: Captured) -> None:
    """One line says what cannot be written and why; the folder says it too, if it could be written."""
    said = [line for line in capsys.readouterr().err.splitlines() if not line.startswith(("run ", "round "))]
    (line,) = said
    temporary = f"TMPDIR={tempfile.gettempdir()}"
    named, _, rest = line.removeprefix("ltr run: ").partition(temporary if temporary in line else str(root))
    assert named in ("", "output_root=")
    assert os.strerror(error) in rest
    assert code == (2 if named and error == errno.EACCES else 1)
    assert half_written(root) == []
    for thread in threading.enumerate():
        if type(thread).__module__.startswith("orbax"):
            threading.Thread.join(thread, timeout=20)
            assert not thread.is_alive(), thread
    assert main(["ls", "--output-root", str(root)]) == 0
    listed = capsys.readouterr().err
    for run in all_runs(root):
        assert run.status in ("failed", "crashed", "finished", "damaged")
        assert run.error in (None, line.removeprefix("ltr run: "))
        assert (run.status == "failed") == (f"failed ({run.error}); resume it with:\n" in listed)


def assert_goes_on(root: Path, whole: dict[str, bytes], capsys: Captured) -> None:
    """The same command makes what an undisturbed run makes."""
    assert train(root) == 0
    assert tables(root) == whole
    assert half_written(root) == []
    (run,) = all_runs(root)
    assert (run.status, run.error) == ("finished", None)
    assert main(["doctor", str(run.folder)]) == 0
    capsys.readouterr()


def assert_survives(
    number: int, is_for_good: bool, whole: dict[str, bytes], root: Path, capsys: Captured
) -> None:
    root.mkdir(parents=True)
    with disk(root, number, is_for_good, ERRORS[number % len(ERRORS)]) as failing:
        code = train(root)
    if code == 0:
        kind, path = failing.operations[number]
        is_there = kind == "mkdir" and Path(path).is_dir()
        assert path.endswith("log.txt") or is_there
        assert not is_for_good
    else:
        assert_failed(failing.error, code, root, capsys)
    assert_goes_on(root, whole, capsys)


@needs_proc
@pytest.mark.parametrize(
    ("kind", "share"), [("write", 0.5), slow("fsync", 0.3), slow("rename", 0.9), slow("mkdir", 0.5)]
)
def test_a_disk_that_fails_costs_one_line(
    kind: str, share: float, whole: Whole, root: Path, capsys: Captured
) -> None:
    content, kinds = whole
    numbers = [number for number, one in enumerate(kinds) if one == kind]
    number = numbers[int(share * len(numbers))]
    assert_survives(number, number % 2 == 0, content, root, capsys)


@needs_proc
@pytest.mark.slow
@pytest.mark.parametrize("is_for_good", [False, True], ids=["once", "for good"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_operation_may_fail(
    kind: str, is_for_good: bool, whole: Whole, root: Path, capsys: Captured
) -> None:
    content, kinds = whole
    numbers = [number for number, one in enumerate(kinds) if one == kind]
    assert numbers
    for number in numbers:
        assert_survives(number, is_for_good, content, root / str(number), capsys)


@needs_proc
@pytest.mark.slow
@pytest.mark.parametrize("is_for_good", [False, True], ids=["once", "for good"])
@pytest.mark.parametrize("kind", ["open", "write", "fsync"])
def test_a_checkpoint_inside_a_round_may_fail(
    kind: str, is_for_good: bool, whole: Whole, root: Path, capsys: Captured
) -> None:
    often = "checkpoint_every=1e-6"
    folder = run_folder(from_words([f"output_root={root}", *SMALL]))
    new = folder / "checkpoints" / ".under_way"
    root.mkdir(parents=True)
    with disk(new) as seen:
        assert train(root, often) == 0
    number = [one for one, _ in seen.operations].index(kind)
    shutil.rmtree(folder)
    capsys.readouterr()
    with disk(new, number, is_for_good, errno.ENOSPC):
        code = train(root, often)
    assert_failed(errno.ENOSPC, code, root, capsys)
    assert_goes_on(root, whole[0], capsys)


@contextlib.contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Let the system refuse larger files, also to libraries in C++."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", slow_but({100_000}, (500, 1500, 3000, 100_000, 300_000)))
def test_files_that_are_too_large_cost_one_line(
    size: int, whole: Whole, root: Path, capsys: Captured
) -> None:
    root.mkdir()
    with files_of_at_most(size):
        code = train(root)
    assert_failed(errno.EFBIG, code, root, capsys)
    assert_goes_on(root, whole[0], capsys)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system in memory; skips where none can be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no file system can be mounted")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("left", [4, 8, 12, 16, 100, 400, 500, 800])
def test_a_full_disk_costs_one_line(left: int, small_disk: Path, whole: Whole, capsys: Captured) -> None:
    def resize(kilobytes: int) -> None:
        size = f"remount,size={kilobytes}k"
        subprocess.run(["mount", "-o", size, str(small_disk)], check=True)

    root = small_disk / "runs"
    root.mkdir()
    resize(left)
    code = train(root)
    assert_failed(errno.ENOSPC, code, root, capsys)
    resize(100_000)
    assert_goes_on(root, whole[0], capsys)
