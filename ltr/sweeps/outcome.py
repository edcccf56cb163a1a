"""Outcome of a sweep: a table of its runs, its failed jobs and its exit code."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from ltr.core.plural import number_of
from ltr.errors import LtrError
from ltr.report import console, runs
from ltr.store import fetching
from ltr.store.catalog import INFO, Run
from ltr.sweeps import status
from ltr.sweeps.status import JobState


def show_runs(folders: Iterable[Path]) -> None:
    """Print a table of the runs that began training."""
    fetching.fetch(*(folders := dict.fromkeys(folders)))
    began = [folder for folder in folders if (folder / INFO).exists()]
    entries = [runs.entry(Run(folder)) for folder in began]
    if entries:
        text, left_out = runs.table(entries, runs.LINE)
        console.write(f"\n{text}")
        for remark in runs.remarks(entries, left_out):
            console.note(remark)


def exit_code(jobs: Sequence[JobState], launched: str) -> int:
    """Print the jobs that failed or were stopped; return the exit code of the sweep.

    `launched`: error of the launcher; empty if there was none.
    """
    if launched:
        console.note(f"ltr run: the launcher failed: {launched}")
    lines = failures(jobs)
    for line in lines:
        console.note(f"ltr run: {line}")
    if stopped := [job for job in jobs if job.was_stopped]:
        console.note(f"ltr run: {stopped[0].reason}")
        return stopped[0].exit_code
    if lines:
        console.note(f"ltr run: {len(lines)} of {number_of(len(jobs), 'job')} failed, see above")
    codes = [job.exit_code for job in jobs if job.exit_code]
    return codes[0] if codes else LtrError.exit_code if launched else 0


def failures(jobs: Sequence[JobState]) -> list[str]:
    """Return a line for each job that has not finished and was not stopped by a signal."""
    return [
        f"job {job.number} ({words}): {job.reason or f'still {job.state}'}"
        for job, words in zip(jobs, status.differing(jobs), strict=True)
        if not job.is_finished and not job.was_stopped
    ]
