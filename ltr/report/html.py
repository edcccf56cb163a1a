"""HTML tables for notebooks."""

import html
import math
from collections.abc import Iterable, Mapping

import pandas as pd

from ltr.analysis.summary import density
from ltr.report.arms import in_order
from ltr.report.tables import Cell


def facts_table(facts: Mapping[str, str]) -> str:
    """Return a table with a row for each fact: its name and its text."""
    cells = ((html.escape(name), html.escape(fact)) for name, fact in facts.items())
    return f"<table>{''.join(f'<tr><th>{name}</th><td>{fact}</td></tr>' for name, fact in cells)}</table>"


def rounds_table(summary: pd.DataFrame, title: str, cell: Cell) -> str:
    """Return a table with a row for each round and a column for each arm.

    Args:
        summary: table from `ltr.analysis.summary.by_round`.
        title: title above the table.
        cell: formats a cell (see `ltr.report.tables`).
    """
    arms = in_order(summary["arm"])
    rows = []
    for round_number, lanes in summary.groupby("round"):
        highest = lanes["accuracy"].max() if len(lanes) > 1 else math.nan
        cells = {lane["arm"]: cell(lane, highest).strip() for lane in lanes.to_dict("records")}
        rows.append({"round": round_number, "density": f"{100 * density(lanes):.2f} %"} | cells)
    frame = pd.DataFrame(rows, columns=["round", "density", *arms]).fillna("")
    return f"<p>{html.escape(title)}</p>{frame.to_html(index=False, border=0)}"


def preformatted(text: str) -> str:
    """Return a text of several lines as it is; nothing for none."""
    return f"<pre>{html.escape(text)}</pre>" if text else ""


def paragraphs(texts: Iterable[str]) -> str:
    """Return each text as a paragraph."""
    return "".join(f"<p>{html.escape(text)}</p>" for text in texts)
