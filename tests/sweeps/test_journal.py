"""Journal of a sweep."""

import os
from pathlib import Path

import pytest

from ltr.sweeps.journal import DAMAGED, FAILED, Job, Journal, Place, Recorded, process_start


def test_jobs_are_kept_in_order_and_whole(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "sweep", is_remote=False)
    planned = Recorded(["seed=1,2"], [["seed=1"], ["seed=2"]], ["a", "b"], [1])
    journal.begin(planned)
    jobs = [
        Job(number, ["seed=1"], "folder", FAILED, "broken", 1, Place("here", 7, "3_1"), "2026-11-29T00:00:00")
        for number in (10, 9)
    ]
    for job in jobs:
        journal.write(job)
    assert [*journal.read().items()] == [(9, jobs[1]), (10, jobs[0])]
    assert journal.plan() == planned


def test_a_place_names_the_job_of_an_array() -> None:
    array = {"SLURM_JOB_ID": "15", "SLURM_ARRAY_JOB_ID": "12", "SLURM_ARRAY_TASK_ID": "3"}
    assert Place.here(array).slurm_job == "12_3"
    assert Place.here({"SLURM_JOB_ID": "15"}).slurm_job == "15"
    assert Place.here({}).slurm_job == ""


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"{}", b"\xff", b'{"number": 1, "words": []}', b'{"number": 0, "words": 3}'],
    ids=str,
)
def test_a_damaged_record_names_its_file_and_costs_no_other(tmp_path: Path, content: bytes) -> None:
    journal, whole = Journal(tmp_path, is_remote=False), Job(1, ["seed=2"])
    journal.write(whole)
    (file := tmp_path / "job_0.json").write_bytes(content)
    (tmp_path / "job_of_another.json").write_bytes(content)
    assert journal.read() == {
        0: Job(0, (), "", DAMAGED, f"{file.name}: cannot be read, in {file.parent}", 1),
        1: whole,
    }


def test_a_record_that_may_not_be_read_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "job_0.json").mkdir()
    assert Journal(tmp_path, is_remote=False).read()[0].state == DAMAGED


@pytest.mark.skipif(not process_start(os.getpid()), reason="there is no /proc")
def test_processes_start_once() -> None:
    assert process_start(os.getpid()) == process_start(os.getpid()) == Place.here().pid_since != ""
    assert process_start(os.getpid()) != process_start(1)


def test_the_start_of_no_process_is_unknown() -> None:
    assert process_start(0) == ""
