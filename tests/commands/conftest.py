"""Commands in this process."""

import contextlib
import io
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

import pytest

from ltr.cli import main

QUICK = (
    "steps=20",
    "eval_every=10",
    "rounds=1",
    "replicates=2",
    "arms=[ticket,random_reinit]",
    "sparse=never",
)
"""Of so few steps that another program would take longer to compile than it saves."""


@pytest.fixture(autouse=True)
def _quick(compile_once: None, rough_times: None) -> None:
    """Let all runs share programs, and no command take time to measure the machine."""


class Finished(NamedTuple):
    """A run that ended, its output root, and what it printed."""

    root: Path
    out: str
    err: str


@pytest.fixture(scope="session")
def finished(
    draw_figures: Callable[[], AbstractContextManager[None]], tmp_path_factory: pytest.TempPathFactory
) -> Finished:
    """A quick run with its figures, not to be altered."""
    root, out, err = tmp_path_factory.mktemp("finished"), io.StringIO(), io.StringIO()
    with draw_figures(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        assert main(["run", f"output_root={root}", *QUICK]) == 0
    return Finished(root, out.getvalue(), err.getvalue())


@pytest.fixture
def pages_without_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw none on pages, where the rest is what is asked for; what they are made of is read all the same."""
    monkeypatch.setattr("ltr.report.page.render.inline", lambda *_: "")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The output root."""
    return tmp_path / "runs"


@pytest.fixture
def ltr_run(root: Path) -> Callable[..., int]:
    """`ltr run` of an experiment of a second below `root`, with further words."""
    return lambda *words: main(["run", f"output_root={root}", *QUICK, *words])
