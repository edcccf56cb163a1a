"""Conclusion of a run: verdicts, means, and what to do next."""

import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from ltr.analysis.search_race import Searched, race_of, raced
from ltr.analysis.summary import by_round
from ltr.analysis.verdicts import tested_rounds, within
from ltr.config.schema import Experiment
from ltr.report import cut_off, lost, race, tables, variance
from ltr.report.advice import advice, caveats
from ltr.report.claims import claims_text
from ltr.report.findings import Verdicts, headline, untested_means
from ltr.report.text_table import WIDTH
from ltr.store.looks import Look


def conclusion(
    folder: Path,
    results: pd.DataFrame,
    experiment: Experiment,
    verdicts: Verdicts,
    looks: Sequence[Look],
    words: Sequence[str],
    seconds: float,
    timings: pd.DataFrame,
) -> str:
    """Return the early stops, claims, race, paths of figures, findings, shares of variance and advice.

    Args:
        folder: run folder.
        results: requested rows of the results table.
        experiment: the requested experiment.
        verdicts: verdicts of the looks at the run.
        looks: all looks at the run.
        words: `key=value` arguments of the command.
        seconds: duration of a replicate on this machine.
        timings: requested rows of the table of timings.
    """
    parts = [*tables.other_tables(by_round(results), experiment.early_bird), claims_text(verdicts, looks)]
    parts += [race.text(race_of(Searched(experiment, results, timings)))]
    parts += ["\n".join(f"figure  {path}" for path in sorted((folder / "figures").glob("*.png")))]
    current = within(tested_rounds(results, experiment), verdicts)  # an earlier look may test other rounds
    parts += [*sentences(results, experiment, verdicts), variance.text(results, experiment)]
    parts += [advice(current, looks, words, seconds)]
    return "".join(f"\n{part}\n" for part in parts if part).removesuffix("\n")


def sentences(results: pd.DataFrame, experiment: Experiment, verdicts: Verdicts) -> Iterator[str]:
    """Yield the findings, each on lines of at most 80 characters."""
    return (textwrap.fill(finding, WIDTH) for finding in findings(results, experiment, verdicts))


def findings(results: pd.DataFrame, experiment: Experiment, verdicts: Verdicts) -> Iterator[str]:
    """Yield the decided claims, the lanes without a result or a path, the means, and the caveats."""
    texts = (
        headline(results, verdicts, experiment),
        *lost.sentences(results, experiment),
        cut_off.sentence(results),
        untested_means(results, raced(experiment)),
        *caveats(results, experiment),
    )
    return (text for text in texts if text)
