"""Signals as a polite request."""

import os
import signal
import threading
from pathlib import Path

import pytest

from ltr import interrupts
from ltr.experiment.signals import SIGNALS, Stop, StopAll, request_stop


def test_nothing_ends_a_run_before_a_signal_comes() -> None:
    with Stop() as stop:
        assert stop.error() is None


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_is_remembered(number: signal.Signals, code: int) -> None:
    with Stop() as stop:
        os.kill(os.getpid(), number)
        error = stop.error()
    assert error is not None
    assert error.exit_code == code
    assert str(error) == f"stopped by {number.name}; the same command goes on from here"


@pytest.mark.parametrize("number", SIGNALS)
def test_a_second_signal_is_not_waited_for(number: signal.Signals) -> None:
    with Stop():
        os.kill(os.getpid(), number)
        with pytest.raises(type(interrupts.exception(number))):
            os.kill(os.getpid(), number)


def test_a_signal_that_preempts_is_never_acted_on_at_once() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    with Stop(preempting=SIGNALS) as stop:
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGTERM)
    assert stop.caught == signal.SIGTERM
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_a_signal_raises_its_exit_code() -> None:
    assert type(interrupts.exception(signal.SIGINT)) is KeyboardInterrupt
    with pytest.raises(SystemExit) as caught:
        raise interrupts.exception(signal.SIGTERM)
    assert caught.value.code == 143


def test_signals_mean_again_what_they_meant_before() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    with Stop():
        assert [signal.getsignal(number) for number in SIGNALS] != before
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_a_handler_that_is_not_of_python_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(signal, "getsignal", lambda number: None)
    with Stop():
        monkeypatch.undo()
        assert signal.getsignal(signal.SIGTERM) == before


def test_another_thread_than_the_main_one_catches_nothing() -> None:
    before = signal.getsignal(signal.SIGINT)
    seen = []

    def enter() -> None:
        with Stop() as stop:
            seen.append((signal.getsignal(signal.SIGINT), stop.error()))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [(before, None)]


def test_what_one_process_catches_stops_those_that_look_into_its_file(tmp_path: Path) -> None:
    file = tmp_path / "new" / "stop"
    with Stop(file) as job:
        assert job.error() is None
    with StopAll(file):
        os.kill(os.getpid(), signal.SIGTERM)
    with Stop(file) as job, Stop() as other:
        assert str(job.error()) == "stopped by SIGTERM; the same command goes on from here"
        assert other.error() is None


def test_a_file_of_no_signal_asks_for_nothing(tmp_path: Path) -> None:
    file = tmp_path / "stop"
    file.write_text("now")
    assert Stop(file).error() is None
    request_stop(file, signal.SIGINT)
    assert str(Stop(file).error()).startswith("stopped by SIGINT")
