"""Sweeps on a real Slurm cluster of this machine."""

import contextlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import slurm
from tests.sweeps import killed_sweep
from tests.sweeps.killed_sweep import MAIN, SLURM

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(slurm.missing()), reason=slurm.missing()),
    pytest.mark.timeout(900),
]


Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cluster of this machine alone."""
    with slurm.cluster(tmp_path_factory.mktemp("slurm")):
        yield


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Start]:
    """Starts a sweep whose jobs Slurm runs."""
    with contextlib.ExitStack() as stack:

        def start(*words: str) -> subprocess.Popen[bytes]:
            command = [sys.executable, "-c", MAIN, "run", "-m", f"output_root={tmp_path}", *words, *SLURM]
            with (tmp_path / "said.txt").open("w") as said:
                process = subprocess.Popen(command, stderr=said, stdout=said)
            stack.callback(process.kill)  # without Slurm it would wait for ever
            return process

        yield start


def when(happened: Callable[[], Any], process: subprocess.Popen[bytes]) -> Any:
    """What is found, as soon as something is; fails if the process ends before."""
    while not (found := happened()):
        assert process.poll() is None
        time.sleep(0.2)
    return found


def training(root: Path) -> str:
    """Id of the Slurm job of a run that has begun to train; empty before."""
    jobs = [json.loads(file.read_text()) for file in root.glob("sweeps/*/job_0.json")]
    if not (jobs and jobs[0]["state"] == "running" and list(root.glob("*/checkpoints/initial/*"))):
        return ""
    time.sleep(2)  # some steps
    return str(jobs[0]["place"]["slurm_job"])


def the_run(root: Path) -> dict[str, Any]:
    """Content of run.json of the only run."""
    (file,) = root.glob("*/run.json")
    content: dict[str, Any] = json.loads(file.read_text())
    return content


LONG = ("rounds=0", "steps=12000", "replicates=1", "arms=[ticket]", "sparse=never", "seed=0")


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("number", [signal.SIGUSR2, signal.SIGTERM])
def test_a_preempted_job_goes_on_from_its_checkpoint(
    number: signal.Signals, started: Start, tmp_path: Path
) -> None:
    process = started(*LONG)
    job = when(lambda: training(tmp_path), process)
    subprocess.run(["scancel", f"--signal={number.name}", job], check=True)
    when(lambda: len(the_run(tmp_path)["sessions"]) == 2, process)
    assert list(tmp_path.glob("*/checkpoints/under_way*"))
    assert process.wait() == 0
    assert the_run(tmp_path)["status"] == "finished"
    (log,) = tmp_path.glob("*/log.txt")
    assert f"stopped by {number.name}" in log.read_text()


@pytest.mark.usefixtures("cluster")
def test_a_job_that_is_cancelled_stops_after_a_checkpoint(started: Start, tmp_path: Path) -> None:
    process = started(*LONG)
    job = when(lambda: training(tmp_path), process)
    subprocess.run(["scancel", job], check=True)
    assert process.wait() == 143
    assert the_run(tmp_path)["status"] == "stopped"
    assert list(tmp_path.glob("*/checkpoints/under_way*"))


@pytest.mark.usefixtures("cluster")
def test_a_signal_to_the_sweep_cancels_what_waits(started: Start, tmp_path: Path) -> None:
    process = started(*LONG[:-1], "seed=0,1,2,3,4,5,6,7", "hydra.launcher.array_parallelism=1")
    when(lambda: training(tmp_path), process)
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130
    states = [json.loads(file.read_text())["state"] for file in tmp_path.glob("sweeps/*/job_*.json")]
    assert states in (["stopped"], ["stopped"] * 2)  # one may have begun in between
    assert the_run(tmp_path)["status"] == "stopped"


@pytest.mark.usefixtures("cluster")
def test_a_job_that_fails_leaves_the_others(started: Start, tmp_path: Path) -> None:
    short = [*LONG[:1], "steps=4", "eval_every=4", *LONG[2:], f"data_dir={tmp_path / 'data'}"]
    process = started(*short, "dataset=kmnist,digits")
    assert process.wait() == 3
    said = (tmp_path / "said.txt").read_text()
    assert "ltr run: job 0 (dataset=kmnist): kmnist is not on this machine" in said
    assert the_run(tmp_path)["status"] == "finished"


def test_killed_jobs_are_trained_when_the_sweep_is_started_again(tmp_path: Path) -> None:
    jobs = 6
    found = killed_sweep.prove(tmp_path, jobs)
    assert found["tables are equal"]
    assert found["killed"] == 2
    assert found["exit codes"] == [1, 0, 0, 0]
    assert found["finished after the second start"] == found["jobs"] == jobs
    assert found["trainings"] == 2 * jobs
    assert found["runs with one session"] + found["runs with two sessions"] == jobs
    assert found["runs with one session"] >= jobs - found["killed"]
