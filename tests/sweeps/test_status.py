"""States of jobs, by their records, run folders and processes."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ltr.errors import ConfigError, LtrError
from ltr.store.catalog import CHECKPOINTS, INFO
from ltr.store.lock import locked
from ltr.sweeps import status
from ltr.sweeps.journal import (
    FAILED,
    FINISHED,
    PREEMPTED,
    RUNNING,
    Job,
    Journal,
    Place,
    Recorded,
    process_start,
)

ELSEWHERE = Place("elsewhere", os.getpid(), "7_1")


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    """Two run folders that nobody holds; the first is at round 3."""
    folders = [tmp_path / name for name in ("digits-lenet-a", "digits-lenet-b")]
    for folder in folders:
        folder.mkdir()
        (folder / ".lock").touch()
    for name in ("initial", "round_00", "round_02"):
        (folders[0] / CHECKPOINTS / name).mkdir(parents=True)
    return folders


@pytest.fixture
def journal(tmp_path: Path, runs: list[Path]) -> Journal:
    """A sweep of two jobs, of which none began."""
    journal = Journal(tmp_path / "sweeps" / "2026", is_remote=True)
    journal.begin(Recorded(["seed=1,2"], [["seed=1", "a=0"], ["seed=2", "a=0"]], [*map(str, runs)], [0, 1]))
    return journal


@pytest.fixture
def dead() -> Place:
    """The place of a process of this machine that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return Place(Place.here().host, process.pid)


def states(journal: Journal) -> list[tuple[str, int | None, str]]:
    """States, rounds and reasons."""
    return [(job.state, job.round, job.reason) for job in status.states(journal.folder)]


def test_jobs_wait_while_the_sweep_launches(journal: Journal) -> None:
    with locked(journal.folder):
        assert states(journal) == [("waiting", None, "")] * 2
    assert states(journal) == [("waiting", None, "never began, and the sweep has ended")] * 2


def test_what_was_finished_before_is_finished(journal: Journal) -> None:
    (journal.folder / "plan.json").write_text(json.dumps(journal.plan()._replace(missing=[1])._asdict()))
    assert [state for state, _, _ in states(journal)] == ["finished", "waiting"]


def test_a_job_runs_as_long_as_its_run_is_locked(journal: Journal, runs: list[Path]) -> None:
    journal.write(Job(0, ["seed=1"], str(runs[0]), RUNNING, place=ELSEWHERE))
    with locked(runs[0]):
        assert states(journal)[0] == ("running", 3, "")
        assert status.table(status.states(journal.folder)).splitlines()[1].split(maxsplit=3) == [
            *("0", "seed=1", "running"),
            "round 3, elsewhere, Slurm job 7_1",
        ]
    assert states(journal)[0] == ("killed", None, "no process on elsewhere holds the lock of its run")


def test_a_job_that_prepares_its_run_elsewhere_may_run(journal: Journal, runs: list[Path]) -> None:
    journal.write(Job(1, ["seed=2"], str(runs[1]), RUNNING, place=ELSEWHERE))
    assert states(journal)[1] == ("running", 0, "")


def test_a_dead_process_of_this_machine_does_not_run(journal: Journal, runs: list[Path], dead: Place) -> None:
    job = Job(0, ["seed=1"], str(runs[0]), RUNNING, place=dead)
    journal.write(job)
    assert states(journal)[0] == ("killed", None, "process killed, or machine failed")
    with locked(runs[0]):
        assert status.table(status.states(journal.folder)).splitlines()[1].split(maxsplit=3) == [
            *("0", "seed=1", "running"),
            "round 3, by another sweep or command",
        ]
    journal.write(Job(0, ["seed=1"], str(runs[0]), RUNNING, place=Place.here()))
    assert states(journal)[0][0] == "running"


@pytest.mark.skipif(not process_start(os.getpid()), reason="there is no /proc")
@pytest.mark.parametrize(("since", "state"), [("1", "killed"), (None, "running"), ("", "running")])
def test_a_process_of_a_reused_number_is_another(
    journal: Journal, runs: list[Path], since: str | None, state: str
) -> None:
    """Its own start is that of the process; without one, as of earlier versions, the number decides."""
    here = Place.here()
    place = here if since is None else dataclasses.replace(here, pid_since=since)
    journal.write(Job(0, ["seed=1"], str(runs[0]), RUNNING, place=place))
    assert states(journal)[0][0] == state


def test_a_damaged_record_costs_no_other_job(journal: Journal, runs: list[Path]) -> None:
    (file := journal.folder / "job_0.json").write_text("{")
    journal.write(Job(1, ["seed=2"], str(runs[1]), FINISHED))
    first, second = status.states(journal.folder)
    assert (first.state, first.reason, first.exit_code) == (
        "damaged",
        f"{file.name}: cannot be read, in {file.parent}",
        1,
    )
    assert (first.words, second.state) == (["seed=1", "a=0"], "finished")
    (runs[0] / INFO).write_text('{"status": "finished"}')
    assert states(journal) == [("finished", None, "")] * 2


def test_a_killed_job_whose_run_another_sweep_finished_is_finished(
    journal: Journal, runs: list[Path], dead: Place
) -> None:
    journal.write(Job(0, ["seed=1"], str(runs[0]), RUNNING, place=dead))
    (runs[0] / INFO).write_text('{"status": "finished"}')
    assert states(journal)[0] == ("finished", None, "")


@pytest.mark.parametrize("state", [FINISHED, FAILED, PREEMPTED])
def test_a_job_that_ended_is_as_it_says(journal: Journal, state: str) -> None:
    journal.write(Job(1, ["seed=2"], "", state, "broken", 1, ELSEWHERE))
    assert states(journal)[1] == (state, None, "broken")


def test_a_table_is_narrow_and_counts(journal: Journal) -> None:
    journal.write(Job(1, ["seed=2", "a=0", "b" * 90], "", FAILED, "broken " * 30, 1, ELSEWHERE))
    jobs = status.states(journal.folder)
    lines = status.table(jobs).splitlines()
    assert max(map(len, lines)) <= 80
    assert [line.split()[0] for line in lines] == ["job", "0", "1"]
    assert lines[2].endswith("…")
    assert status.counts(jobs) == "2 jobs: 1 waiting, 1 failed"


def test_sweeps_are_found_by_name(journal: Journal, tmp_path: Path) -> None:
    assert status.find(tmp_path, "last") == status.find(tmp_path, "20") == journal.folder
    assert status.find(tmp_path, str(journal.folder)) == journal.folder
    Journal(tmp_path / "sweeps" / "2027", is_remote=True).begin(journal.plan())
    assert status.find(tmp_path, "last").name == "2027"
    with pytest.raises(ConfigError, match=r"20: the beginning of more than one sweep: 2026, 2027"):
        status.find(tmp_path, "20")
    with pytest.raises(ConfigError, match="3: no such sweep in"):
        status.find(tmp_path, "3")


def test_a_plan_that_cannot_be_read_is_one_line(journal: Journal) -> None:
    (journal.folder / "plan.json").write_text("{")
    with pytest.raises(LtrError, match=r"plan.json: cannot be read"):
        status.states(journal.folder)
