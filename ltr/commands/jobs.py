"""Show the jobs of a sweep: finished, running, waiting, failed and why."""

import argparse
import json

from ltr.addresses import kept_here
from ltr.commands.options import add_output_root
from ltr.report import console
from ltr.sweeps import status

EPILOG = """\
examples:
  ltr jobs
  ltr jobs 2026-11-29 --json

A sweep is a command `ltr run -m`. For each of its jobs the table has the words
in which it differs from the others, and its state:

  finished   its run is finished; perhaps it was before the sweep
  running    the round and the place: machine and process, or Slurm job
  waiting    not yet begun, or the run is being written by another process
  failed     an error, which is shown
  stopped    a signal stopped it after a checkpoint
  preempted  stopped after a checkpoint, and back in the queue by itself
  killed     it ended without a word: its process was killed, or its machine
             failed
  damaged    its record, which is named, cannot be read, and its run is not
             finished

The command of the sweep, typed again, starts the jobs that are not finished.
They go on from their last checkpoints. A job on another machine is seen by the
lock of its run folder, if the file system has locks that all machines see;
while it prepares its run, before it holds the lock, it counts as running.

With --json an object with the keys sweep (folder), words (of its command) and
jobs: a list of objects with number, words, state, folder (of the run), host,
pid, slurm_job, round (that it trains) and reason (of a job that is not
finished). Values that are unknown are null."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `ltr jobs`."""
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "sweep",
        metavar="SWEEP",
        nargs="?",
        default="last",
        help="a sweep's folder, the beginning of its name, or last (default: last)",
    )
    add_output_root(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def execute(args: argparse.Namespace) -> int:
    """Print the state of each job."""
    folder = status.find(kept_here(args.output_root), args.sweep)
    jobs = status.states(folder)
    if args.json:
        words = status.plan_of(folder).words
        console.write(
            json.dumps({"sweep": str(folder), "words": words, "jobs": [*map(status.entry, jobs)]}, indent=2)
        )
    elif jobs:
        console.write(status.table(jobs))
        console.write(f"\n{folder}: {status.counts(jobs)}")
    else:
        console.note(f"{folder}: no job began")
    return 0
