"""What a run ends with on the screen: the early stops, the figures, and a plain sentence."""

import textwrap
from pathlib import Path

import pandas as pd

from ltr.analysis.summary import by_round
from ltr.report import figures, tables
from ltr.report.finding import finding
from ltr.report.stdout import write


def conclude(folder: Path, results: pd.DataFrame) -> None:
    """Draw the figures of a run's results, and print where they are and what was found."""
    paths = figures.draw(results, folder.name, folder / "figures")
    write(f"\n{tables.early_stop_table(by_round(results))}\n")
    write("\n".join(f"figure  {path}" for path in paths if path.suffix == ".png"))
    write(f"\n{textwrap.fill(finding(results), tables.WIDTH)}")
