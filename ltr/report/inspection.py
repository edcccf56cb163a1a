"""Text of the inspection of a run folder."""

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ltr.report.text_table import WIDTH, Column, table
from ltr.store.damage import Part


def plain(parts: Sequence[Part], folder: Path) -> list[dict[str, Any]]:
    """Return parts as plain data; `lost` and `remedy` are null for those that are whole."""
    return [
        {
            "part": str(part.path.relative_to(folder)),
            "state": part.state,
            "lost": part.error and part.error.lost,
            "remedy": part.error and part.error.remedy,
        }
        for part in parts
    ]


def text(parts: Sequence[Part], folder: Path) -> str:
    """Return a table of parts, and a sentence about each that is not whole."""
    rows = [(str(part.path.relative_to(folder)), part.state) for part in parts]
    errors = [str(part.error) for part in parts if part.error]
    sentences = [textwrap.fill(error, WIDTH, break_on_hyphens=False) for error in errors]
    return "\n\n".join([str(folder), table([Column("part"), Column("state")], rows), *sentences])
