"""Sweeps of `ltr run -m`: jobs that fail, are stopped or are lost, under launchers that pickle or not."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cloudpickle
import pytest
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn

from ltr.cli import main
from ltr.config.schema import Experiment
from ltr.errors import DataNotFoundError, LtrError, StoppedError
from ltr.experiment import runner
from ltr.experiment.signals import Stop
from ltr.store.catalog import Run as RunOfFolder
from ltr.store.lock import locked
from ltr.sweeps import job, launchers, plan
from tests.commands.conftest import QUICK
from tests.marks import slow

Run = Callable[..., int]
Captured = pytest.CaptureFixture[str]
Launch = Callable[[Any, Sequence[Sequence[str]], int], Sequence[JobReturn]]

BasicLauncher: Any = Plugins.instance().class_name_to_class[
    "hydra._internal.core_plugins.basic_launcher.BasicLauncher"
]
LAUNCH: Launch = BasicLauncher.launch


def pickling(launcher: Any, jobs: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
    """Run jobs one after the other, each pickled, as is what it returns."""
    returned = []
    for number, words in enumerate(jobs, initial_job_idx):
        launcher.task_function = cloudpickle.loads(cloudpickle.dumps(launcher.task_function))
        returned += cloudpickle.loads(cloudpickle.dumps(LAUNCH(launcher, [words], number)))
    return returned


@pytest.fixture
def pickled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs are pickled, as if they ran elsewhere."""
    monkeypatch.setattr(BasicLauncher, "launch", pickling)
    monkeypatch.setattr(launchers, "is_remote", lambda _: True)


def fail(monkeypatch: pytest.MonkeyPatch, errors: dict[int, BaseException]) -> list[int]:
    """Train nothing, and fail where a seed has an error; returns the seeds as they begin."""
    begun: list[int] = []

    def conduct(experiment: Experiment, words: Sequence[str], stop: Stop, *_: object) -> None:
        begun.append(experiment.seed)
        if error := errors.get(experiment.seed) or stop.error():
            raise error

    def validated(words: Sequence[str], is_elsewhere: bool) -> Experiment:
        return Experiment(output_root=dict(word.split("=", 1) for word in words)["output_root"].strip("'"))

    monkeypatch.setattr(plan, "_validated", validated)  # which takes long
    monkeypatch.setattr(runner, "conduct", conduct)
    return begun


MAIN = "import sys; from ltr.cli import main; sys.exit(main())"
SHORT = ("rounds=0", "replicates=1", "steps=4", "eval_every=4", "hydra/launcher=basic")


@pytest.mark.usefixtures("pickled")
def test_jobs_that_fail_are_named_and_stop_no_other(
    ltr_run: Run, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(monkeypatch, {0: DataNotFoundError("gone"), 1: RuntimeError("out of\nmemory")})
    assert ltr_run("-m", "seed=0,1", *SHORT) == 3
    assert capsys.readouterr().err.splitlines()[-3:] == [
        "ltr run: job 0 (seed=0): gone",
        "ltr run: job 1 (seed=1): RuntimeError: out of memory",
        "ltr run: 2 of 2 jobs failed, see above",
    ]


def test_the_traceback_of_a_job_is_in_its_log(
    ltr_run: Run, root: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(*_: object) -> None:
        raise KeyError("made up")

    monkeypatch.setattr(runner, "_train", train)
    assert ltr_run("-m", "seed=0", *SHORT) == 1
    (log,) = root.glob("*/log.txt")
    *_, last = log.read_text().splitlines()
    assert last == "KeyError: 'made up'"
    assert f'File "{__file__}", line ' in log.read_text()
    said = capsys.readouterr().err
    assert f"ltr run: KeyError: 'made up'; its traceback is in {log}\n" in said
    assert "Traceback" not in said


@pytest.mark.usefixtures("pickled")
def test_a_signal_to_a_job_elsewhere_stops_that_job_alone(
    ltr_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = fail(monkeypatch, {0: StoppedError(15, "stopped by SIGTERM")})
    assert ltr_run("-m", "seed=0,1", *SHORT) == 143
    assert begun == [0, 1]


def test_a_table_of_the_runs_ends_a_sweep(
    ltr_run: Run, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(ready: Any, *_: object) -> list[Any]:
        if ready.experiment.seed == 0:
            raise LtrError("broken")
        return []

    monkeypatch.setattr(runner, "_train", train)
    for name in ("draw", "conclusion"):
        monkeypatch.setattr(runner, name, lambda *_: "")
    assert ltr_run("-m", "seed=0,1", *SHORT) == 1
    title, *lines = capsys.readouterr().out.splitlines()[-3:]
    assert title.split()[:3] == ["id", "seed", "status"]
    assert [line.split()[1:3] for line in lines] == [["0", "failed"], ["1", "finished"]]
    assert max(map(len, (title, *lines))) <= 80


def test_a_signal_stops_the_jobs_of_this_process(
    ltr_run: Run, root: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = fail(monkeypatch, {0: StoppedError(15, "stopped by SIGTERM; the same command goes on from here")})
    assert ltr_run("-m", "seed=0,1", *SHORT) == 143
    assert begun == [0]
    ended = [json.loads(path.read_text()) for path in sorted(root.glob("sweeps/*/job_*.json"))]
    assert [job["exit_code"] for job in ended] == [143, 143]
    said = capsys.readouterr().err.splitlines()
    assert said[-1] == "ltr run: stopped by SIGTERM; the same command goes on from here"


def test_a_signal_to_the_launching_process_stops_all(
    ltr_run: Run, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def launch(launcher: Any, jobs: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        os.kill(os.getpid(), signal.SIGTERM)
        return pickling(launcher, jobs, initial_job_idx)

    monkeypatch.setattr(BasicLauncher, "launch", launch)
    assert fail(monkeypatch, {}) == []
    assert ltr_run("-m", "seed=0,1", *SHORT) == 143
    assert "stopping after a checkpoint" in capsys.readouterr().err


def test_jobs_that_a_launcher_loses_are_launched_again(
    ltr_run: Run, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def launch(launcher: Any, jobs: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        pickling(launcher, jobs[:1], initial_job_idx)
        raise RuntimeError("a worker\nwas killed")

    monkeypatch.setattr(BasicLauncher, "launch", launch)
    begun = fail(monkeypatch, {})
    assert ltr_run("-m", "seed=0,1,2", *SHORT) == 1
    assert begun == [0, 1, 2]
    assert capsys.readouterr().err.splitlines() == [
        "ltr run: the launcher failed: RuntimeError: a worker was killed"
    ]


def test_jobs_that_never_begin_are_named(
    ltr_run: Run, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def launch(launcher: Any, jobs: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        raise RuntimeError("no worker")

    monkeypatch.setattr(BasicLauncher, "launch", launch)
    assert fail(monkeypatch, {}) == []
    assert ltr_run("-m", "seed=0,1", *SHORT) == 1
    assert capsys.readouterr().err.splitlines() == [
        "ltr run: the launcher failed: RuntimeError: no worker",
        "ltr run: job 0 (seed=0): never began, and the sweep has ended",
        "ltr run: job 1 (seed=1): never began, and the sweep has ended",
        "ltr run: 2 of 2 jobs failed, see above",
    ]


def test_a_sweep_that_is_started_again_launches_what_is_missing(
    ltr_run: Run, root: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    launched: list[Sequence[str]] = []

    def launch(launcher: Any, jobs: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        launched.extend(jobs)
        return LAUNCH(launcher, jobs, initial_job_idx)

    monkeypatch.setattr(BasicLauncher, "launch", launch)
    for name in ("draw", "conclusion"):
        monkeypatch.setattr(runner, name, lambda *_: "")
    words = [*SHORT, "rounds=1"]
    assert ltr_run("-m", "seed=0,1", *words) == 0
    launched.clear()
    assert ltr_run("-m", "seed=2,1", *words) == 0
    assert ["seed=2" in words for words in launched] == [True]
    assert "ltr run: 1 of 2 jobs finished before" in capsys.readouterr().err
    launched.clear()
    assert ltr_run("-m", "seed=1,0,2", *words) == 0
    assert launched == []
    assert "ltr run: 3 of 3 jobs finished before" in capsys.readouterr().err
    assert ltr_run("-m", "seed=1,0", *words, "replicates=2") == 0
    assert len(launched) == 2
    assert main(["jobs", "--output-root", str(root)]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith(": 2 jobs: 2 finished")


@pytest.mark.parametrize("words", [["rounds=0"], slow(["rounds=1", "rewind=fine_tune"])])
def test_a_run_of_which_no_claim_can_be_tested_is_finished_too(
    words: list[str], ltr_run: Run, capsys: Captured
) -> None:
    assert ltr_run("-m", "seed=0", *SHORT, *words) == 0
    assert "finished before" not in capsys.readouterr().err
    assert ltr_run("-m", "seed=0", *SHORT, *words) == 0
    assert "ltr run: 1 of 1 job finished before" in capsys.readouterr().err.splitlines()


def test_a_job_waits_for_the_process_that_writes_its_run(
    ltr_run: Run, root: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, str]] = []

    def wait(seconds: float) -> None:
        assert main(["jobs", "--json", "--output-root", str(root)]) == 0
        (shown,) = json.loads(capsys.readouterr().out)["jobs"]
        seen.append((shown["state"], shown["reason"]))
        if len(seen) == 2:
            held.close()

    monkeypatch.setattr(job, "time", SimpleNamespace(sleep=wait))
    for name in ("draw", "conclusion"):
        monkeypatch.setattr(runner, name, lambda *_: "")
    words = ["seed=0", *SHORT]
    (folder,) = plan.checked([f"output_root={root}", *QUICK, *words]).folders
    folder.mkdir(parents=True)
    held = contextlib.ExitStack()
    held.enter_context(locked(folder))
    assert ltr_run("-m", *words) == 0
    assert seen == [("waiting", f"{folder} is being written by another process")] * 2
    assert RunOfFolder(folder).status == "finished"


LAUNCHERS = {"joblib": "processes", "submitit": "submitit_local"}


def sweep_by(launcher: str, *words: str) -> list[str]:
    """The command of a sweep whose jobs run in other processes; skips where the launcher is not installed."""
    pytest.importorskip(f"hydra_plugins.hydra_{launcher}_launcher")
    return [sys.executable, "-c", MAIN, "run", "-m", *words, f"hydra/launcher={LAUNCHERS[launcher]}"]


@pytest.mark.slow
@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_launchers_that_there_are(launcher: str, tmp_path: Path) -> None:
    words = ["dataset=digits,kmnist", f"output_root={tmp_path}", f"data_dir={tmp_path}", "arms=[ticket]"]
    command = sweep_by(launcher, *words, *SHORT, "sparse=never")
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 3
    assert "ltr run: job 1 (dataset=kmnist): kmnist is not on this machine" in ended.stderr
    assert "accuracy at early stop" not in ended.stdout, "tables of jobs would be mixed"
    assert ended.stdout.splitlines()[-1].split()[3] == "finished"


@pytest.mark.slow
@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_sigterm_stops_jobs_elsewhere_after_a_checkpoint(launcher: str, tmp_path: Path) -> None:
    words = ["seed=0,1", f"output_root={tmp_path}", "rounds=0", "steps=1000000", "sparse=never"]
    command, said = sweep_by(launcher, *words), tmp_path / "said.txt"
    with said.open("w") as err, subprocess.Popen(command, stderr=err, stdout=err) as process:
        while not list(tmp_path.glob("*/checkpoints/initial")) and process.poll() is None:
            time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 143
    assert said.read_text().splitlines()[-1].startswith("ltr run: stopped by SIGTERM; the same command goes")
    assert list(tmp_path.glob("*/checkpoints/under_way.zip"))
