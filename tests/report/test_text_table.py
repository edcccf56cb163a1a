"""Text tables are plain, aligned and no wider than asked for, wherever they are printed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltr.report.text_table import Column, facts, long_table, table

COLUMNS = [Column("arm"), Column("steps", is_number=True), Column("note", width=6)]
ROWS = [["ticket", "1,500", "[b]x[/]"], ["one", "25", ":smile:"]]
LINES = ["arm     steps  note", "ticket  1,500  [b]x[…", "one        25  :smil…"]


def test_columns_are_aligned_and_cut() -> None:
    assert table(COLUMNS, ROWS).splitlines() == LINES
    assert table(COLUMNS, ROWS, has_titles=False).splitlines() == LINES[1:]
    assert table(COLUMNS[:2], [row[:2] for row in ROWS], gap=1).splitlines()[0] == "arm    steps"


CELLS = st.text(st.sampled_from("a1 .[]:\n\x1b\u00e9\u6f22\u0301\U0001f600"), max_size=9).map(str.strip)


@given(rows=st.lists(st.tuples(CELLS, CELLS), max_size=4))
def test_a_long_table_is_a_table(rows: list[tuple[str, str]]) -> None:
    columns = [Column("name", width=5), Column("a number", is_number=True, width=6)]
    assert long_table(columns, rows) == table(columns, rows)


def test_tables_are_the_same_on_any_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"COLUMNS": "20", "TERM": "xterm-256color", "FORCE_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)
    assert table(COLUMNS, ROWS).splitlines() == LINES
    assert facts({"a": "b"}) == "a  b"


def test_a_table_of_no_rows_has_its_titles() -> None:
    assert table(COLUMNS, []) == "arm  steps  note"


def test_lines_are_no_wider_than_asked_for() -> None:
    wide = table([Column("a"), Column("b")], [["x" * 60, "y" * 60]])
    assert max(map(len, wide.splitlines())) <= 80
    assert len(wide.splitlines()) == 2


def test_facts_are_indented_where_they_need_more_lines() -> None:
    text = facts({"path": "p" * 30, "words": "well-known " * 4}, width=20)
    assert text.splitlines() == [
        "path   " + "p" * 13,
        "       " + "p" * 13,
        "       " + "p" * 4,
        *["words  well-known"],
        *["       well-known"] * 3,
    ]
