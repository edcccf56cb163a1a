"""Journal of a sweep."""

from pathlib import Path

from ltr.sweeps.journal import FAILED, Job, Journal, Place, Recorded


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
