"""Sweeps on a local Ray cluster."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.sweeps.killed_sweep import MAIN, SHORT, runs

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_a_killed_job_starts_again_by_itself_and_one_that_fails_leaves_the_others(
    tmp_path: Path,
) -> None:
    pytest.importorskip("ray")
    words = ["dataset=digits,kmnist", "seed=0,1", *SHORT, f"data_dir={tmp_path / 'data'}"]
    command = [sys.executable, "-c", MAIN, "run", "-m", f"output_root={tmp_path}", *words]
    with (tmp_path / "said.txt").open("w") as said:
        process = subprocess.Popen([*command, "hydra/launcher=ray_cluster"], stdout=said, stderr=said)
    killed = False
    while process.poll() is None:
        for file in [] if killed else tmp_path.glob("sweeps/*/job_0.json"):
            job = json.loads(file.read_text())
            if job["state"] == "running" and job["folder"]:
                os.kill(job["place"]["pid"], signal.SIGKILL)
                killed = True
        time.sleep(0.1)
    said_by_it = (tmp_path / "said.txt").read_text()
    assert killed
    assert process.wait() == 3, said_by_it
    assert "ltr run: 2 of 4 jobs failed, see above" in said_by_it
    assert [info["status"] for info in runs(tmp_path).values()] == ["finished"] * 2
