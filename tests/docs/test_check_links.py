"""scripts/check_links.py finds what is broken in a built site."""

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "check_links.py"))

OTHER = '<h1 id="here">Other</h1><a href="../index.html">back</a>'


def problems(tmp_path: Path, body: str) -> list[str]:
    """The problems of a site of two pages, the first of which has this body."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "other page.html").write_text(OTHER)
    (tmp_path / "index.html").write_text(body)
    return list(SCRIPT["problems"](tmp_path))


@pytest.mark.parametrize(
    "body",
    [
        '<a href="folder/other%20page.html#here">',
        '<a href="#top"></a><p id="top">',
        '<a href="https://example.org/#x">',
        '<a href="mailto:a@example.org">',
        '<img src="data:image/png;base64,AAAA">',
        '<a href="folder/..">',
    ],
)
def test_good_links_are_no_problem(tmp_path: Path, body: str) -> None:
    assert problems(tmp_path, body) == []


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ('<a href="folder/none.html">', "index.html: folder/none.html: no such file"),
        ('<img src="none.png">', "index.html: none.png: no such file"),
        ('<a href="#none">', "index.html: #none: no such anchor"),
        ('<a href="folder/other%20page.html#x">', "index.html: folder/other%20page.html#x: no such anchor"),
        (
            '<script src="https://a.org/x.js">',
            "index.html: https://a.org/x.js: loaded from another host",
        ),
        ('<link href="//a.org/x.css">', "index.html: //a.org/x.css: loaded from another host"),
    ],
)
def test_broken_links_are_named(tmp_path: Path, body: str, problem: str) -> None:
    assert problems(tmp_path, body) == [problem]


def test_the_exit_code_says_whether_there_are_any(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert SCRIPT["main"]([str(tmp_path)]) == 1  # no site
    (tmp_path / "index.html").write_text('<a href="none.html">')
    assert SCRIPT["main"]([str(tmp_path)]) == 1
    assert "index.html: none.html: no such file" in capsys.readouterr().err
    (tmp_path / "index.html").write_text("<p>")
    assert SCRIPT["main"]([str(tmp_path)]) == 0
