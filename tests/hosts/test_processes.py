"""Runs of several processes, each started as a user does."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from ltr.hosts import links
from tests.compilation import QUICK

COMMAND = """
import os, sys
os.sched_setaffinity(0, {int(sys.argv.pop(1))})
from ltr.cli import main
sys.exit(main())
"""
"""`ltr` on one core, whose number comes first."""

SMALL = (
    "rounds=1",
    "replicates=2",
    "steps=30",
    "eval_every=10",
    "model.width=0.1",
    "arms=[ticket]",
    "sparse=never",
)
LONG = ("rounds=3", "replicates=4", "steps=3000", "arms=[ticket,random_reinit]", "checkpoint_every=1")


def start(count: int, root: Path, words: Sequence[str]) -> list["subprocess.Popen[str]"]:
    """Start the processes of a run, each with a core, as far as there are some."""
    cores, address = sorted(os.sched_getaffinity(0)), f"localhost:{links.free_port()}"
    return [
        subprocess.Popen(
            [
                *(sys.executable, "-c", COMMAND, str(cores[index % len(cores)]), "run", *words),
                *(f"hosts.coordinator={address}", f"hosts.count={count}", f"hosts.index={index}"),
                f"output_root={root}",
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | QUICK,
        )
        for index in range(count)
    ]


def finish(processes: Sequence["subprocess.Popen[str]"]) -> list[tuple[int, str, str]]:
    """Exit code, output and errors of each."""
    said = [process.communicate(timeout=600) for process in processes]
    return [(process.returncode, *texts) for process, texts in zip(processes, said, strict=True)]


def tables(root: Path) -> dict[str, pd.DataFrame]:
    (folder,) = root.glob("digits-*")
    return {name: pd.read_parquet(folder / f"{name}.parquet") for name in ("results", "metrics")}


def assert_alike(found: dict[str, pd.DataFrame], expected: dict[str, pd.DataFrame], tolerance: float) -> None:
    for name, table in expected.items():
        order = ["round", "replicate", "arm", "draw", *(["step"] if name == "metrics" else [])]
        one, other = (frame.sort_values(order, ignore_index=True) for frame in (found[name], table))
        pd.testing.assert_frame_equal(one, other, rtol=0, atol=tolerance)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_two_processes_train_the_run_of_one(tmp_path: Path) -> None:
    assert [end[0] for end in finish(start(1, tmp_path / "one", SMALL))] == [0]
    first, second = finish(start(2, tmp_path / "two", SMALL))
    assert (first[0], second[0]) == (0, 0), first[2] + second[2]
    assert "Test accuracy at early stop" in first[1]
    assert second[1:] == ("", "")
    assert_alike(tables(tmp_path / "two"), tables(tmp_path / "one"), 0.0)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("count", "victim"), [(4, 2), (2, 0)])
def test_a_killed_process_ends_the_others_and_fewer_go_on(count: int, victim: int, tmp_path: Path) -> None:
    processes = start(count, tmp_path / "killed", LONG)
    while not list((tmp_path / "killed").glob("*/checkpoints/under_way*")):
        assert processes[0].poll() is None
        time.sleep(0.1)
    processes[victim].send_signal(signal.SIGKILL)
    began = time.monotonic()
    ends = finish(processes)
    assert time.monotonic() - began < 60
    for code, _, errors in (end for index, end in enumerate(ends) if index != victim):
        assert code == 1
        assert errors.splitlines()[-1].startswith(f"ltr run: process {victim} of {count} (")
    assert [end[0] for end in finish(start(2, tmp_path / "killed", LONG))] == [0, 0]
    assert [end[0] for end in finish(start(1, tmp_path / "whole", LONG))] == [0]
    assert_alike(tables(tmp_path / "killed"), tables(tmp_path / "whole"), 0.01)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_signal_that_reaches_a_member_twice_waits_for_the_checkpoint(tmp_path: Path) -> None:
    """Slurm signals all processes of a step: the supervisors, which pass signals on, and the members."""
    processes = start(2, tmp_path, [*LONG[:-1], "checkpoint_every=600"])
    while not list(tmp_path.glob("*/checkpoints/initial")):
        assert processes[0].poll() is None
        time.sleep(0.1)
    pid = processes[0].pid
    (member,) = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    os.kill(member, signal.SIGTERM)
    assert processes[0].stderr is not None
    while "stopping after a checkpoint" not in processes[0].stderr.readline():
        assert processes[0].poll() is None
    processes[0].send_signal(signal.SIGTERM)
    first, second = finish(processes)
    assert (first[0], second[0]) == (143, 143)
    assert first[2].endswith("ltr run: stopped by SIGTERM; the same command goes on from here\n")
    assert list(tmp_path.glob("*/checkpoints/under_way*"))
