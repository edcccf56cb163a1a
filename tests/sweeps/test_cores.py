"""Shares of the cores."""

import subprocess
import sys
from pathlib import Path

import pytest

from ltr.core.machine import cores

TAKE = """
import os, sys
from pathlib import Path
from ltr.sweeps.cores import take_share
for _ in range(2):
    take_share(int(sys.argv[1]), Path(sys.argv[2]))
print(sorted(os.sched_getaffinity(0)), flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(len(cores()) < 2, reason="needs two cores")
def test_processes_have_different_cores_and_free_them(tmp_path: Path) -> None:
    def started(num_cores: int) -> tuple[subprocess.Popen[str], str]:
        process = subprocess.Popen(
            [sys.executable, "-c", TAKE, str(num_cores), str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        return process, process.stdout.readline().strip()

    all_cores = cores()
    processes = [started(1) for _ in all_cores]
    assert sorted(shown for _, shown in processes) == sorted(f"[{core}]" for core in all_cores)
    first, shown = processes[0]
    more, shown_without = started(1)
    assert shown_without == str(all_cores)
    first.kill()
    first.communicate()
    again, shown_again = started(1)
    assert shown_again == shown
    whole, shown_whole = started(0)
    assert shown_whole == str(all_cores)
    for process, _ in [*processes[1:], (more, ""), (again, ""), (whole, "")]:
        process.communicate("")
