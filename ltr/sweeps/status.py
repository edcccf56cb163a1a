"""State of each job of a sweep, from its record, its run folder and its process."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ltr.addresses import local
from ltr.errors import ConfigError, LtrError
from ltr.report import text_table
from ltr.report.text_table import Column
from ltr.store import fetching
from ltr.store.catalog import CHECKPOINTS, Run
from ltr.store.catalog import FINISHED as RUN_FINISHED
from ltr.store.lock import is_locked
from ltr.sweeps.journal import (
    DAMAGED,
    FINISHED,
    PLAN,
    RUNNING,
    WAITING,
    Job,
    Journal,
    Place,
    Recorded,
    process_start,
)

KILLED = "killed"
"""State that is seen from outside: the job is recorded as running, but its process is gone."""

_OPEN = (RUNNING, WAITING)
"""States in which a job has not ended."""

_UNSURE = (*_OPEN, DAMAGED)
"""States of a record that its run folder may correct."""

ENDED = "the sweep has ended"

KILLED_HERE = "process killed, or machine failed"

GAP = 2
"""Spaces between columns of the table."""


class JobState(NamedTuple):
    """State of a job, as plain data.

    Attributes:
        number: index in the sweep, from 0.
        words: combination of values, as typed.
        state: `finished`, `running`, `waiting`, `failed`, `stopped`, `preempted`, `killed` or
            `damaged`.
        folder: run folder; empty if it is unknown.
        place: where it runs or ran last; None before.
        round: round that it trains; None unless it runs.
        reason: why it failed, stopped, was killed or waits, or which record is damaged; empty otherwise.
        exit_code: exit code of its error; 1 if it has not finished without an error of its own, else 0.
    """

    number: int
    words: Sequence[str]
    state: str
    folder: str
    place: Place | None = None
    round: int | None = None
    reason: str = ""
    exit_code: int = 0

    @property
    def is_finished(self) -> bool:
        """Whether the job needs no other start."""
        return self.state == FINISHED

    @property
    def was_stopped(self) -> bool:
        """Whether a signal stopped the job, or prevented its start."""
        return self.exit_code > 128


def find(output_root: Path, name: str) -> Path:
    """Return the folder of a sweep.

    Args:
        output_root: folder of the run folders.
        name: path or name of the sweep's folder, a unique beginning of the name, or `last`.

    Raises:
        ConfigError: no sweep has this name, or several have.
    """
    if (Path(name) / PLAN).is_file():
        return Path(name)
    folders = sorted(file.parent for file in output_root.glob(f"sweeps/*/{PLAN}"))
    found = folders[-1:] if name == "last" else [one for one in folders if one.name.startswith(name)]
    if not found:
        raise ConfigError(f"{name}: no such sweep in {output_root / 'sweeps'}")
    if len(found) > 1:
        names = ", ".join(folder.name for folder in found)
        raise ConfigError(f"{name}: the beginning of more than one sweep: {names}")
    return found[0]


def states(folder: Path) -> list[JobState]:
    """Return the state of every job of a sweep that is known, in order."""
    plan = plan_of(folder)
    records = Journal(folder.absolute(), is_remote=True).read()
    jobs = [
        Job(number, words, plan.folders[number], FINISHED if number not in plan.missing else WAITING)
        for number, words in enumerate(plan.combinations)
    ] or [*records.values()]
    unsure = [job for job in jobs if job.number in records and records[job.number].state in _UNSURE]
    folders = [records[job.number].folder or job.folder for job in unsure]
    fetching.fetch(*(local(folder) for folder in folders if folder))
    is_launching = is_locked(folder)
    return [_state(job, records.get(job.number), is_launching) for job in jobs]


def plan_of(folder: Path) -> Recorded:
    """Return the plan of a sweep; LtrError if it cannot be read."""
    try:
        return Journal(folder, is_remote=True).plan()
    except (OSError, ValueError, TypeError) as error:
        raise LtrError(f"{folder / PLAN}: cannot be read ({error})") from None


def _state(planned: Job, job: Job | None, is_launching: bool) -> JobState:
    """Return the state of a job from its record, if it has one."""
    if job is None:
        left = planned.state == WAITING
        reason = "" if is_launching or not left else f"never began, and {ENDED}"
        return JobState(
            planned.number, planned.words, planned.state, planned.folder, reason=reason, exit_code=int(left)
        )
    state = JobState(
        job.number,
        job.words or planned.words,
        job.state,
        job.folder or planned.folder,
        job.place,
        None,
        job.error,
        job.exit_code,
    )
    if job.state == DAMAGED and _is_finished(planned):
        return state._replace(state=FINISHED, reason="", exit_code=0)
    if job.state not in _OPEN:
        return state
    if reason := _death(job):
        if _is_finished(job):
            return state._replace(state=FINISHED, reason="", exit_code=0)
        return state._replace(state=KILLED, reason=reason, exit_code=1)
    round_number = _round(local(job.folder)) if job.folder else None
    place = None if _is_dead_here(job.place) else job.place  # then another sweep's job writes the run
    return state._replace(round=round_number, place=place, exit_code=1)


def _death(job: Job) -> str:
    """Return why a job that is recorded as running is not; empty if it runs, as far as can be seen."""
    if job.folder and job.state == RUNNING and is_locked(local(job.folder)):
        return ""
    if job.place.host == Place.here().host:
        return KILLED_HERE if _is_dead_here(job.place) else ""
    if not job.folder or not (local(job.folder) / CHECKPOINTS).exists():
        return ""  # it prepares its run
    return f"no process on {job.place.host} holds the lock of its run"


def _is_dead_here(place: Place) -> bool:
    """Return whether a process of this machine has ended; False for one of another machine."""
    if place.host != Place.here().host:
        return False
    try:
        os.kill(place.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # of another user
        pass
    since = process_start(place.pid)
    return "" not in (since, place.pid_since) and since != place.pid_since  # then another has its number


def _is_finished(job: Job) -> bool:
    """Return whether the run of a job was finished since, as by another sweep."""
    try:
        return bool(job.folder) and Run(local(job.folder)).status == RUN_FINISHED
    except OSError:
        return False


def _round(folder: Path) -> int:
    """Return the round that a run trains: the one after the last that has a checkpoint."""
    found = (re.fullmatch(r"round_(\d+)", path.name) for path in folder.glob(f"{CHECKPOINTS}/round_*"))
    return max((int(match[1]) + 1 for match in found if match), default=0)


def differing(jobs: Sequence[JobState]) -> list[str]:
    """Return the words of each job that other jobs do not have."""
    shared = set.intersection(*(set(job.words) for job in jobs)) if len(jobs) > 1 else set()
    return [" ".join(word for word in job.words if word not in shared) for job in jobs]


def table(jobs: Sequence[JobState]) -> str:
    """Return a table of jobs, of lines of 80 characters at most."""
    words = differing(jobs)
    widths = [
        max(3, *(len(str(job.number)) for job in jobs)),
        min(36, max(5, *map(len, words))),
        max(5, *(len(job.state) for job in jobs)),
    ]
    titles = ("job", "words", "state", "where or why")
    widths.append(text_table.WIDTH - sum(widths) - GAP * len(widths))
    columns = [Column(title, title == "job", width) for title, width in zip(titles, widths, strict=True)]
    rows = [(str(job.number), text, job.state, _detail(job)) for job, text in zip(jobs, words, strict=True)]
    return text_table.table(columns, rows, GAP)


def counts(jobs: Sequence[JobState]) -> str:
    """Return the number of jobs in each state, as in `3 jobs: 2 finished, 1 running`."""
    numbers = dict.fromkeys((job.state for job in jobs), 0)
    for job in jobs:
        numbers[job.state] += 1
    listed = ", ".join(f"{number} {state}" for state, number in numbers.items())
    return f"{len(jobs)} jobs: {listed}"


def entry(job: JobState) -> dict[str, Any]:
    """Return a job as plain data for JSON; unknown values are None."""
    place = job.place or Place()
    return {
        "number": job.number,
        "words": [*job.words],
        "state": job.state,
        "folder": job.folder or None,
        "host": place.host or None,
        "pid": place.pid or None,
        "slurm_job": place.slurm_job or None,
        "round": job.round,
        "reason": job.reason or None,
    }


def _detail(job: JobState) -> str:
    """Return where a job runs, or why it does not."""
    if job.state != RUNNING:
        return job.reason
    round_number = "" if job.round is None else f"round {job.round}, "
    if job.place is None:
        return f"{round_number}by another sweep or command"
    process = f"Slurm job {job.place.slurm_job}" if job.place.slurm_job else f"process {job.place.pid}"
    return f"{round_number}{job.place.host}, {process}"
