"""What becomes of a run when its members end, as the supervisors see it."""

import os
import signal
from typing import Any

import pytest

from ltr.hosts import supervisor
from ltr.hosts.group import Group
from ltr.hosts.links import Event
from ltr.hosts.member import PEER_LOST
from ltr.hosts.supervisor import Outcome

NAMES = {0: "host0, pid 10", 1: "host1, pid 11", 2: "host2, pid 12"}


class Heard:
    """Link that keeps what is sent."""

    def __init__(self) -> None:
        self.messages: list[Any] = []

    def send(self, message: Any) -> None:
        self.messages.append(message)


def ended(index: int, code: int | None, last_words: str = "") -> Event:
    return Event(index, None if code is None else {"ended": code, "last_words": last_words})


def decided(*events: Event | None, index: int = 0) -> tuple[Outcome, dict[int, Any]]:
    """The outcome of three members after events; None is the deadline."""
    others = {other: Heard() for other in NAMES if other != index}
    outcome = Outcome(Group("host0", 1, 3, index), NAMES)
    for event in events:
        assert outcome.is_open
        outcome.hear(event, others)  # type: ignore[arg-type]
    return outcome, others


def test_a_run_is_over_when_all_members_are() -> None:
    outcome, others = decided(ended(1, 0), ended(0, 0))
    assert outcome.is_open
    assert outcome.deadline is None  # member 0 draws figures, while others have nothing left to do
    outcome, others = decided(ended(1, 0), ended(0, 0), ended(2, 0))
    assert (outcome.is_open, outcome.code, outcome.text) == (False, 0, "")
    assert [link.messages for link in others.values()] == [[{"code": 0, "text": ""}]] * 2


@pytest.mark.parametrize(
    ("events", "lost", "how"),
    [
        ([ended(2, -signal.SIGKILL)], 2, " by SIGKILL"),
        ([ended(1, -signal.SIGABRT), ended(2, None)], 2, ""),
        ([ended(0, PEER_LOST), ended(1, PEER_LOST), ended(2, -signal.SIGABRT)], 2, " by SIGABRT"),
        ([ended(0, PEER_LOST), ended(1, -signal.SIGSEGV)], 1, " by SIGSEGV"),
        ([ended(1, PEER_LOST)], 1, ""),
    ],
)
def test_the_member_that_was_lost_is_named_whatever_ended_after_it(
    events: list[Event], lost: int, how: str
) -> None:
    deadline = [None] if len(events) < len(NAMES) else []
    outcome, others = decided(*events, *deadline)
    line = f"process {lost} of 3 ({NAMES[lost]}) was lost{how}; the same command goes on from the last "
    line += "checkpoint"
    assert (outcome.code, outcome.text) == (1, line)
    assert all(link.messages == [{"code": 1, "text": line}] for link in others.values())


def test_an_error_of_another_member_is_passed_on() -> None:
    outcome, _ = decided(ended(1, 3, "ltr run: no data"), ended(0, PEER_LOST), None)
    assert (outcome.code, outcome.text) == (3, "process 1 of 3 (host1, pid 11): ltr run: no data")


@pytest.mark.parametrize("events", [[ended(0, 2)], [ended(1, 2, "wrong"), ended(0, 2)]])
def test_what_member_0_printed_is_not_said_again(events: list[Event]) -> None:
    outcome, _ = decided(*events, None)
    assert (outcome.code, outcome.text) == (2, "")


def test_members_that_a_signal_stops_have_time_for_a_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor.time, "monotonic", lambda: 100.0)
    outcome, _ = decided(ended(1, 143))
    assert outcome.deadline == 100 + supervisor.STOPPING
    outcome, _ = decided(ended(1, 143), ended(2, 143), ended(0, 143))
    assert (outcome.code, outcome.text) == (143, "")


def test_the_supervisor_of_process_0_decides() -> None:
    outcome, others = decided(ended(1, -signal.SIGKILL), index=1)
    assert outcome.is_open
    assert others[0].messages == [{"ended": -signal.SIGKILL, "last_words": ""}]
    outcome.hear(Event(0, {"code": 1, "text": "process 1 was lost"}), others)  # type: ignore[arg-type]
    assert (outcome.is_open, outcome.code, outcome.text) == (False, 1, "process 1 was lost")


def test_without_process_0_the_others_decide() -> None:
    outcome, _ = decided(ended(0, None), ended(1, -signal.SIGABRT), None, index=1)
    assert outcome.text.startswith("process 0 of 3 (host0, pid 10) was lost; ")


@pytest.mark.parametrize(
    ("theirs", "difference"),
    [
        ({"versions": ["jax-0.1"]}, "jax-0.1 where process 0 has jax-0.10"),
        ({"words": ["rounds=5", "run"]}, "rounds=5 where process 0 has rounds=3"),
        ({"words": ["rounds=3", "run", "seed=1"]}, "seed=1 where process 0 has nothing"),
    ],
)
def test_processes_that_do_not_fit_together_are_refused(theirs: dict[str, Any], difference: str) -> None:
    hello = {"host": "host0", "versions": ["jax-0.10"], "words": ["rounds=3", "run"]}
    assert supervisor.unlike({0: hello, 1: hello}) == ""
    refusal = supervisor.unlike({0: hello, 1: hello | {"host": "host1"} | theirs})
    assert refusal.startswith(f"process 1 (host1) has {difference}; words and versions must be the same")


def test_a_process_that_says_neither_words_nor_versions_is_refused() -> None:
    hello = {"host": "host0", "versions": ["jax-0.10"], "words": ["run"]}
    assert "process 1 (host1) has nothing where" in supervisor.unlike({0: hello, 1: {"host": "host1"}})


class Signalled:
    """Process that keeps the signals that it gets."""

    def __init__(self) -> None:
        self.signals: list[int] = []

    def send_signal(self, number: int) -> None:
        self.signals.append(number)


def test_a_second_signal_goes_by_the_pipe_as_an_exit_code() -> None:
    before = [signal.getsignal(number) for number in supervisor.SIGNALS]
    reading, writing = os.pipe()
    process = Signalled()
    with supervisor._passing_signals_on(process, writing):  # type: ignore[arg-type]
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        assert os.read(reading, 10) == bytes([130])
        os.close(reading)
        os.kill(os.getpid(), signal.SIGINT)  # nobody reads any more
    os.close(writing)
    assert process.signals == [signal.SIGTERM]
    assert [signal.getsignal(number) for number in supervisor.SIGNALS] == before
