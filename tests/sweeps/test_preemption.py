"""Preemption: which stops put a job back into the queue."""

import os
import signal
import subprocess

import pytest

from ltr.experiment.signals import Stop, request_stop
from ltr.sweeps import preemption


def stopped(number: int, file: object = None) -> Stop:
    """A stop by a signal."""
    with Stop(file, preemption.signals()) as stop:  # type: ignore[arg-type]
        os.kill(os.getpid(), number)
    return stop


@pytest.fixture
def under_slurm(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """This process is a Slurm job of submitit; the list has its state in Slurm."""
    states = ["RUNNING"]

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        assert command[0] == "squeue"
        return subprocess.CompletedProcess(command, 0, f"{states[-1]}\n", "")

    monkeypatch.setenv("SUBMITIT_EXECUTOR", "slurm")
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setattr(preemption.subprocess, "run", run)
    return states


@pytest.mark.usefixtures("under_slurm")
@pytest.mark.parametrize("number", [signal.SIGUSR2, signal.SIGTERM])
def test_a_job_of_slurm_queues_again(number: int) -> None:
    assert preemption.is_preempted(stop := stopped(number))
    assert stop.error() is not None


def test_a_job_that_is_cancelled_does_not(under_slurm: list[str]) -> None:
    under_slurm.append("COMPLETING")
    assert not preemption.is_preempted(stopped(signal.SIGTERM))


@pytest.mark.usefixtures("under_slurm")
def test_a_job_of_a_sweep_that_was_stopped_does_not(tmp_path: object) -> None:
    request_stop(tmp_path / "stop", signal.SIGINT)  # type: ignore[operator]
    assert not preemption.is_preempted(stopped(signal.SIGTERM, tmp_path / "stop"))  # type: ignore[operator]


def test_outside_a_queue_nothing_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUBMITIT_EXECUTOR", raising=False)
    assert preemption.signals() == []
    assert not preemption.is_preempted(stopped(signal.SIGTERM))


def test_a_job_of_submitit_on_this_machine_queues_again_by_its_signal_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SUBMITIT_EXECUTOR", "local")
    monkeypatch.setenv("SUBMITIT_PREEMPT_SIGNAL", "USR1")
    assert preemption.is_preempted(stopped(signal.SIGUSR1))
    assert not preemption.is_preempted(stopped(signal.SIGTERM))


@pytest.mark.usefixtures("under_slurm")
def test_with_a_signal_of_preemption_a_second_signal_waits_for_the_checkpoint() -> None:
    with Stop(None, preemption.signals()) as stop:
        for number in (signal.SIGTERM, signal.SIGUSR2, signal.SIGUSR2):
            os.kill(os.getpid(), number)
    assert stop.caught == signal.SIGTERM


def test_requeuing_calls_the_handler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUBMITIT_EXECUTOR", "local")
    called: list[int] = []
    before = signal.signal(signal.SIGUSR2, lambda number, _: called.append(number))
    try:
        with Stop(None, preemption.signals()):
            pass
        preemption.requeue()
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert called == [signal.SIGUSR2]
