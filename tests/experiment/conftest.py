"""One runtime a network, one finished run, and copies of it."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from ltr.experiment import loop
from ltr.experiment.session import Session
from ltr.experiment.spec import RunSpec
from ltr.store.opening import open_run
from tests.experiment.runs import Ready, Run, Watcher, ask
from tests.runtimes import sharing


@pytest.fixture(scope="session")
def ready() -> Ready:
    """A runtime for an experiment; those of the same network and data share one compiled program."""
    build = sharing()
    return lambda experiment: build(RunSpec.from_experiment(experiment))


@pytest.fixture(scope="session")
def run(ready: Ready) -> Run:
    """Runs an experiment that `ask` takes below a folder; returns its run folder."""

    def run(root: Path, watch: Watcher | None = None, **knobs: Any) -> Path:
        experiment = ask(root, **knobs)
        with open_run(experiment) as folder:
            folder.begin(experiment, {}, {})
            loop.run(Session(ready(experiment), folder), watch or Watcher())
            return folder.path

    return run


@pytest.fixture(scope="session")
def whole(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of two prunings, two replicates and all arms; not to be altered."""
    return run(tmp_path_factory.mktemp("whole"))


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    """A copy of that run, to be altered at will; its root is the parent."""
    return shutil.copytree(whole, tmp_path / "copy" / whole.name)
