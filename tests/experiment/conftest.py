"""One runtime a network, one finished run, and copies of it."""

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import pytest

from ltr.arms import lanes as arm_lanes
from ltr.config.schema import Experiment
from ltr.experiment import loop, runtime
from ltr.experiment.runtime import Runtime
from ltr.experiment.session import Session
from ltr.experiment.spec import RunSpec
from ltr.store.folder import open_run
from tests.experiment.runs import Ready, Run, Watcher, ask


@pytest.fixture(scope="session")
def ready() -> Ready:
    """A runtime for an experiment; those of the same network and data share one compiled program."""
    made: dict[Any, Runtime] = {}

    def make(experiment: Experiment) -> Runtime:
        spec = RunSpec.from_experiment(experiment)
        methods = frozenset(arm_lanes.methods(experiment))
        method_context = (experiment.model, experiment.dataset, experiment.optimizer, experiment.batch_size)
        shared = (*method_context, experiment.test_curves, methods)
        if shared not in made:
            made[shared] = runtime.build(spec)
        return dataclasses.replace(made[shared], spec=spec)

    return make


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
