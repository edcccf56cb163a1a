"""Stopped, killed or damaged: the same command goes on, and ends as a run that was left alone."""

import contextlib
import io
import itertools
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, NamedTuple

import jax
import numpy as np
import pytest

from ltr.cli import main
from ltr.engine.trainer import Progress
from ltr.experiment.observer import RunObserver
from ltr.store import checkpoints
from ltr.store.folder import RunFolder, round_name
from tests.compilation import QUICK

SHORT = ("rounds=1", "replicates=2", "steps=400", "eval_every=50", "arms=[ticket,random_reinit]", "devices=1")
LONG = ("rounds=4", "replicates=2", "steps=6000", "eval_every=50", "devices=1")

COMMAND = """
import sys
from ltr.cli import main
from ltr.experiment import runtime
runtime.QUICKLY_COMPILED = {}
sys.exit(main())
"""
"""`ltr` in a process of its own, as it is in the tests' own process."""


class Ltr:
    """`ltr run`, in this process where it ends by itself."""

    def start(self, root: Path, *words: str) -> subprocess.Popen[str]:
        """Begin in a process of its own, which compiles as this one does."""
        return subprocess.Popen(
            [sys.executable, "-c", COMMAND, "run", f"output_root={root}", *words],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | QUICK,
        )

    def stop(self, number: signal.Signals, root: Path, *words: str) -> tuple[int, list[str]]:
        """Run until a signal after the first chunk; returns the exit code and the lines on standard error."""
        on_chunk, errors, sent = RunObserver.on_chunk, io.StringIO(), itertools.count()

        def send(observer: RunObserver, progress: Progress) -> Any:
            if next(sent) == 0:
                os.kill(os.getpid(), number)
            return on_chunk(observer, progress)

        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stderr(errors):
            patch.setattr(RunObserver, "on_chunk", send)
            code = main(["run", f"output_root={root}", *words])
        return code, errors.getvalue().splitlines()

    def finish(self, root: Path, *words: str) -> tuple[Path, list[str]]:
        """Run to the end; returns the run folder and the lines on standard error."""
        errors = io.StringIO()
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(errors):
            assert main(["run", f"output_root={root}", *words]) == 0
        (folder,) = root.glob("digits-*")
        return folder, errors.getvalue().splitlines()

    def kill(self, root: Path, seconds: float, *words: str) -> bool:
        """Start, and kill so many seconds after training began; False if the run ended before."""
        with self.start(root, *words) as process:
            assert process.stderr is not None
            wait_for("run ", process.stderr)
            time.sleep(seconds)
            process.kill()
            process.stderr.read()
        return process.returncode == -signal.SIGKILL

    def kill_after_a_checkpoint(self, root: Path, seconds: float, *words: str) -> bool:
        """Start, and kill so many seconds after a checkpoint was saved inside a round."""
        before = saved_at(root)
        with self.start(root, *words) as process:
            assert process.stderr is not None
            while process.poll() is None and saved_at(root) in (None, before):
                time.sleep(0.005)
            time.sleep(seconds)
            process.kill()
            process.stderr.read()
        return process.returncode == -signal.SIGKILL


def saved_at(root: Path) -> int | None:
    """When the checkpoint inside a round was saved, if there is one."""
    for saved in root.glob("*/checkpoints/under_way.zip"):
        with contextlib.suppress(FileNotFoundError):  # its round is committed
            return saved.stat().st_mtime_ns
    return None


def wait_for(beginning: str, stream: IO[str]) -> str:
    """The first line that begins so."""
    before = []
    for line in stream:
        if line.startswith(beginning):
            return line
        before.append(line)
    raise AssertionError(f"no line begins with {beginning} in\n{''.join(before)}")


@pytest.fixture(scope="session")
def ltr() -> Ltr:
    return Ltr()


class Alone(NamedTuple):
    """A run that was left alone, and how long it took."""

    folder: Path
    seconds: float


@pytest.fixture(scope="module")
def alone(ltr: Ltr, tmp_path_factory: pytest.TempPathFactory) -> Callable[[tuple[str, ...]], Alone]:
    """Runs words once and for all tests."""
    done: dict[tuple[str, ...], Alone] = {}

    def run(words: tuple[str, ...]) -> Alone:
        if words not in done:
            began = time.monotonic()
            folder, _ = ltr.finish(tmp_path_factory.mktemp("alone"), *words)
            done[words] = Alone(folder, time.monotonic() - began)
        return done[words]

    return run


def tickets(folder: Path, rounds: int) -> dict[tuple[str, int], Any]:
    """Everything that checkpoints hold for good."""
    groups = RunFolder(folder).groups
    names = ["initial", *map(round_name, range(rounds + 1))]
    return {(name, replicate): groups.load(name, replicate) for name in names for replicate in (0, 1)}


def assert_same_run(folder: Path, expected: Path, rounds: int) -> None:
    """Tables, byte for byte; masks and weights, bit for bit."""
    for table in ("metrics.parquet", "results.parquet"):
        assert (folder / table).read_bytes() == (expected / table).read_bytes(), table
    mine, theirs = tickets(folder, rounds), tickets(expected, rounds)
    assert jax.tree.structure(mine) == jax.tree.structure(theirs)
    for one, other in zip(jax.tree.leaves(mine), jax.tree.leaves(theirs), strict=True):
        assert np.asarray(one).tobytes() == np.asarray(other).tobytes()


@pytest.mark.usefixtures("compile_once")
def test_a_run_stopped_in_this_process_and_killed_in_another_goes_on(
    ltr: Ltr, alone: Callable[[tuple[str, ...]], Alone], tmp_path: Path
) -> None:
    """One test for both: each process of pytest that tests either trains the run that was left alone."""
    words = (*SHORT, "sparse=never")
    expected = alone(words).folder
    code, errors = ltr.stop(signal.SIGTERM, tmp_path, *words)
    assert_stopped(signal.SIGTERM, code, errors, tmp_path / expected.name)
    often = (*words, "checkpoint_every=0.01")
    assert ltr.kill_after_a_checkpoint(tmp_path, random.uniform(0, 0.05), *often)
    folder, _ = ltr.finish(tmp_path, *words)
    assert_same_run(folder, expected, rounds=1)


def assert_stopped(number: signal.Signals, code: int, errors: list[str], folder: Path) -> None:
    """By a signal, with its exit code, one line, and a checkpoint inside the round."""
    assert code == 128 + number
    said = [line for line in errors if line.startswith("ltr")]
    assert said == [f"ltr run: stopped by {number.name}; the same command goes on from here"]
    assert not any("Traceback" in line for line in errors)
    assert checkpoints.is_whole(folder / "checkpoints" / "under_way.zip")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "words"), [(signal.SIGTERM, (*SHORT, "sparse=never")), (signal.SIGINT, SHORT)]
)
def test_a_process_stopped_by_a_signal_and_killed_at_any_moment_goes_on(
    number: signal.Signals,
    words: tuple[str, ...],
    ltr: Ltr,
    alone: Callable[[tuple[str, ...]], Alone],
    tmp_path: Path,
) -> None:
    expected = alone(words).folder
    process = ltr.start(tmp_path, *words)
    assert process.stderr is not None
    wait_for("round 0/1", process.stderr)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert_stopped(number, process.returncode, errors.splitlines(), tmp_path / expected.name)
    often = (*words, "checkpoint_every=0.01")
    assert ltr.kill_after_a_checkpoint(tmp_path, random.uniform(0, 0.05), *often)
    folder, _ = ltr.finish(tmp_path, *often)
    assert_same_run(folder, expected, rounds=1)


@pytest.mark.slow
def test_a_run_killed_at_ten_random_moments_goes_on(
    ltr: Ltr, alone: Callable[[tuple[str, ...]], Alone], tmp_path: Path
) -> None:
    expected = alone(LONG)
    often = (*LONG, "checkpoint_every=0.01")
    opt_state = [random.uniform(0, 0.08) * expected.seconds for _ in range(10)]
    assert all(ltr.kill(tmp_path, moment, *often) for moment in opt_state), opt_state
    folder, _ = ltr.finish(tmp_path, *often)
    assert_same_run(folder, expected.folder, rounds=4)


@pytest.mark.slow
def test_a_flipped_byte_in_the_last_round_is_noticed_and_mended(
    ltr: Ltr, alone: Callable[[tuple[str, ...]], Alone], tmp_path: Path
) -> None:
    expected = alone(SHORT).folder
    folder = shutil.copytree(expected, tmp_path / expected.name)
    damaged = folder / "checkpoints" / "round_01" / "0-1.zip"
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 0xFF
    damaged.write_bytes(content)
    _, errors = ltr.finish(tmp_path, *SHORT)
    (warning,) = [line for line in errors if line.startswith("ltr: ")]
    assert warning.startswith(f"ltr: {damaged}: damaged; lost: the tickets of round_01 of replicates 0-1; ")
    assert f"run {folder}: 2 trainings of 400 steps to go, 4 done before" in errors
    assert_same_run(folder, expected, rounds=1)
