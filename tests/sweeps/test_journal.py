"""Journal of a sweep."""

from pathlib import Path

from ltr.sweeps.journal import Job, Journal, lost


def test_jobs_are_kept_in_order(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "sweep", is_remote=False)
    for number in (10, 9):
        journal.write(Job(number, ["seed=1"], "folder", "broken", 1))
    assert [job.number for job in journal.read()] == [9, 10]
    assert lost([["a=1"], ["output_root='a b'"]], [Job(0, ["a=1"])])[0].words == ["output_root=a b"]
