"""Workers of packed sweeps: how many there are, equal tables, and what becomes of one that dies."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import pytest

from ltr.cli import main
from ltr.core import machine
from ltr.sweeps import plan, worker, workers
from ltr.sweeps.packed import Part
from ltr.sweeps.worker import Advanced, Worker
from tests.compilation import QUICK
from tests.experiment.runs import contents

pytestmark = [
    pytest.mark.usefixtures("compile_once", "rough_times"),
    pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no processor affinity here"),
]

SMALL = ("rounds=1", "replicates=1", "steps=20", "eval_every=10", "arms=[ticket]", "sparse=never")
WORDS = ("seed=0,1", "prune_rate=0.2,0.5", *SMALL)


def run(root: Path, *words: str) -> int:
    return main(["run", "-m", *WORDS, *words, f"output_root={root}"])


def command(*words: str) -> list[str]:
    return [sys.executable, "-c", "import sys; from ltr.cli import main; sys.exit(main())", *words]


def tables(root: Path) -> dict[str, dict[str, Any]]:
    return {path.parent.name: contents(path.parent) for path in sorted(root.glob("*/run.json"))}


def records(root: Path) -> list[dict[str, Any]]:
    """The records of the last sweep's jobs."""
    *_, last = sorted(root.glob("sweeps/*"))
    return [json.loads(path.read_text()) for path in sorted(last.glob("job_*.json"))]


@pytest.fixture
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two cores, for which four jobs are enough."""
    monkeypatch.setattr(workers, "LEAST_JOBS", 2)
    cores = machine.cores()
    monkeypatch.setattr(machine, "cores", lambda: [cores[0], cores[-1]])


@pytest.fixture(scope="module", autouse=True)
def _compiled_alike() -> Iterator[None]:
    """Let all processes that tests start compile alike, also those that the server of workers starts."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in QUICK.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="module")
def in_one_process(_compiled_alike: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("one")
    subprocess.run(command("run", "-m", *WORDS, "devices=1", f"output_root={root}"), check=True)
    return root


@pytest.mark.parametrize(
    ("jobs", "cores", "count"),
    [
        (16, 2, 2),
        (7, 2, 1),  # three or four jobs do not pay for a start
        (17, 2, 2),  # nine jobs on one core take hardly longer than 17 on two
        (9, 2, 1),  # five on one core take longer than nine on two
        (16, 1, 1),
        (64, 16, 16),
        (20, 16, 5),
        (16, 16, 4),
        (1, 8, 1),
    ],
)
def test_as_many_workers_as_divide_the_jobs_evenly(jobs: int, cores: int, count: int) -> None:
    assert workers.fastest(jobs, cores) == count


def test_jobs_are_divided_evenly_whatever_their_packs() -> None:
    assert workers.divided([[0, 1, 2, 3], [4], [5], [6]], 2) == [[0, 2, 4, 6], [1, 3, 5]]


@pytest.mark.slow
@pytest.mark.usefixtures("two_cores")
def test_jobs_whose_data_are_missing_leave_the_others(tmp_path: Path) -> None:
    assert run(tmp_path, "dataset=digits,kmnist", f"data_dir={tmp_path}") == 3
    assert sorted(record["state"] for record in records(tmp_path)) == ["failed"] * 4 + ["finished"] * 4


@pytest.mark.slow
@pytest.mark.usefixtures("two_cores")
def test_two_workers_train_the_jobs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path) == 0
    shown = capsys.readouterr()
    assert "4 runs train side by side in 2 processes" in shown.err
    assert len(shown.out.splitlines()) == 6  # the table of the runs alone
    processes = {record["place"]["pid"] for record in records(tmp_path)}
    assert len(processes) == 2
    assert os.getpid() not in processes


@pytest.mark.slow
@pytest.mark.usefixtures("two_cores")
def test_jobs_of_two_workers_have_the_tables_of_one_process(in_one_process: Path, tmp_path: Path) -> None:
    assert run(tmp_path) == 0
    assert tables(tmp_path) == tables(in_one_process)


@pytest.mark.slow
@pytest.mark.usefixtures("two_cores")
def test_jobs_of_a_worker_that_was_killed_early_are_trained_by_another_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = Worker.start

    def killed(part: Part, cores: Collection[int]) -> Worker:
        started = start(part, cores)
        if 0 in part.numbers:
            started.kill()
        return started

    monkeypatch.setattr(Worker, "start", killed)
    assert run(tmp_path) == 0
    assert [record["state"] for record in records(tmp_path)] == ["finished"] * 4
    assert {record["place"]["pid"] == os.getpid() for record in records(tmp_path)} == {True, False}


@pytest.mark.slow
@pytest.mark.usefixtures("two_cores")
def test_a_killed_worker_is_named_with_its_jobs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    show = workers._Shown._show

    def killing(shown: Any, link: Any, message: Any) -> None:
        show(shown, link, message)
        pids = sorted({record["place"]["pid"] for record in records(tmp_path)})
        if isinstance(message, Advanced) and pids:
            os.kill(pids[0], signal.SIGKILL)
            monkeypatch.undo()

    monkeypatch.setattr(workers._Shown, "_show", killing)
    assert run(tmp_path, "steps=2000") == 1
    shown = capsys.readouterr()
    assert "a process ended by SIGKILL" in shown.err
    assert "2 of 4 jobs failed" in shown.err


@pytest.mark.slow
@pytest.mark.usefixtures("two_cores")
def test_a_signal_stops_all_workers_after_a_checkpoint(
    in_one_process: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    show = workers._Shown._show

    def stopping(shown: Any, link: Any, message: Any) -> None:
        show(shown, link, message)
        if isinstance(message, Advanced):
            os.kill(os.getpid(), signal.SIGTERM)
            monkeypatch.setattr(workers._Shown, "_show", show)

    monkeypatch.setattr(workers._Shown, "_show", stopping)
    assert run(tmp_path) == 143
    assert {record["state"] for record in records(tmp_path)} == {"stopped"}
    assert run(tmp_path) == 0
    assert tables(tmp_path) == tables(in_one_process)


@pytest.mark.slow
def test_workers_stop_when_the_process_that_shows_them_is_killed(tmp_path: Path) -> None:
    words = ["run", "-m", *WORDS, "seed=range(4)", "steps=200000", f"output_root={tmp_path}"]
    shown = subprocess.Popen(command(*words), stderr=subprocess.DEVNULL)
    wait_until(lambda: any(tmp_path.glob("sweeps/*/job_7.json")))
    shown.kill()
    shown.wait()
    wait_until(lambda: {record["state"] for record in records(tmp_path)} == {"stopped"})
    assert [*tmp_path.glob("*/checkpoints/under_way.zip")]


def wait_until(holds: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.2)


@pytest.mark.usefixtures("two_cores")
class TestOneProcess:
    def count(self, *words: str) -> int:
        planned = plan.checked([*WORDS, *words])
        return workers._count(planned, [[*range(4)]])

    def test_two_otherwise(self) -> None:
        assert self.count() == 2

    @pytest.mark.parametrize("word", ["devices=1", "parallel=batch"])
    def test_trains_runs_that_name_their_devices(self, word: str) -> None:
        assert self.count(word) == 1

    def test_trains_what_the_memory_holds_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(machine, "memory", lambda: 1)
        assert self.count() == 1
        assert self.count("check_memory=false") == 2


def test_what_workers_print_is_shown_once(capsys: pytest.CaptureFixture[str]) -> None:
    shown = workers._Shown(None)  # type: ignore[arg-type]
    for text in ("a\n", "b\n", "a\n"):
        shown._show(None, worker.Printed(text))  # type: ignore[arg-type]
    assert capsys.readouterr().err == "a\nb\n"
