"""Text tables by rich: aligned, without colours or rules, the same on a terminal and in a file."""

import io
import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ltr.core.printable import on_one_line, printable

if TYPE_CHECKING:
    from rich.table import Table

WIDTH = 80


class Column(NamedTuple):
    """A column of a table.

    Attributes:
        title: its heading.
        is_number: whether its cells are aligned on the right.
        width: number of characters, to which longer cells are cut; None for as many as its cells need.
    """

    title: str = ""
    is_number: bool = False
    width: int | None = None


def table(
    columns: Sequence[Column],
    rows: Iterable[Iterable[str]],
    gap: int = 2,
    width: int = WIDTH,
    has_titles: bool = True,
) -> str:
    """Return rows of cells below the titles of their columns.

    Args:
        columns: one for each cell of a row.
        rows: cells, shown as they are: rich's markup has no meaning in them.
        gap: spaces between columns.
        width: largest number of characters of a line; cells are cut to fit.
        has_titles: whether the titles are shown.
    """
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, padding=(0, gap, 0, 0), pad_edge=False, show_header=has_titles)
    for column in columns:
        grid.add_column(
            Text(column.title),
            justify="right" if column.is_number else "left",
            width=column.width,
            no_wrap=True,
            overflow="ellipsis",
        )
    for row in rows:
        grid.add_row(*(Text(on_one_line(cell)) for cell in row))
    return _text(grid, width)


def long_table(columns: Sequence[Column], rows: Iterable[Sequence[str]], gap: int = 2) -> str:
    """Return what `table` returns on lines that are wide enough, in a hundredth of the time.

    Args:
        columns: one for each cell of a row; each has a width.
        rows: cells, as in `table`.
        gap: spaces between columns.
    """
    widths = [column.width or 0 for column in columns]
    template = (" " * gap).join(
        f"{{:{'>' if column.is_number else '<'}{column.width}}}" for column in columns
    )
    titles = [column.title for column in columns]
    lines = [
        template.format(*row).rstrip()
        if _fits(row, widths)
        else (" " * gap).join(map(_cell, row, columns)).rstrip()
        for row in (titles, *rows)
    ]
    return "\n".join(lines)


def _fits(row: Sequence[str], widths: Sequence[int]) -> bool:
    """Return whether every cell fits its width, and every character of it is as wide as any other."""
    text = "".join(row)
    return text.isascii() and text.isprintable() and all(map(operator.le, map(len, row), widths))


def _cell(text: str, column: Column) -> str:
    """Return one cell, cut or padded to the width of its column."""
    from rich.text import Text

    cell = Text(on_one_line(text))
    cell.truncate(column.width or 0, overflow="ellipsis")
    cell.align("right" if column.is_number else "left", column.width or 0)
    return cell.plain


def facts(named: Mapping[str, str], width: int = WIDTH) -> str:
    """Return a line for each fact, after its name; the further lines of a long fact are indented."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    for name, fact in named.items():
        grid.add_row(Text(on_one_line(name), no_wrap=True), Text(printable(fact), overflow="fold"))
    return _text(grid, width)


def _text(grid: "Table", width: int) -> str:
    from rich.console import Console

    console = Console(file=(stream := io.StringIO()), width=width, color_system=None, legacy_windows=False)
    console.print(grid)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines())
