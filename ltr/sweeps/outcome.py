"""Outcome of a sweep: a table of its runs, its failed jobs and its exit code."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from ltr.core.plural import number_of
from ltr.errors import LtrError
from ltr.report import console, runs
from ltr.store.catalog import INFO, Run
from ltr.sweeps.journal import Job


def show_runs(folders: Iterable[Path]) -> None:
    """Print a table of the runs that began training."""
    began = [folder for folder in dict.fromkeys(folders) if (folder / INFO).exists()]
    entries = [runs.entry(Run(folder)) for folder in began]
    if entries:
        text, left_out = runs.table(entries, runs.LINE)
        console.write(f"\n{text}")
        for remark in runs.remarks(entries, left_out):
            console.note(remark)


def exit_code(ended: Sequence[Job], launched: str) -> int:
    """Print the jobs that failed or were stopped; return the exit code of the sweep."""
    if launched:
        console.note(f"ltr run: the launcher failed: {launched}")
    lines = failures(ended)
    for line in lines:
        console.note(f"ltr run: {line}")
    if stopped := [job for job in ended if job.was_stopped]:
        console.note(f"ltr run: {stopped[0].error}")
        return stopped[0].exit_code
    if lines:
        console.note(f"ltr run: {len(lines)} of {number_of(len(ended), 'job')} failed, see above")
    codes = [job.exit_code for job in ended if job.error]
    return codes[0] if codes else LtrError.exit_code if launched else 0


def failures(jobs: Sequence[Job]) -> list[str]:
    """Return a line for each failed job, with its number and the words that differ between jobs."""
    shared = set.intersection(*(set(job.words) for job in jobs)) if len(jobs) > 1 else set()
    return [
        f"job {job.number} ({' '.join(word for word in job.words if word not in shared)}): {job.error}"
        for job in jobs
        if job.error and not job.was_stopped
    ]
