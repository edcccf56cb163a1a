"""What a run ends with: what is decided, what the means are, and what to do next."""

import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from ltr.analysis.summary import by_round
from ltr.analysis.verdicts import tested_rounds, within
from ltr.config.schema import Experiment
from ltr.report import tables
from ltr.report.advice import advice, caveats
from ltr.report.claims import claims_text
from ltr.report.summary_text import Found, by_the_means, headline
from ltr.report.text_table import WIDTH
from ltr.store.looks import Look


def conclusion(
    folder: Path,
    results: pd.DataFrame,
    experiment: Experiment,
    found: Found,
    looks: Sequence[Look],
    words: Sequence[str],
    seconds: float,
) -> str:
    """Return early stops, claims, where figures are, what was found, and what to do next.

    Args:
        folder: of the run.
        results: rows of the results table, of what was asked for.
        experiment: what was asked for.
        found: what the looks at the run decide.
        looks: those that were taken.
        words: `key=value`, by which the run was asked for.
        seconds: that a replicate takes on this machine.
    """
    parts = [*tables.other_tables(by_round(results), experiment.early_bird), claims_text(found, looks)]
    parts += ["\n".join(f"figure  {path}" for path in sorted((folder / "figures").glob("*.png")))]
    now = within(tested_rounds(results, experiment), found)  # a look before may have been at others
    parts += [*sentences(results, experiment, found), advice(now, looks, words, seconds)]
    return "".join(f"\n{part}\n" for part in parts if part).removesuffix("\n")


def sentences(results: pd.DataFrame, experiment: Experiment, found: Found) -> Iterator[str]:
    """Yield the findings, each on lines of at most 80 characters."""
    return (textwrap.fill(one, WIDTH) for one in findings(results, experiment, found))


def findings(results: pd.DataFrame, experiment: Experiment, found: Found) -> Iterator[str]:
    """Yield what is decided, what the means are, and what makes them say less than they seem to."""
    said = (headline(results, found, experiment), by_the_means(results), *caveats(results, experiment))
    return (one for one in said if one)
