"""Commands in this process, on two devices whatever the machine has."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ltr import devices
from ltr.cli import main

QUICK = ("steps=20", "eval_every=10", "rounds=1", "replicates=2", "arms=[ticket,random_reinit]")


@pytest.fixture(autouse=True)
def _two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_cores", lambda: 2)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The output root."""
    return tmp_path / "runs"


@pytest.fixture
def ltr_run(root: Path) -> Callable[..., int]:
    """`ltr run` of an experiment of a second below `root`, with further words."""
    return lambda *words: main(["run", f"output_root={root}", *QUICK, *words])
