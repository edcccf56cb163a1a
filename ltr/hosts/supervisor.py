"""Supervisors: each starts the member of its host, and ends it when another member is lost.

JAX's runtime aborts the processes of a group when one of them ends, each with a page of its own. A supervisor
is no part of that group, so it can name the process that was lost.
"""

import contextlib
import os
import queue
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from types import FrameType
from typing import Any

from ltr.errors import LtrError
from ltr.hosts import links
from ltr.hosts.group import Group
from ltr.hosts.links import Event, Link
from ltr.hosts.member import PEER_LOST, Member
from ltr.interrupts import SIGNALS
from ltr.version import __version__

SETTLING = 2.0
"""Seconds in which the end of one member makes others end too; then the first cause is sought among them."""

STOPPING = 60.0
"""Seconds that members have to stop after one has stopped by a signal."""

NOISE = b"[Gloo]"
"""Beginning of lines that libraries of XLA print on standard output."""


_COMMAND = """
import os, sys, traceback
from ltr.cli import main
try:
    code = main()
except SystemExit as end:
    code = end.code
except BaseException:
    traceback.print_exc()
    code = 1
if code:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
"""
"""Program of a member: after an error it ends at once, where JAX's own end would wait for the others."""


@dataclass(frozen=True)
class End:
    """End of a member.

    Attributes:
        index: number of the member.
        code: exit code, negative for a signal; None if its whole host was lost.
        last_words: last line on its standard error, if the supervisor read it.
    """

    index: int
    code: int | None
    last_words: str = ""

    @property
    def is_lost(self) -> bool:
        """Whether the member ended without a word of its own."""
        return self.code is None or self.code < 0 or self.code == PEER_LOST

    @property
    def rank(self) -> tuple[int, int]:
        """Order in which ends are taken for the cause of others: JAX aborts, or raises, after one."""
        consequences = {-signal.SIGABRT: 2, PEER_LOST: 3}
        is_killed = self.code in (None, -signal.SIGKILL)
        return 0 if is_killed else consequences.get(self.code or 0, 1), self.index


def supervise(group: Group, words: Sequence[str]) -> int:
    """Start the member of this process, and return the exit code of the whole run.

    Args:
        group: the processes of the run.
        words: words of the command line after `ltr`.

    Raises:
        LtrError: the processes do not find each other, or do not fit together.
    """
    events: queue.Queue[Event] = queue.Queue()
    others, names, address = _meet(group, words)
    for index, link in others.items():
        link.attend(index, events)
    with _member(group, address, words, events) as process:
        outcome = Outcome(group, names)
        while outcome.is_open:
            outcome.hear(_next(events, outcome.deadline), others)
        process.kill()
    for link in others.values():
        link.close()
    if outcome.text:
        print(f"ltr run: {outcome.text}", file=sys.stderr, flush=True)
    return outcome.code


def _meet(group: Group, words: Sequence[str]) -> tuple[dict[int, Link], dict[int, str], str]:
    """Return the links to the other supervisors, the names of all, and the address of JAX's coordinator."""
    mine = {
        "index": group.index,
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "versions": [f"ltr-{__version__}", *(f"{one}-{metadata.version(one)}" for one in ("jax", "numpy"))],
        "words": sorted(word for word in words if not word.startswith("hosts.")),
    }
    if group.index:
        link = links.connect(group.host, group.port)
        link.send(mine)
        welcome = link.receive(links.PATIENCE)
        if welcome is None or "address" not in welcome:
            raise LtrError((welcome or {}).get("refusal") or "process 0 ended before the run began")
        return {0: link}, {int(index): name for index, name in welcome["names"].items()}, welcome["address"]
    others, hellos = links.accept(group.port, group.count)
    hellos[0] = mine
    names = {index: f"{hello['host']}, pid {hello.get('pid')}" for index, hello in hellos.items()}
    if refusal := unlike(hellos):
        for link in others.values():
            link.send({"refusal": refusal})
        raise LtrError(refusal)
    address = f"{f'[{group.host}]' if ':' in group.host else group.host}:{links.free_port()}"
    for link in others.values():
        link.send({"address": address, "names": names})
    return others, names, address


def unlike(hellos: Mapping[int, Mapping[str, Any]]) -> str:
    """Return in what a process differs from process 0; empty if all fit together."""
    for index, hello in sorted(hellos.items()):
        theirs, mine = ({*one.get("versions", ()), *one.get("words", ())} for one in (hello, hellos[0]))
        if theirs != mine:
            has, lacks = (" ".join(sorted(some)) or "nothing" for some in (theirs - mine, mine - theirs))
            return (
                f"process {index} ({hello['host']}) has {has} where process 0 has {lacks}; words and "
                "versions must be the same; with hosts.count=1 each trains a run of its own"
            )
    return ""


@contextlib.contextmanager
def _member(
    group: Group, address: str, words: Sequence[str], events: "queue.Queue[Event]"
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run the member of this process; its end is an event, and signals are passed on to it."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ltr-")) if group.index else ""
        reading, writing = os.pipe()
        stack.callback(os.close, writing)
        member = Member(address, group.count, group.index, folder, reading)
        process = subprocess.Popen(
            [sys.executable, "-c", _COMMAND, *words],
            env=os.environ | member.variables(),
            pass_fds=[reading],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if group.index else None,
            start_new_session=True,  # a terminal's signals come from here alone
        )
        os.close(reading)
        stack.callback(process.wait)
        stack.callback(process.kill)
        stack.enter_context(_passing_signals_on(process, writing))
        threading.Thread(target=_attend, args=(process, group.index, events), daemon=True).start()
        yield process


@contextlib.contextmanager
def _passing_signals_on(process: "subprocess.Popen[bytes]", pipe: int) -> Iterator[None]:
    """Pass the first signal on to a member; a second one ends it at once, by its pipe.

    Slurm signals all processes of a step, members too. So a second signal to the member may be the first.
    """
    passed_on: list[int] = []

    def pass_on(number: int, _: FrameType | None) -> None:
        if passed_on:
            with contextlib.suppress(BrokenPipeError):  # it has ended
                os.write(pipe, bytes([128 + number]))
        else:
            process.send_signal(number)
        passed_on.append(number)

    replaced = {number: signal.signal(number, pass_on) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in replaced.items():
            signal.signal(number, handler)


def _attend(process: "subprocess.Popen[bytes]", index: int, events: "queue.Queue[Event]") -> None:
    """Pass on what a member prints, member 0's alone, and put its end into the queue."""
    last = [b""]

    def read_errors() -> None:
        for line in process.stderr or ():
            last[0] = line if line.strip() else last[0]

    reader = threading.Thread(target=read_errors, daemon=True)
    reader.start()
    for line in process.stdout or ():
        if not index and not line.startswith(NOISE):
            sys.stdout.write(line.decode(errors="replace"))
            sys.stdout.flush()
    reader.join()
    last_words = last[0].decode(errors="replace").strip()
    events.put(Event(index, {"ended": process.wait(), "last_words": last_words}))


def _next(events: "queue.Queue[Event]", deadline: float | None) -> Event | None:
    """Return the next event; None at the deadline."""
    try:
        return events.get(timeout=None if deadline is None else max(0.0, deadline - time.monotonic()))
    except queue.Empty:
        return None


class Outcome:
    """What becomes of a run, as one supervisor sees it.

    The supervisor of process 0 decides, and tells the others.

    Attributes:
        is_open: whether the run goes on.
        code: exit code.
        text: line to print; empty if a member has said it.
        deadline: time, as of `time.monotonic`, at which to decide; None without an end so far.
    """

    def __init__(self, group: Group, names: Mapping[int, str]) -> None:
        self._group, self._names = group, names
        self._ends: dict[int, End] = {}
        self.is_open, self.code, self.text = True, 0, ""
        self.deadline: float | None = None

    def hear(self, event: Event | None, others: Mapping[int, Link]) -> None:
        """Take an event in, or decide at the deadline."""
        if event is None:
            self._decide(others)
            return
        index, message = event.index, event.message
        if message is not None and "code" in message:  # process 0 has decided
            self.is_open, self.code, self.text = False, message["code"], message["text"]
            return
        end = End(index, None) if message is None else End(index, message["ended"], message["last_words"])
        self._ends.setdefault(index, end)
        if self._group.index and index == self._group.index:
            others[0].send({"ended": end.code, "last_words": end.last_words})
        self._wait(end)
        if not self._group.index and len(self._ends) == self._group.count:
            self._decide(others)

    def _wait(self, end: End) -> None:
        """Set the deadline after the end of a member that did not finish."""
        if end.code == 0:
            return
        patience = SETTLING if end.is_lost or end.code in (1, 2, 3) else STOPPING
        if self._group.index:
            patience += SETTLING  # process 0 decides
        until = time.monotonic() + patience
        self.deadline = until if self.deadline is None else min(self.deadline, until)

    def _decide(self, others: Mapping[int, Link]) -> None:
        """Decide what the run ended by, and tell the other supervisors."""
        self.is_open = False
        ends = [end for end in self._ends.values() if end.code != 0]
        if ends:
            cause = min(ends, key=lambda end: end.rank)
            self.code, self.text = self._said(cause)
        if not self._group.index:
            for link in others.values():
                link.send({"code": self.code, "text": self.text})

    def _said(self, cause: End) -> tuple[int, str]:
        """Return the exit code and the line of the end of a member."""
        which = f"process {cause.index} of {self._group.count} ({self._names[cause.index]})"
        if cause.is_lost:
            how = f" by {signal.Signals(-cause.code).name}" if cause.code and cause.code < 0 else ""
            return 1, f"{which} was lost{how}; the same command goes on from the last checkpoint"
        assert cause.code is not None
        is_said = not cause.index or cause.code > 128
        return cause.code, "" if is_said else f"{which}: {cause.last_words or f'exit code {cause.code}'}"
