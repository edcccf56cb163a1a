"""What a run ends with on the screen: the early stops, the claims, the figures, and a plain sentence."""

import textwrap
from pathlib import Path

import pandas as pd

from ltr.analysis.claims import of_run
from ltr.analysis.summary import by_round
from ltr.config import Experiment
from ltr.report import tables
from ltr.report.claims import claims_text
from ltr.report.finding import finding
from ltr.report.stdout import write


def conclude(folder: Path, results: pd.DataFrame, experiment: Experiment) -> None:
    """Print early stops, early birds if looked for, claims, where figures are, and what was found."""
    parts = [*tables.other_tables(by_round(results), experiment.early_bird)]
    parts += [claims_text(of_run(results, experiment), experiment.claims)]
    parts += ["\n".join(f"figure  {path}" for path in sorted((folder / "figures").glob("*.png")))]
    parts += [textwrap.fill(finding(results), tables.WIDTH)]
    write("".join(f"\n{part}\n" for part in parts if part).removesuffix("\n"))
