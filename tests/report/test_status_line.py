import sys

import pytest

from ltr.report.status_line import show_status

Captured = pytest.CaptureFixture[str]


def test_a_status_is_overwritten_by_the_next(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    show_status("measuring " * 20)
    show_status("done")
    show_status("")
    lines = capsys.readouterr().err.split("\r")
    assert lines == ["", ("measuring " * 20)[:79], "", f"{'done':79}", "", " " * 79, ""]


def test_a_file_gets_no_status(capsys: Captured) -> None:
    show_status("measuring")
    assert capsys.readouterr().err == ""
