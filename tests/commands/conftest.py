"""Commands in this process, on two devices whatever the machine has."""

import contextlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from ltr import devices
from ltr.cli import main

QUICK = ("steps=20", "eval_every=10", "rounds=1", "replicates=2", "arms=[ticket,random_reinit]")


@pytest.fixture(autouse=True)
def _two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_cores", lambda: 2)


class Finished(NamedTuple):
    """A run that ended, its output root, and what it printed."""

    root: Path
    out: str
    err: str


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A quick run, not to be altered."""
    root, out, err = tmp_path_factory.mktemp("finished"), io.StringIO(), io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        patch.setattr(devices, "_cores", lambda: 2)
        assert main(["run", f"output_root={root}", *QUICK]) == 0
    return Finished(root, out.getvalue(), err.getvalue())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The output root."""
    return tmp_path / "runs"


@pytest.fixture
def ltr_run(root: Path) -> Callable[..., int]:
    """`ltr run` of an experiment of a second below `root`, with further words."""
    return lambda *words: main(["run", f"output_root={root}", *QUICK, *words])
