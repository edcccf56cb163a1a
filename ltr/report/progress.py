"""Progress of a run: a bar on a terminal and in a notebook, otherwise a line every ten seconds."""

import html
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol, Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

LINE_SECONDS = 10.0

WINDOW = 300.0
"""Seconds whose pace the forecast goes by: long enough for evaluations and the ends of rounds."""

Clock = Callable[[], float]


class Pace:
    """Estimate of the time until `total` units of work are done, in steps of equal length.

    It goes by the pace of the last `WINDOW` seconds, since a machine that was busy before says little about
    what is left. The clock starts at the first report, so reading data and compiling do not count.
    """

    def __init__(self, total: float, clock: Clock) -> None:
        self.total, self.done = total, 0.0
        self._clock = clock
        self._reports: deque[tuple[float, float]] = deque()

    def advance(self, work: float) -> None:
        """Add finished work."""
        self.done += work
        now = self._clock()
        self._reports.append((now, self.done))
        while len(self._reports) > 2 and self._reports[1][0] <= now - WINDOW:
            self._reports.popleft()

    def seconds_left(self) -> float | None:
        """Return the estimated seconds left; None before the second report."""
        if len(self._reports) < 2:
            return None
        began, already = self._reports[0]
        if self.done == already:
            return None
        return (self.total - self.done) * (self._clock() - began) / (self.done - already)


def duration(seconds: float | None) -> str:
    """Format seconds as `0:35`, `12:05` or `3:00:12`; None as `-:--`."""
    if seconds is None:
        return "-:--"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class Display(Protocol):
    """Context manager that shows the progress of a run."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def update(self, label: str, pace: Pace) -> None:
        """Show a short label (round, accuracy) and the pace."""


def display(stream: TextIO, clock: Clock = time.monotonic) -> Display:
    """Return a bar in a notebook and if `stream` is a terminal, otherwise plain lines."""
    if in_notebook():
        return NotebookBar()
    return Bar(stream) if stream.isatty() else Lines(stream, clock)


def in_notebook() -> bool:
    """Return whether this process is a notebook kernel (Jupyter, VS Code, Colab, Databricks)."""
    return Console().is_jupyter


class NoDisplay:
    """Display that shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def update(self, label: str, pace: Pace) -> None:
        """Do nothing."""


class NotebookBar:
    """Bar below the cell of a notebook, without ipywidgets, which the bar of rich needs there."""

    def __init__(self) -> None:
        self._shown: Any = None

    def __enter__(self) -> Self:
        from IPython.display import HTML, display

        self._shown = display(HTML("starting"), display_id=True)
        return self

    def __exit__(self, *_: object) -> None:
        from IPython.display import HTML

        self._shown.update(HTML(""))

    def update(self, label: str, pace: Pace) -> None:
        """Redraw the bar."""
        from IPython.display import HTML

        share = pace.done / max(pace.total, 1)
        text = f"{html.escape(label)}, {100 * share:.0f} %, {duration(pace.seconds_left())} left"
        self._shown.update(HTML(f'<progress value="{share:.3f}" style="width: 20em"></progress> {text}'))


class Bar:
    """Bar on a terminal; printed text appears above it."""

    def __init__(self, stream: TextIO) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TextColumn("{task.percentage:3.0f} %"),
            TextColumn("{task.fields[left]} left"),
            console=Console(file=stream),
            transient=True,
            redirect_stdout=sys.stdout.isatty(),  # otherwise printed text would go to the bar's stream
        )
        self._task = self._progress.add_task("starting", total=None, left=duration(None))

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def update(self, label: str, pace: Pace) -> None:
        """Redraw the bar."""
        left = duration(pace.seconds_left())
        self._progress.update(self._task, description=label, completed=pace.done, total=pace.total, left=left)


class Lines:
    """Display that prints a line every ten seconds."""

    def __init__(self, stream: TextIO, clock: Clock) -> None:
        self._stream, self._clock = stream, clock
        self._next = clock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def update(self, label: str, pace: Pace) -> None:
        """Print a line if ten seconds have passed since the last one."""
        if self._clock() < self._next:
            return
        self._next = self._clock() + LINE_SECONDS
        percent = int(100 * pace.done / max(pace.total, 1))
        print(
            f"{label}, {percent} % done, {duration(pace.seconds_left())} left",
            file=self._stream,
            flush=True,
        )


class Progresses:
    """Display of what advances side by side: the sum of its work, and a label of one after a prefix."""

    def __init__(self, shown: Display, prefix: str, clock: Clock = time.monotonic) -> None:
        self._shown, self._prefix, self._sum = shown, prefix, Pace(0.0, clock)
        self._paces: list[Pace] = []

    def __enter__(self) -> Self:
        self._shown.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._shown.__exit__(*error)

    def of_run(self) -> Display:
        """Return the display of one more run."""
        return _Part(self)

    def update(self, label: str, pace: Pace) -> None:
        """Show the label and pace of one, with the work of all."""
        if not any(pace is each for each in self._paces):
            self._paces.append(pace)
        self._sum.total = sum(each.total for each in self._paces)
        self._sum.advance(sum(each.done for each in self._paces) - self._sum.done)
        self._shown.update(f"{self._prefix}{label}", self._sum)


class _Part(NoDisplay):
    """Display of one of several runs."""

    def __init__(self, whole: Progresses) -> None:
        self._whole = whole

    def update(self, label: str, pace: Pace) -> None:
        """Show the run's progress as part of the whole."""
        self._whole.update(label, pace)
