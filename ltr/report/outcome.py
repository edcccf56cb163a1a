"""What a run ends with on the screen: the early stops, the figures, and a plain sentence."""

import textwrap
from pathlib import Path

import pandas as pd

from ltr.analysis.summary import by_round
from ltr.report import tables
from ltr.report.finding import finding
from ltr.report.stdout import write


def conclude(folder: Path, results: pd.DataFrame, watched: bool) -> None:
    """Print early stops, early birds if they were looked for, where figures are, and what was found."""
    write("".join(f"\n{table}\n" for table in tables.other_tables(by_round(results), watched)))
    write("\n".join(f"figure  {path}" for path in sorted((folder / "figures").glob("*.png"))))
    write(f"\n{textwrap.fill(finding(results), tables.WIDTH)}")
