"""Links between supervisors: lines of JSON over TCP, with a beat, so that a lost host is noticed."""

import contextlib
import json
import queue
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ltr.errors import LtrError

BEAT = 5.0
"""Seconds between two beats."""

SILENCE = 30.0
"""Seconds without a beat after which a host is lost."""

LONGEST = 2**20
"""Most bytes of a message."""

PATIENCE = 300.0
"""Seconds to wait until all processes have begun."""


@dataclass(frozen=True)
class Event:
    """Message that a supervisor receives, or the end of a link.

    Attributes:
        index: process that it is about.
        message: message of its supervisor; None if its link broke.
    """

    index: int
    message: Mapping[str, Any] | None


class Link:
    """Link to another supervisor.

    Args:
        connection: connected socket.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lines = connection.makefile("rb")
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close the link; its threads end."""
        self._lines.close()
        self._connection.close()

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a message; a broken link is seen by who listens."""
        with contextlib.suppress(OSError), self._lock:
            self._connection.sendall(json.dumps(message).encode() + b"\n")

    def receive(self, seconds: float) -> dict[str, Any] | None:
        """Return the next message; None if the link broke, was silent for so long, or sent something else."""
        with contextlib.suppress(OSError, ValueError, RecursionError):
            self._connection.settimeout(seconds)
            line = self._lines.readline(LONGEST)
            message = json.loads(line) if line.endswith(b"\n") else None
            return message if isinstance(message, dict) else None
        return None

    def attend(self, index: int, events: "queue.Queue[Event]") -> None:
        """Beat, and put what comes from process `index` into a queue, in threads of their own."""

        def beat() -> None:
            while self._connection.fileno() >= 0:
                self.send({})
                time.sleep(BEAT)

        def listen() -> None:
            while (message := self.receive(SILENCE)) is not None:
                if message:
                    events.put(Event(index, message))
            events.put(Event(index, None))

        for target in (beat, listen):
            threading.Thread(target=target, daemon=True).start()


def connect(host: str, port: int) -> Link:
    """Return a link to process 0, once that listens; LtrError if it does not in time."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return Link(socket.create_connection((host, port), timeout=SILENCE))
        except OSError as error:
            if time.monotonic() > until:
                raise LtrError(f"{host}:{port}: process 0 does not answer ({error})") from None
            time.sleep(0.2)


def accept(port: int, count: int) -> tuple[dict[int, Link], dict[int, dict[str, Any]]]:
    """Wait for the other processes; return their links and their first messages, by index.

    Raises:
        LtrError: the port is taken, or a process did not come in time.
    """
    try:
        listening = _server(port)
    except OSError as error:
        raise LtrError(f"port {port}: {error.strerror or error}; choose another hosts.coordinator") from None
    links: dict[int, Link] = {}
    hellos: dict[int, dict[str, Any]] = {}
    until = time.monotonic() + PATIENCE
    with listening:
        while len(links) < count - 1:
            listening.settimeout(max(0.0, until - time.monotonic()) or 0.001)
            try:
                link = Link(listening.accept()[0])
            except TimeoutError:
                missing = sorted(set(range(1, count)) - set(links))
                raise LtrError(
                    f"process {missing[0]} of {count} did not come within {PATIENCE:.0f} s"
                ) from None
            hello = link.receive(SILENCE) or {}
            number = hello.get("index")
            if not isinstance(number, int) or not 0 < number < count or "host" not in hello:
                link.close()  # of a stranger
                continue
            if number in links:
                two = f"{hellos[number]['host']} and {hello['host']}"
                for one in (link, *links.values()):
                    one.close()
                raise LtrError(f"hosts.index={number}: two processes have it, on {two}")
            links[number], hellos[number] = link, hello
    return links, hellos


def _server(port: int) -> socket.socket:
    """Listen at a port, by IPv4 and, where the system has it, by IPv6."""
    if socket.has_dualstack_ipv6():
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", port))


def free_port() -> int:
    """Return a port that nobody listens at."""
    with _server(0) as listening:
        number: int = listening.getsockname()[1]
        return number
