"""Supervisors find each other, and notice when one is gone."""

import contextlib
import queue
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from ltr.errors import LtrError
from ltr.hosts import links
from ltr.hosts.links import Event, Link

NESTED = b"[" * 9999 + b"\n"
"""JSON that cannot be parsed for its depth."""


@pytest.fixture
def closed() -> Iterator[list[Link]]:
    """Links that are closed in the end."""
    opened: list[Link] = []
    yield opened
    for link in opened:
        link.close()


@pytest.fixture
def pair() -> Iterator[tuple[Link, Link]]:
    one, other = map(Link, socket.socketpair())
    yield one, other
    one.close()
    other.close()


def test_messages_arrive_in_order(pair: tuple[Link, Link]) -> None:
    one, other = pair
    one.send({"number": 1})
    one.send({"number": 2})
    assert [other.receive(1), other.receive(1)] == [{"number": 1}, {"number": 2}]


def test_silence_and_an_end_are_both_a_broken_link() -> None:
    one, other = map(Link, socket.socketpair())
    assert other.receive(0.01) is None
    one.close()
    assert other.receive(10) is None
    other.close()


def test_beats_are_no_events_and_an_end_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "BEAT", 0.01)
    events: queue.Queue[Event] = queue.Queue()
    one, other = map(Link, socket.socketpair())
    other.attend(3, events)
    for message in ({}, {"ended": 0}, {}):
        one.send(message)
    assert events.get(timeout=10) == Event(3, {"ended": 0})
    assert one.receive(10) == {}
    one.close()
    assert events.get(timeout=10) == Event(3, None)
    other.close()


def test_all_processes_meet_and_strangers_are_ignored(closed: list[Link]) -> None:
    port = links.free_port()
    with ThreadPoolExecutor() as pool:
        accepting = pool.submit(links.accept, port, 3)
        for index in (7, 2, 1):
            closed.append(links.connect("localhost", port))
            closed[-1].send({"index": index, "host": f"host{index}"})
        found, hellos = accepting.result(10)
    closed += found.values()
    assert sorted(found) == [1, 2]
    assert hellos[2] == {"index": 2, "host": "host2"}


@pytest.mark.parametrize(
    "said", [b"GET / HTTP/1.1\r\n", b"\xff\n", b"[1]\n", NESTED, b'{"index": 1}\n', b"{}" * 2**20]
)
def test_a_stranger_can_say_what_it_likes(said: bytes, closed: list[Link]) -> None:
    port = links.free_port()
    with ThreadPoolExecutor() as pool:
        accepting = pool.submit(links.accept, port, 2)
        closed.append(links.connect("localhost", port))
        with contextlib.suppress(OSError):  # it is not read to its end
            closed[0]._connection.sendall(said)
            closed[0]._connection.shutdown(socket.SHUT_WR)
        closed.append(links.connect("localhost", port))
        closed[-1].send({"index": 1, "host": "here"})
        found, hellos = accepting.result(10)
    closed += found.values()
    assert hellos == {1: {"index": 1, "host": "here"}}


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="needs IPv6")
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_processes_meet_by_both_versions_of_the_internet_protocol(host: str, closed: list[Link]) -> None:
    port = links.free_port()
    with ThreadPoolExecutor() as pool:
        accepting = pool.submit(links.accept, port, 2)
        closed.append(links.connect(host, port))
        closed[0].send({"index": 1, "host": "here"})
        closed += accepting.result(10)[0].values()
    assert len(closed) == 2


def test_an_index_that_two_processes_have_is_refused(closed: list[Link]) -> None:
    port = links.free_port()
    with ThreadPoolExecutor() as pool:
        accepting = pool.submit(links.accept, port, 3)
        closed += [links.connect("localhost", port) for _ in range(2)]
        for link in closed:
            link.send({"index": 1, "host": "here"})
        with pytest.raises(LtrError, match=r"^hosts.index=1: two processes have it, on here and here$"):
            accepting.result(10)


def test_a_process_that_does_not_come_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "PATIENCE", 0.05)
    with pytest.raises(LtrError, match=r"^process 1 of 2 did not come within 0 s$"):
        links.accept(links.free_port(), 2)
    with pytest.raises(LtrError, match=r"^localhost:\d+: process 0 does not answer"):
        links.connect("localhost", links.free_port())


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(LtrError, match=rf"^port {port}: .*; choose another hosts.coordinator$"):
            links.accept(port, 2)
