"""How far a run is: the forecast, the lines in a pipe, the bar on a terminal."""

import io
import re
import sys
from types import SimpleNamespace

import pytest

from ltr.report import progress
from ltr.report.progress import Bar, Lines, Pace, display, duration


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_nothing_is_foretold_before_there_are_two_reports(clock: Clock) -> None:
    pace = Pace(100, clock)
    assert pace.seconds_left() is None
    pace.advance(10)
    assert pace.seconds_left() is None


def test_the_end_is_foretold_from_the_pace_so_far(clock: Clock) -> None:
    pace = Pace(100, clock)
    pace.advance(10)
    clock.now += 5
    pace.advance(10)
    assert pace.seconds_left() == pytest.approx(80 * 5 / 10)
    clock.now += 15
    pace.advance(10)
    assert pace.seconds_left() == pytest.approx(70 * 20 / 20)


def test_a_busy_beginning_is_forgotten(clock: Clock) -> None:
    """Ten steps a minute for ten minutes, then as many a second: the mean of all would foretell 74 s."""
    pace = Pace(4000, clock)
    for seconds in [60] * 10 + [1] * 300:
        clock.now += seconds
        pace.advance(10)
    assert pace.seconds_left() == pytest.approx((4000 - 3100) / 10)


def test_compilation_does_not_count(clock: Clock) -> None:
    pace = Pace(100, clock)
    clock.now += 1000  # until the first report
    pace.advance(10)
    clock.now += 1
    pace.advance(10)
    assert pace.seconds_left() == pytest.approx(8)


def test_nothing_is_left_at_the_end(clock: Clock) -> None:
    pace = Pace(20, clock)
    pace.advance(10)
    clock.now += 1
    pace.advance(10)
    assert pace.seconds_left() == 0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-:--"), (0, "0:00"), (35.4, "0:35"), (59.6, "1:00"), (725, "12:05"), (10812, "3:00:12")],
)
def test_durations_read_as_on_a_clock(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_a_pipe_gets_lines_and_a_terminal_a_bar() -> None:
    assert isinstance(display(io.StringIO()), Lines)
    assert isinstance(display(Terminal()), Bar)


class Cell(list[str]):
    """The output of a notebook's cell: HTML as it was at each time."""

    def display(self, shown: str, display_id: bool) -> "Cell":
        assert display_id
        self.append(shown)
        return self

    update = list.append


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> Cell:
    """The cell of a notebook that this process is the kernel of."""
    cell = Cell()
    display = SimpleNamespace(HTML=str, display=cell.display)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(display=display))
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    monkeypatch.setattr(progress, "in_notebook", lambda: True)
    return cell


def test_a_notebook_gets_a_bar_below_its_cell(cell: Cell, clock: Clock) -> None:
    pace = Pace(200, clock)
    pace.advance(10)
    clock.now += 10
    pace.advance(40)
    with display(io.StringIO()) as shown:
        shown.update("round 1/15, val. accuracy < 50 %", pace)
    bar = '<progress value="0.250" style="width: 20em"></progress> '
    assert cell == ["starting", bar + "round 1/15, val. accuracy &lt; 50 %, 25 %, 0:38 left", ""]


def test_this_is_no_notebook() -> None:
    assert not progress.in_notebook()


def test_a_line_says_where_the_run_is(clock: Clock) -> None:
    stream, pace = io.StringIO(), Pace(200, clock)
    pace.advance(10)
    clock.now += 10
    pace.advance(40)
    with display(stream, clock) as shown:
        shown.update("round 1/15: 12 lanes, val. accuracy 97.1 %", pace)
    assert stream.getvalue() == "round 1/15: 12 lanes, val. accuracy 97.1 %, 25 % done, 0:38 left\n"


def test_lines_are_ten_seconds_apart(clock: Clock) -> None:
    stream, pace = io.StringIO(), Pace(1000, clock)
    with display(stream, clock) as shown:
        for second in range(60):
            clock.now = second + 100.0
            pace.advance(1)
            shown.update(str(second), pace)
    labels = [line.split(",")[0] for line in stream.getvalue().splitlines()]
    assert labels == ["0", "10", "20", "30", "40", "50"]


def test_lines_hold_no_escape_codes_and_fit_80_columns(clock: Clock) -> None:
    stream, pace = io.StringIO(), Pace(10**9, clock)
    pace.advance(1)
    clock.now += 10
    pace.advance(1)
    with display(stream, clock) as shown:
        shown.update("round 10/20: 250 lanes, val. accuracy 100.0 %", pace)
    (line,) = stream.getvalue().splitlines()
    assert line.isprintable()
    assert len(line) <= 80


def test_a_bar_shows_label_share_and_time_left(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    stream, pace = Terminal(), Pace(200, clock)
    pace.advance(10)
    clock.now += 10
    pace.advance(40)
    with display(stream) as shown:
        shown.update("round 1/15", pace)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", stream.getvalue())
    assert re.search(r"round 1/15 \S+ +25 % 0:38 left", plain)
    assert stream.getvalue().endswith("\x1b[2K")  # it clears up after itself
