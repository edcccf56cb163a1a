"""Sweeps in processes of this machine, of which some are killed or told to queue again."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.sweeps.killed_sweep import MAIN, SHORT, runs

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def sweep(root: Path, number: signal.Signals, *words: str) -> int:
    """Run a sweep, and send a signal to the process of job 0 once it trains; return the exit code."""
    command = [sys.executable, "-c", MAIN, "run", "-m", f"output_root={root}", *words]
    with (root / "said.txt").open("a") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said)
    is_sent = False
    while process.poll() is None:
        for job in [] if is_sent else records(root):
            folder = Path(job["folder"] or root / "none")
            if job["number"] == 0 and job["state"] == "running" and (folder / "run.json").exists():
                os.kill(job["place"]["pid"], number)
                is_sent = True
        time.sleep(0.1)
    assert is_sent
    return process.wait()


def records(root: Path) -> list[dict[str, Any]]:
    """Records of the jobs of all sweeps."""
    return [json.loads(file.read_text()) for file in root.glob("sweeps/*/job_*.json")]


def test_what_joblib_loses_with_a_killed_process_is_launched_again(tmp_path: Path) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    words = ["seed=0,1,2,3,4", *SHORT, "hydra/launcher=processes", "hydra.launcher.n_jobs=2"]
    assert sweep(tmp_path, signal.SIGKILL, *words) == 1
    states = {job["number"]: job["state"] for job in records(tmp_path)}
    assert states[0] == "running"  # which was killed
    assert Counter(states.values())["finished"] >= 3  # joblib ends its other process too
    assert len(states) == 5
    assert "ltr run: job 0 (seed=0): process killed, or machine failed" in (tmp_path / "said.txt").read_text()


def test_a_job_of_submitit_queues_again_after_a_checkpoint(tmp_path: Path) -> None:
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    words = ["seed=0", "rounds=0", "steps=12000", "replicates=1", "arms=[ticket]", "sparse=never"]
    assert sweep(tmp_path, signal.SIGUSR2, *words, "hydra/launcher=submitit_local") == 0
    (info,) = runs(tmp_path).values()
    assert info["status"] == "finished"
    assert len(info["sessions"]) == 2
    assert "stopped by SIGUSR2" in next(tmp_path.glob("*/log.txt")).read_text()
