"""Where results, messages and warnings go, from the command line and from Python."""

import io
import logging
import sys
from collections.abc import Iterator

import pytest

from ltr.report.output import RootHandler, command_line, in_python
from ltr.report.progress import Lines, NoDisplay, Pace

Captured = pytest.CaptureFixture[str]


def test_a_command_prints_results_and_messages_apart(capsys: Captured) -> None:
    output = command_line()
    output.results("a table")
    output.message("a message")
    assert capsys.readouterr() == ("a table\n", "a message\n")
    assert isinstance(output.progress(), Lines)


def test_python_gets_messages_alone_where_it_asks(capsys: Captured) -> None:
    output = in_python(True)
    assert output.results is None
    output.message("a message")
    assert capsys.readouterr() == ("", "a message\n")
    assert isinstance(output.progress(), Lines)


@pytest.mark.parametrize("progress", [None, False])
def test_python_gets_nothing_where_nobody_looks_on(progress: bool | None, capsys: Captured) -> None:
    output = in_python(progress)
    assert output.results is None
    output.message("a message")
    with output.progress() as shown:
        assert isinstance(shown, NoDisplay)
        shown.update("round 1", Pace(1, lambda: 0.0))
    assert capsys.readouterr() == ("", "")


def test_python_gets_messages_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", terminal)
    in_python(None).message("a message")
    in_python(False).message("another")
    assert terminal.getvalue() == "a message\n"


@pytest.fixture
def log() -> Iterator[logging.Logger]:
    """The log of ltr, in which handlers take part while it is told everything."""
    log = logging.getLogger("ltr")
    before = log.level, log.propagate
    yield log
    log.setLevel(before[0])
    log.propagate = before[1]
    log.handlers.clear()


@pytest.mark.parametrize(
    ("level", "expected"), [(logging.WARNING, ["loud"]), (logging.INFO, ["quiet", "loud"])]
)
def test_a_program_gets_of_the_log_what_it_has_asked_for(
    level: int, expected: list[str], log: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    log.setLevel(level)
    log.addHandler(RootHandler())
    log.setLevel(logging.INFO)
    log.propagate = False
    log.info("quiet")
    log.warning("loud")
    assert caplog.messages == expected


def test_warnings_control_no_terminal(capsys: Captured) -> None:
    handler = command_line().warnings()
    handler.emit(logging.LogRecord("ltr", logging.WARNING, "", 0, "%s: lost", ("a\x1b[2J",), None))
    assert capsys.readouterr().err == "ltr: a\\x1b[2J: lost\n"
