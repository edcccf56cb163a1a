"""Training speed of two source trees: the table of `ltr bench --against`."""

from collections.abc import Mapping
from typing import Any

from ltr.report import text_table
from ltr.report.formatting import percent
from ltr.report.speed import machine_lines, rounded


def table(benchmark: Mapping[str, Any]) -> str:
    """Return a table of steps per second and their ratios, at most 80 characters wide.

    Args:
        benchmark: output of `ltr bench --against=COMMIT --json`.
    """
    titles = ("density", "", "this tree", benchmark["against"], "ratio", "least", "most")
    columns = [text_table.Column(title, is_number=bool(title)) for title in titles]
    return "\n".join(
        [
            "Training steps per second, all cores together",
            *machine_lines(benchmark["machine"]),
            "",
            f"{benchmark['network']}, {benchmark['setting']}",
            text_table.table(columns, map(_cells, benchmark["rows"])),
            "",
            f"Medians of {benchmark['turns']} turns. Ratio: this tree to {benchmark['against']} in a turn.",
        ]
    )


def _cells(row: Mapping[str, Any]) -> list[str]:
    speeds = [rounded(row[name]) for name in ("here", "there")]
    ratios = [f"{row[name]:.2f}" for name in ("ratio", "least", "most")]
    return [f"{percent(row['density'])} %", row["program"], *speeds, *ratios]
