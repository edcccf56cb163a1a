"""Kill a third of the jobs of a Slurm sweep at random, start it again, and compare with a sweep left alone.

python -m tests.sweeps.killed_sweep DIR [JOBS]

Starts a Slurm cluster of this machine (see `tests.slurm`) and trains JOBS runs of handwritten digits twice:
by joblib, left alone, and by Slurm, where jobs are killed by SIGKILL at a random moment. The second sweep is
then started again, twice. It must leave JOBS finished runs with the same tables as the first, of which only
those that were killed have a second session. One line is printed for each of these facts.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from tests import slurm

SHORT = ("rounds=1", "steps=50", "eval_every=50", "replicates=1", "arms=[ticket]", "sparse=never")
SLURM = ("hydra/launcher=slurm", "hydra.launcher.cpus_per_task=1", "hydra.launcher.mem_gb=1")
TABLES = ("results", "metrics")
MAIN = "import sys; from ltr.cli import main; sys.exit(main())"
SHARE = 3
"""One in so many jobs is killed."""

LONGEST = 6.0
"""Longest time from the start of a job until it is killed, if it is not killed as it trains, in seconds."""


class Sweep(NamedTuple):
    """Finished command of a sweep."""

    seconds: float
    exit_code: int
    killed: list[int]


def words(jobs: int) -> list[str]:
    """Return the words of a sweep over seeds and prune rates of at least this number of jobs."""
    rates = (0.2, 0.4)
    seeds = -(-jobs // len(rates))
    return [f"seed=range({seeds})", f"prune_rate={','.join(map(str, rates))}", *SHORT]


def run(root: Path, *further: str, kill: int = 0) -> Sweep:
    """Run a sweep below a folder, and kill this number of its jobs."""
    command = [sys.executable, "-c", MAIN, "run", "-m", *further, f"output_root={root}"]
    before, began = set(root.glob("sweeps/*")), time.monotonic()
    with (root.parent / f"{root.name}.log").open("a") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        killed = _killed(process, root, before, kill) if kill else []
        exit_code = process.wait()
    return Sweep(time.monotonic() - began, exit_code, killed)


def _killed(process: subprocess.Popen[bytes], root: Path, before: set[Path], kill: int) -> list[int]:
    """Kill jobs while a sweep runs, half of them at their start, half as they train; return their numbers."""
    chance, due, killed = random.Random(0), dict[int, float](), list[int]()
    waits_for_training: set[int] = set()
    while process.poll() is None:
        for file in (file for new in set(root.glob("sweeps/*")) - before for file in new.glob("job_*.json")):
            number = int(file.stem.removeprefix("job_"))
            if number not in due:
                is_chosen = chance.random() < 1.5 / SHARE
                due[number] = time.monotonic() + chance.uniform(0, LONGEST) if is_chosen else float("inf")
                if is_chosen and chance.random() < 0.5:
                    waits_for_training.add(number)
                    due[number] = float("-inf")
            if time.monotonic() < due[number] or len(killed) == kill:
                continue
            job = json.loads(file.read_text())
            if number in waits_for_training and job["state"] == "running":
                if (Path(job["folder"]) / "run.json").exists():
                    waits_for_training.remove(number)
                    due[number] = time.monotonic() + chance.uniform(0, 1)
                continue
            due[number] = float("inf")
            if job["state"] == "running":
                os.kill(job["place"]["pid"], signal.SIGKILL)
                killed.append(number)
        time.sleep(0.2)
    return killed


def runs(root: Path) -> dict[str, dict[str, Any]]:
    """Return the content of run.json of each run below a folder, by name."""
    return {file.parent.name: json.loads(file.read_text()) for file in root.glob("*/run.json")}


def equal_tables(first: Path, second: Path) -> bool:
    """Return whether the runs of two folders have the same names and the same numbers."""
    names = sorted(runs(first))
    return names == sorted(runs(second)) and all(
        pd.read_parquet(first / name / f"{table}.parquet").equals(
            pd.read_parquet(second / name / f"{table}.parquet")
        )
        for name in names
        for table in TABLES
    )


def prove(folder: Path, jobs: int) -> dict[str, Any]:
    """Run the sweeps in a folder, and return what was found."""
    alone, killed, swept = folder / "alone", folder / "killed", words(jobs)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as daemons, slurm.cluster(Path(daemons)):
        first = run(killed, *swept, *SLURM, kill=jobs // SHARE)
        finished = Counter(info["status"] for info in runs(killed).values())["finished"]
        second = run(killed, *swept, *SLURM)
        third = run(killed, *swept, *SLURM)
    left_alone = run(alone, *swept, "hydra/launcher=processes")
    infos = runs(killed).values()
    return {
        "jobs": len(runs(alone)),
        "killed": len(first.killed),
        "finished after the kills": finished,
        "finished after the second start": sum(info["status"] == "finished" for info in infos),
        "runs with one session": sum(len(info["sessions"]) == 1 for info in infos),
        "runs with two sessions": sum(len(info["sessions"]) == 2 for info in infos),
        "trainings": sum(len(pd.read_parquet(file)) for file in killed.glob("*/results.parquet")),
        "tables are equal": equal_tables(alone, killed),
        "exit codes": [first.exit_code, second.exit_code, third.exit_code, left_alone.exit_code],
        "seconds": [round(one.seconds) for one in (first, second, third, left_alone)],
    }


def main(arguments: Sequence[str]) -> None:
    """Print what was found."""
    folder, jobs = Path(arguments[0]), int(arguments[1]) if len(arguments) > 1 else 200
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in prove(folder.resolve(), jobs).items():
        print(f"{name}: {json.dumps(value)}")


if __name__ == "__main__":
    main(sys.argv[1:])
